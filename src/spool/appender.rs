//! The appender: one thread that writes whatever waits, for all logs, by one `fsync` for each log that got something,
//! then acknowledges all of it. While it does, the next ones gather.

mod intake;
mod lane;
mod shift;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use tokio::sync::oneshot;

use self::{intake::Intake, shift::Shift};
use super::{
    folder::Folder,
    log::Log,
    room::{Bounds, Room},
};
use crate::{
    config::{OnError, SpoolSettings, WhenFull},
    error::{ClosedError, Error, Outcome, SpoolError},
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

impl Append {
    /// Tells who waits for it, else `on_error`, that it is not kept.
    fn fail(self, error: &Error) {
        let Self { log: _, record, ack, on_error, room, front: _ } = self;
        // Before anybody hears of it, who may want the room.
        drop(room);
        let unkept = Box::new(Unkept { error: error.of_record(record.id()), record });
        let unheard = match ack {
            Some(ack) => ack.send(Err(unkept)).err().and_then(Result::err),
            None => Some(unkept),
        };
        let Some(unkept) = unheard else { return };
        if catch_unwind(AssertUnwindSafe(|| on_error(&unkept.error, &unkept.record))).is_err() {
            tracing::error!(id = %unkept.record.id(), "`on_error` panicked");
        }
    }
}

/// The handle of the thread. Dropped, the thread writes what waits and ends.
pub(super) struct Appender {
    intake: Arc<Intake>,
}

impl Appender {
    /// Starts the thread. The directory stays locked until it ends.
    pub(super) fn start(
        folder: Arc<Folder>,
        settings: &SpoolSettings,
        when_full: WhenFull,
        bounds: Arc<Bounds>,
    ) -> Result<Self, SpoolError> {
        let intake = Arc::new(Intake::default());
        let path = folder.path.clone();
        let shift = Shift::new(folder, settings, when_full, bounds, Arc::clone(&intake));
        thread::Builder::new()
            .name("tracevault-spool".to_owned())
            .spawn(move || shift.work())
            .map_err(|error| SpoolError::io("starting the spool's thread", &path, error))?;
        Ok(Self { intake })
    }

    /// Never blocks. What is pushed is written and acknowledged, or told of: nothing is dropped in silence.
    pub(super) fn push(&self, append: Append) {
        if let Err(append) = self.intake.push(append) {
            append.fail(&Error::from(ClosedError::new("the spool")).with_outcome(Outcome::Rejected));
        }
    }

    /// The disk may have room again.
    pub(super) fn retry(&self) {
        self.intake.retry();
    }

    /// Waits until all that was pushed by now is on disk (synced, whatever the policy) or told of.
    pub(super) async fn settled(&self) {
        let mut settled = self.intake.settled.subscribe();
        let target = self.intake.ask_to_settle();
        // The sender lives in the intake, which is ours.
        let _ = settled.wait_for(|below| *below >= target).await;
    }

    /// Ends it as a drop does, and waits until the thread has ended and the directory is free.
    pub(super) async fn ended(&self) {
        let mut settled = self.intake.settled.subscribe();
        self.intake.close();
        let _ = settled.wait_for(|below| *below == u64::MAX).await;
    }

    /// The disk is full, or failed, and the appender waits to try again.
    pub(super) fn is_stuck(&self) -> bool {
        self.intake.is_stuck()
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        self.intake.close();
    }
}

#[cfg(test)]
mod faults;
#[cfg(test)]
mod full;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
