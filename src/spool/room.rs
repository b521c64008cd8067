//! How much may wait for the disk, and how much may be on it.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::{
    config::{Settings, SpoolSettings},
    error::Error,
};

/// The bounds of a spool: `max_bytes` on disk, and in memory, on the way there, `queue_bytes` and `queue_capacity`.
pub(super) struct Bounds {
    disk: Semaphore,
}

impl Bounds {
    /// `used`: what is on disk already. Where that is more than `max_bytes`, as much has to go before there is room.
    pub(super) fn new(settings: &SpoolSettings, root: &Settings, used: u64) -> Arc<Self> {
        let _ = (settings, root, used);
        todo!()
    }

    /// Room for a record of so many bytes, if there is some now.
    ///
    /// # Errors
    /// `Spool` (`SpoolFault::Full`); `Closed`.
    pub(super) fn try_take(self: &Arc<Self>, bytes: usize) -> Result<Room, Error> {
        let _ = (&self.disk, bytes);
        todo!()
    }

    /// As soon as there is some, first come, first served. Cancel safe.
    pub(super) async fn take(self: &Arc<Self>, bytes: usize) -> Result<Room, Error> {
        let _ = bytes;
        todo!()
    }

    /// So many bytes on disk are free again.
    pub(super) fn freed(&self, bytes: u64) {
        let _ = bytes;
        todo!()
    }

    /// Nothing is taken on any more.
    pub(super) fn close(&self) {
        todo!()
    }
}

/// Room for a record. Dropped, all of it is given back; [`written`](Self::written), the part in memory only.
pub(crate) struct Room {
    pub(super) bounds: Arc<Bounds>,
}

impl Room {
    /// Of at least so many bytes, where there is more.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let _ = (&self.bounds, bytes);
        todo!()
    }

    /// The record takes so many bytes on disk now; what is more than that is given back.
    pub(super) fn written(self, bytes: u64) {
        let _ = bytes;
        todo!()
    }
}
