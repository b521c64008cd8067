//! How many exchanges there were, and what became of them.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
};

use tokio::sync::Notify;

/// The numbers of a [`CaptureLayer`](super::CaptureLayer) since it was made. Every request is one of `running`,
/// `captured`, `lost`, `busy` and `skipped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CaptureStats {
    /// Exchanges that have not ended yet: see [`CaptureLayer::idle`](super::CaptureLayer::idle).
    pub running: u64,
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
    running: AtomicU64,
    /// Told when `running` comes to nothing.
    none_runs: Notify,
    pub(super) captured: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) busy: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) panics: AtomicU64,
}

impl Counters {
    pub(super) fn get(&self) -> CaptureStats {
        let Self { running, none_runs: _, captured, lost, busy, skipped, panics } = self;
        CaptureStats {
            running: running.load(Relaxed),
            captured: captured.load(Relaxed),
            lost: lost.load(Relaxed),
            busy: busy.load(Relaxed),
            skipped: skipped.load(Relaxed),
            panics: panics.load(Relaxed),
        }
    }

    /// Waits until no exchange runs. What those that ran have counted is then to be seen.
    pub(super) async fn idle(&self) {
        loop {
            let mut told = pin!(self.none_runs.notified());
            // Before the look: what ends after it is heard.
            told.as_mut().enable();
            if self.running.load(Acquire) == 0 {
                return;
            }
            told.await;
        }
    }
}

/// An exchange that runs, until this is dropped: after it was counted as what it became.
pub(super) struct Running(Arc<Counters>);

impl Running {
    pub(super) fn new(counters: &Arc<Counters>) -> Self {
        counters.running.fetch_add(1, Relaxed);
        Self(Arc::clone(counters))
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, AcqRel) == 1 {
            self.0.none_runs.notify_waiters();
        }
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
