//! The numbers of a queue, and of all queues of a root.

use std::{
    ops::AddAssign,
    sync::{Arc, Mutex, PoisonError},
};

/// The numbers of a scope's queue since it was made. `accepted = stored + failed + queued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Records taken on.
    pub accepted: u64,
    /// Records that are in the table, duplicates included.
    pub stored: u64,
    /// Records that were reported as not, or perhaps not, stored.
    pub failed: u64,
    /// Records waiting or on their way.
    pub queued: u64,
    /// What these take in memory, in bytes.
    pub queued_bytes: u64,
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        let Self { accepted, stored, failed, queued, queued_bytes } = other;
        self.accepted += accepted;
        self.stored += stored;
        self.failed += failed;
        self.queued += queued;
        self.queued_bytes += queued_bytes;
    }
}

/// The numbers of the queues that are gone, so that a root's never go backwards.
#[derive(Clone, Default)]
pub(crate) struct Totals(Arc<Mutex<Stats>>);

impl Totals {
    pub(crate) fn get(&self) -> Stats {
        // Plain numbers: no panic leaves them half-written.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, stats: Stats) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += stats;
    }
}
