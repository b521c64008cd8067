//! A frame: one record on disk, with its length, checksum and number. The format is in the manual of this folder.

use std::ops::Range;

use uuid::Uuid;

use super::segment::HIGHEST;
use crate::{
    event::Mode,
    moment::Moment,
    record::Record,
    tuple::{FIELDS, Tuple},
};

/// Bytes before the payload.
pub(super) const HEAD: usize = 28;
/// Of these, what the length does not count.
const UNCOUNTED: usize = 8;
/// The longest payload that is taken for one: two payloads of 64 MiB, and the texts.
pub(super) const LONGEST: usize = 192 << 20;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Record,
    DeadLetter,
}

/// A frame in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'b> {
    pub(super) sequence: u64,
    /// Microseconds since 1970.
    pub(super) accepted_at: i64,
    pub(super) kind: Kind,
    /// It may be in the table already.
    pub(super) again: bool,
    pub(super) payload: &'b [u8],
}

/// Why the bytes at a place are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// They end before the frame does: so many bytes are needed from its begin.
    Short(usize),
    /// Length, checksum or kind are wrong.
    Damaged,
}

impl<'b> Frame<'b> {
    /// Bytes on disk.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        HEAD + self.payload.len()
    }

    /// Appends it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        // Payloads are bounded by `max_payload_bytes`, far below 4 GiB.
        let length = u32::try_from(HEAD - UNCOUNTED + self.payload.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.accepted_at.to_le_bytes());
        let kind = match self.kind {
            Kind::Record => 1,
            Kind::DeadLetter => 2,
        };
        out.extend_from_slice(&[kind, u8::from(self.again), 0, 0]);
        out.extend_from_slice(self.payload);
        let checksum = checksum(&out[start..start + 4], &out[start + UNCOUNTED..]);
        out[start + 4..start + UNCOUNTED].copy_from_slice(&checksum.to_le_bytes());
    }

    /// The frame that begins here.
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, Fault> {
        let Some((head, _)) = bytes.split_first_chunk::<HEAD>() else { return Err(Fault::Short(HEAD)) };
        let size = size_of(u32::from_le_bytes([head[0], head[1], head[2], head[3]])).ok_or(Fault::Damaged)?;
        let Some(counted) = bytes.get(UNCOUNTED..size) else { return Err(Fault::Short(size)) };
        if checksum(&head[..4], counted).to_le_bytes() != head[4..8] {
            return Err(Fault::Damaged);
        }
        let kind = match head[24] {
            1 => Kind::Record,
            2 => Kind::DeadLetter,
            _ => return Err(Fault::Damaged),
        };
        let eight = |at: usize| <[u8; 8]>::try_from(&head[at..at + 8]).unwrap_or_default();
        let sequence = u64::from_le_bytes(eight(8));
        if sequence > HIGHEST {
            return Err(Fault::Damaged);
        }
        Ok(Self {
            sequence,
            accepted_at: i64::from_le_bytes(eight(16)),
            kind,
            again: head[25] & 1 == 1,
            payload: &counted[HEAD - UNCOUNTED..],
        })
    }
}

/// What a frame of this length takes on disk; `None`: there is none.
pub(super) fn size_of(length: u32) -> Option<usize> {
    let length = length as usize;
    (HEAD - UNCOUNTED..=LONGEST).contains(&length).then_some(UNCOUNTED + length)
}

/// Whether these may open a frame with such a number, so that it is worth its checksum.
pub(super) fn may_be(head: &[u8], numbers: Range<u64>) -> bool {
    let Some(head) = head.first_chunk::<HEAD>() else { return false };
    let sequence = u64::from_le_bytes([head[8], head[9], head[10], head[11], head[12], head[13], head[14], head[15]]);
    matches!(head[24..], [1 | 2, 0..=3, 0, 0])
        && numbers.contains(&sequence)
        && size_of(u32::from_le_bytes([head[0], head[1], head[2], head[3]])).is_some()
}

/// Whether these bytes are a frame whose length only is wrong.
pub(super) fn is_whole_but_for_length(bytes: &[u8]) -> bool {
    let Some(counted) = bytes.get(UNCOUNTED..) else { return false };
    let Ok(length) = u32::try_from(counted.len()) else { return false };
    size_of(length).is_some() && checksum(&length.to_le_bytes(), counted).to_le_bytes() == bytes[4..8]
}

fn checksum(length: &[u8], counted: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(length), counted)
}

/// The record of a row that was checked before it was written; `None` where it is none.
pub(super) fn record(row: Vec<u8>, again: bool) -> Option<Record> {
    if !is_row(&row) {
        return None;
    }
    let tuple = Tuple::from_bytes(row);
    let id = Uuid::from_slice(tuple.field(0)?).ok()?;
    let mode = [Mode::Sync, Mode::Async].into_iter().find(|mode| tuple.text_of(8) == Some(mode.as_str()))?;
    let at = i64::from_be_bytes(tuple.field(9)?.try_into().ok()?);
    let occurred_at = Moment::of_unix(at.checked_add(crate::moment::EPOCH_IN_UNIX)?).ok()?;
    let is_text = |index| tuple.field(index).is_none() || tuple.text_of(index).is_some();
    let texts = tuple.text_of(1).is_some() && (2..=7).chain(10..=12).all(is_text);
    texts.then(|| Record::from_parts(tuple, id, occurred_at, mode, again))
}

/// Whether it has all fields, and nothing behind them.
fn is_row(row: &[u8]) -> bool {
    let Some(mut rest) = row.strip_prefix(&[0, FIELDS]) else { return false };
    for _ in 0..FIELDS {
        let Some((length, after)) = rest.split_first_chunk::<4>() else { return false };
        let length = match i32::from_be_bytes(*length) {
            -1 => 0,
            length => usize::try_from(length).unwrap_or(usize::MAX),
        };
        let Some(after) = after.get(length..) else { return false };
        rest = after;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests;
