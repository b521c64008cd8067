//! What was found in a spool when it was opened.

use std::path::PathBuf;

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
