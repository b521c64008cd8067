//! The numbers of a spool.

use std::time::Duration;

/// The numbers of a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SpoolStats {
    /// Records on disk that are not stored in PostgreSQL.
    pub records: u64,
    /// What these take there, in bytes.
    pub bytes: u64,
    /// The most bytes that they may take.
    pub max_bytes: u64,
    /// How long ago the oldest of them was accepted.
    pub oldest: Option<Duration>,
    /// Files that they are in.
    pub segments: u64,
    /// Records that PostgreSQL refused, kept aside.
    pub dead_letters: u64,
    /// Records and dead letters that could not be read since the start.
    pub damaged: u64,
    /// The disk is full or failed, and writing, or reading, is tried again.
    pub stuck: bool,
}
