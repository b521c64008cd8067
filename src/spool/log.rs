//! The log of one table: its segments, how far it may be read, and how far it is done with. The appender's thread adds to
//! it through a [`Writer`](super::writer::Writer), one feed reads it through a [`Reader`](super::reader::Reader).

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use tokio::sync::watch;

use super::{cursor::Cursor, recovery::Recovery};
use crate::{error::SpoolError, table::TableName};

/// A segment's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) base: u64,
    /// Bytes of its frames as far as they count against `max_bytes`.
    pub(super) bytes: u64,
}

/// The log of one table.
pub(super) struct Log {
    pub(super) table: TableName,
    pub(super) folder: PathBuf,
    pub(super) segments: Mutex<VecDeque<Segment>>,
    /// The first sequence number that must not be read yet.
    pub(super) tail: watch::Sender<u64>,
    /// Below this everything was there when the log was opened, and may be in the table already.
    pub(super) recovered_below: u64,
    pub(super) cursor: Mutex<Cursor>,
}

impl Log {
    /// Opens or makes the log of a table. Lists its segments, removes those that are wholly below the cursor or hold
    /// nothing, and looks through the last one only, to find the tail: so it takes as long for 2 GiB as for 20 MiB.
    /// Never appends to a segment that was there.
    pub(super) fn open(folder: PathBuf, table: TableName) -> Result<(Arc<Self>, Recovery), SpoolError> {
        let _ = (folder, table);
        todo!()
    }

    /// Moves the cursor. Where segments lie wholly below it, puts it on disk, then removes them and syncs the directory.
    /// Answers how many bytes of `max_bytes` are free again. The last segment stays while the writer has it.
    pub(super) fn advance(&self, to: u64) -> Result<u64, SpoolError> {
        let _ = to;
        todo!()
    }

    /// Puts the cursor on disk, at a close; removes what is wholly below it, the last segment included.
    pub(super) fn finish(&self) -> Result<u64, SpoolError> {
        todo!()
    }

    /// Records between the cursor and the tail (numbers, so that what was damaged counts too), and their bytes on disk.
    pub(super) fn left(&self) -> (u64, u64) {
        todo!()
    }
}
