//! How many exchanges there were, and what became of them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The numbers of a [`CaptureLayer`](super::CaptureLayer) since it was made. Every exchange that ended is one of
/// `captured`, `lost`, `busy` and `skipped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CaptureStats {
    /// Exchanges that the sink took.
    pub captured: u64,
    /// Exchanges that the sink could not take: its queue was full, it was closed, the event was refused, or the commit
    /// of a fail closed exchange failed.
    pub lost: u64,
    /// Requests that were answered with 503 before their handler ran, as the sink had no room.
    pub busy: u64,
    /// Exchanges that were not to be captured: by path, by matcher, or because a handler said so.
    pub skipped: u64,
    /// Panics inside of resolvers and matchers, which count as having found nothing, and inside of the sink.
    pub panics: u64,
}

/// The same, as it is counted.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) captured: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) busy: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) panics: AtomicU64,
}

impl Counters {
    pub(super) fn get(&self) -> CaptureStats {
        let Self { captured, lost, busy, skipped, panics } = self;
        CaptureStats {
            captured: captured.load(Relaxed),
            lost: lost.load(Relaxed),
            busy: busy.load(Relaxed),
            skipped: skipped.load(Relaxed),
            panics: panics.load(Relaxed),
        }
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
