//! A commit on its way.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{layer::Shared, sink::Commit, stats::count};

/// The commit of a fail closed exchange, counted once. Dropped, it is handed over all the same: nobody waits for it.
pub(super) struct Committing {
    commit: Commit,
    shared: Arc<Shared>,
    polled: bool,
    counted: bool,
}

impl Committing {
    pub(super) fn new(commit: Commit, shared: Arc<Shared>) -> Self {
        Self { commit, shared, polled: false, counted: false }
    }

    /// Whether the exchange is stored.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        self.polled = true;
        let commit = self.commit.as_mut();
        let polled = catch_unwind(AssertUnwindSafe(|| commit.poll(context)));
        let stored = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(()))) => true,
            Ok(Poll::Ready(Err(error))) => {
                tracing::warn!(%error, "an exchange was not committed");
                false
            }
            Err(_) => {
                count(&self.shared.counters.panics);
                false
            }
        };
        self.count(stored);
        Poll::Ready(stored)
    }

    fn count(&mut self, stored: bool) {
        if !std::mem::replace(&mut self.counted, true) {
            let counters = &self.shared.counters;
            count(if stored { &counters.captured } else { &counters.lost });
        }
    }
}

impl Drop for Committing {
    fn drop(&mut self) {
        if self.counted {
            return;
        }
        let taken = self.polled || !matches!(self.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(false));
        self.count(taken);
    }
}
