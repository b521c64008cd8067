//! What was found in a spool when it was opened.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    scan::{Found, Rest, Scan},
    segment,
};

/// What a process before left in the spool, and in which state; reported once by `tracing::info!`, and kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Recovery {
    /// Records that are to be stored. Some may be in PostgreSQL already.
    pub records: u64,
    /// Bytes of these on disk.
    pub bytes: u64,
    /// Tables that they go to.
    pub tables: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Bytes cut off at the ends of last segments, of frames that were never acknowledged.
    pub torn_bytes: u64,
    /// What could not be read in the last segments. What lies before them is read, and checked, as it is stored.
    pub damage: Vec<Damage>,
}

/// Bytes that are no frames.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where they begin in it.
    pub offset: u64,
    /// How many they are.
    pub bytes: u64,
    /// The first sequence number that is missing by it.
    pub first: u64,
    /// The number of the next frame: `next - first` records are lost.
    pub next: u64,
}

impl Recovery {
    /// Of all logs together.
    pub(super) fn add(&mut self, other: Self) {
        let Self { records, bytes, tables, dead_letters, torn_bytes, damage } = other;
        self.records += records;
        self.bytes += bytes;
        self.tables += tables;
        self.dead_letters += dead_letters;
        self.torn_bytes += torn_bytes;
        self.damage.extend(damage);
    }
}

/// The end of a log.
#[derive(Debug, Default)]
pub(super) struct End {
    /// The next number, by what is in the segments.
    pub(super) tail: u64,
    /// Segments at the end without any frame, complete or damaged.
    pub(super) empty: Vec<u64>,
    pub(super) torn_bytes: u64,
    pub(super) damage: Vec<Damage>,
}

/// Looks through the last of these segments; where that holds no frame, through the one before, too.
pub(super) fn end(folder: &Path, bases: &[u64]) -> io::Result<End> {
    let mut end = End::default();
    let mut below = u64::MAX;
    for base in bases.iter().rev() {
        let path = segment::path(folder, *base);
        let mut scan = Scan::open(&path, *base)?;
        let mut next = *base;
        let is_empty = loop {
            match scan.step(below)? {
                Found::Frame(place) => next = next.max(place.sequence + 1),
                Found::Damage { offset, bytes, next: found } => {
                    let path = path.clone();
                    end.damage.push(Damage { path, offset, bytes, first: next, next: found });
                    next = next.max(found);
                }
                Found::End { offset, rest } => {
                    match rest {
                        Rest::Torn(bytes) => end.torn_bytes += bytes,
                        Rest::Damaged { bytes, frames } => {
                            let first = next;
                            next = next.saturating_add(frames).min(below);
                            end.damage.push(Damage { path, offset, bytes, first, next });
                        }
                        Rest::Nothing | Rest::Beyond => {}
                    }
                    break next == *base;
                }
            }
        };
        end.tail = end.tail.max(next);
        if !is_empty {
            break;
        }
        end.empty.push(*base);
        below = *base;
    }
    Ok(end)
}
