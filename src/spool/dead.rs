//! Dead letters: records that PostgreSQL refused for what they are, with its SQLSTATE and words.

use std::path::Path;

use crate::{
    error::{Error, SpoolError},
    record::Record,
};

/// A record that PostgreSQL refused.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The record, masked as it was emitted.
    pub record: Record,
    /// When it was accepted.
    pub accepted_at: time::OffsetDateTime,
    /// The five characters by which PostgreSQL named the error.
    pub sqlstate: Option<String>,
    /// The error in words, without any value of the record.
    pub reason: String,
}

/// Writes dead letters of one log (`DIR/TABLE/dead/`), in a segment of this process's own, synced. Where the disk is full,
/// the caller gives up the reserve and tries again.
pub(super) fn write(folder: &Path, letters: &[(u64, i64, Record, Error)]) -> Result<(), SpoolError> {
    let _ = (folder, letters);
    todo!()
}

/// How many there are.
pub(super) fn count(folder: &Path) -> Result<u64, SpoolError> {
    let _ = folder;
    Ok(0) // TODO
}

/// One after the other, oldest first, in constant memory; what is damaged is passed over and counted.
pub(super) fn read(
    folder: &Path,
    each: &mut dyn FnMut(DeadLetter) -> Result<(), SpoolError>,
) -> Result<u64, SpoolError> {
    let _ = (folder, each);
    todo!()
}

/// Removes all that were there when [`read`] began.
pub(super) fn clear(folder: &Path) -> Result<(), SpoolError> {
    let _ = folder;
    todo!()
}
