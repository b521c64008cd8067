//! The appender: one thread that writes whatever waits, for all logs, by one `fsync` for each log that got something,
//! then acknowledges all of it. While it does, the next ones gather.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{
    folder::Folder,
    log::Log,
    room::{Bounds, Room},
};
use crate::{
    config::{OnError, SpoolSettings, WhenFull},
    error::{Error, SpoolError},
    record::Record,
};

/// Where an emit hears that its record is on disk.
pub(crate) type Ack = oneshot::Sender<Result<(), Box<Unkept>>>;

/// A record that was not kept, and why; it goes to the waiting emit whole, should that be dropped before it has read it.
pub(crate) struct Unkept {
    pub(crate) error: Error,
    pub(crate) record: Record,
}

/// A record on its way to the disk.
pub(super) struct Append {
    pub(super) log: Arc<Log>,
    pub(super) record: Record,
    /// `None`: nobody waits, and a failure goes to `on_error`.
    pub(super) ack: Option<Ack>,
    pub(super) on_error: OnError,
    /// `None`: it is written whatever is full, as what a close leaves is.
    pub(super) room: Option<Room>,
    /// It goes before all others of its log, once nothing more of that kind has come for a moment.
    pub(super) front: bool,
}

/// The handle of the thread. Dropped, the thread writes what waits and ends.
pub(super) struct Appender {}

impl Appender {
    /// Starts the thread. The directory stays locked until it ends.
    pub(super) fn start(
        folder: Arc<Folder>,
        settings: &SpoolSettings,
        when_full: WhenFull,
        bounds: Arc<Bounds>,
    ) -> Result<Self, SpoolError> {
        let _ = (folder, settings, when_full, bounds);
        todo!()
    }

    /// Never blocks. What is pushed is written and acknowledged, or told of: nothing is dropped in silence.
    pub(super) fn push(&self, append: Append) {
        let _ = append;
        todo!()
    }

    /// The disk may have room again.
    pub(super) fn retry(&self) {
        todo!()
    }

    /// Waits until all that was pushed by now is on disk (synced, whatever the policy) or told of.
    pub(super) async fn settled(&self) {
        todo!()
    }

    /// The disk is full, or failed, and the appender waits to try again.
    pub(super) fn is_stuck(&self) -> bool {
        todo!()
    }
}
