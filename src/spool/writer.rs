//! Adding to a log: the one place that writes frames. Used by the appender's thread only.

use std::{fs::File, sync::Arc};

use super::log::Log;
use crate::{config::SpoolSettings, error::SpoolError, record::Record};

/// Writes to the end of a log.
pub(super) struct Writer {
    pub(super) log: Arc<Log>,
    file: Option<File>,
}

impl Writer {
    pub(super) fn new(log: Arc<Log>, settings: &SpoolSettings) -> Self {
        let _ = settings;
        Self { log, file: None }
    }

    /// Writes these behind all others, beginning a new segment where the last one is full or was given up. They must not be
    /// read before [`publish`](Self::publish).
    ///
    /// # Errors
    /// Nothing of them counts. Where the disk had no room, the segment was cut to what it was; where that failed, or for
    /// any other reason, it is given up: the next frames go to another.
    pub(super) fn write(&mut self, records: &[&Record]) -> Result<(), SpoolError> {
        let _ = (&self.file, records);
        todo!()
    }

    /// `fsync`. After an error the segment is given up, and what was written since the last one is written anew into
    /// another and synced there; only if that fails too, this does.
    pub(super) fn sync(&mut self) -> Result<(), SpoolError> {
        todo!()
    }

    /// What was written may be read.
    pub(super) fn publish(&mut self) {
        todo!()
    }

    /// Writes these before all others, as a segment of their own, synced.
    pub(super) fn write_front(&mut self, records: &[&Record]) -> Result<(), SpoolError> {
        let _ = records;
        todo!()
    }
}
