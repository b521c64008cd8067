//! Looking at a spool from outside, without its lock: nothing is changed, so that the process that uses it may go on. What
//! that writes or removes meanwhile may be seen or not.

use std::path::Path;

use super::{dead::DeadLetter, recovery::Damage};
use crate::{error::Error, table::TableName};

/// The log of one table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Listing {
    /// The table.
    pub table: TableName,
    /// Records that are not stored yet: numbers between the cursor and the end.
    pub records: u64,
    /// Bytes of the segments.
    pub bytes: u64,
    /// Segments.
    pub segments: u64,
    /// When the oldest record that is not stored was accepted.
    pub oldest: Option<time::OffsetDateTime>,
    /// Dead letters.
    pub dead_letters: u64,
    /// Files of bytes that could not be read, kept aside.
    pub damaged_files: u64,
}

/// What a check of every frame found.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Check {
    /// Frames with their checksum, dead letters included.
    pub frames: u64,
    /// Bytes that were looked at.
    pub bytes: u64,
    /// Bytes cut off at the end of a segment, of frames that were never acknowledged.
    pub torn_bytes: u64,
    /// What is damaged.
    pub damage: Vec<Damage>,
    /// Files that are not of a spool, and cursors that cannot be read, in words.
    pub remarks: Vec<String>,
}

/// Lists the logs of a spool, by table.
///
/// # Errors
/// `Spool` when the directory cannot be read, or is no spool's.
pub fn list(dir: &Path) -> Result<Vec<Listing>, Error> {
    let _ = dir;
    todo!()
}

/// Reads every frame of every segment and dead letter, and checks it.
///
/// # Errors
/// As for [`list`].
pub fn check(dir: &Path) -> Result<Check, Error> {
    let _ = dir;
    todo!()
}

/// The dead letters of a table, or of all, oldest first.
///
/// # Errors
/// As for [`list`]; what `each` answers.
pub fn dead_letters(
    dir: &Path,
    table: Option<&TableName>,
    each: &mut dyn FnMut(&TableName, DeadLetter) -> Result<(), Error>,
) -> Result<(), Error> {
    let _ = (dir, table, each);
    todo!()
}
