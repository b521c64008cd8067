//! A queue without room.

use std::{error::Error as StdError, fmt};

/// The queue has no room, and the emit was not to wait.
#[derive(Debug, Clone)]
pub struct QueueFullError {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
}

impl QueueFullError {
    /// How many records were waiting or on their way.
    pub fn records(&self) -> usize {
        self.records
    }

    /// How many bytes they took.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl fmt::Display for QueueFullError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the queue is full ({} records, {} bytes); nothing was stored: try again later, or raise `queue_capacity` or `queue_bytes`",
            self.records, self.bytes
        )
    }
}

impl StdError for QueueFullError {}
