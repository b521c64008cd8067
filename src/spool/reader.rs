//! Reading a log in order, in constant memory, past what is damaged.

use std::sync::Arc;

use super::log::Log;
use crate::{error::SpoolError, record::Record};

/// A record that was read.
pub(super) struct Stored {
    pub(super) sequence: u64,
    /// Microseconds since 1970.
    pub(super) accepted_at: i64,
    pub(super) record: Record,
}

/// Reads on from where it stopped.
pub(super) struct Reader {
    log: Arc<Log>,
    /// The next sequence number that is wanted.
    next: u64,
}

impl Reader {
    /// From the cursor on.
    pub(super) fn new(log: Arc<Log>) -> Self {
        let _ = log;
        todo!()
    }

    /// The next records, in order, up to the log's tail: at most so many, and no more once they exceed so many bytes
    /// (one is always read). Empty: nothing is there yet. What is damaged is logged by `tracing::error!` with its segment,
    /// offset and the numbers that are missing, counted in `damaged`, copied to `damaged/`, and passed over. Blocks.
    ///
    /// # Errors
    /// The disk's; it can be called again.
    pub(super) fn read(&mut self, records: usize, bytes: usize) -> Result<Vec<Stored>, SpoolError> {
        let _ = (&self.log, self.next, records, bytes);
        todo!()
    }

    /// All below it was read, or is lost.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Numbers that could not be read since the last call.
    pub(super) fn take_damaged(&mut self) -> u64 {
        todo!()
    }
}
