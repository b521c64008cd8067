//! What became of the rows, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// The numbers of one [`Traffic`](super::Traffic) since it was made. `accepted = stored + failed + unknown + queued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TrafficStats {
    /// Rows that the queue took.
    pub accepted: u64,
    /// Rows that are in the table.
    pub stored: u64,
    /// Rows that the queue had no room for, or that came after the close. They are not in `accepted`.
    pub dropped: u64,
    /// Rows that could not be stored.
    pub failed: u64,
    /// Rows whose commit was not answered; they are not sent again, so as not to be there twice.
    pub unknown: u64,
    /// Rows that wait or are on their way.
    pub queued: u64,
    /// Requests that a sample did without.
    pub sampled_out: u64,
    /// Panics of resolvers and matchers; a resolver's counts as having found nothing, a matcher's leaves the request in.
    pub panics: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) accepted: AtomicU64,
    pub(super) stored: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) sampled_out: AtomicU64,
    pub(super) panics: AtomicU64,
    /// Whether losses are told to the log as well.
    pub(super) debug: bool,
}

impl Counts {
    pub(super) fn add(counter: &AtomicU64, rows: usize) {
        counter.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> TrafficStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // The ends first: a row counted there was counted as accepted before.
        let (stored, failed, unknown) = (get(&self.stored), get(&self.failed), get(&self.unknown));
        let accepted = get(&self.accepted);
        TrafficStats {
            accepted,
            stored,
            dropped: get(&self.dropped),
            failed,
            unknown,
            queued: accepted.saturating_sub(stored + failed + unknown),
            sampled_out: get(&self.sampled_out),
            panics: get(&self.panics),
        }
    }
}
