//! A commit on its way.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll, Waker},
};

use tokio::runtime::Handle;

use super::{
    sink::Commit,
    stats::{Counters, Running, count},
};

/// The commit of an exchange whose head waits for it, counted once. Dropped, it goes on: a client may be gone.
pub(super) struct Committing {
    /// None: it is through, and has ended.
    commit: Option<(Commit, Running)>,
    /// The answer goes out whatever becomes of it.
    answer_stands: bool,
}

impl Committing {
    pub(super) fn new(commit: Commit, answer_stands: bool, running: Running) -> Self {
        Self { commit: Some((commit, running)), answer_stands }
    }

    /// It failed before it began, and is counted.
    pub(super) fn failed(answer_stands: bool) -> Self {
        Self { commit: None, answer_stands }
    }

    /// Whether the answer may go out.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let Some((commit, running)) = &mut self.commit else { return Poll::Ready(self.answer_stands) };
        let polled = poll(commit, running.counters(), context);
        if polled.is_ready() {
            self.commit = None;
        }
        polled.map(|stored| stored || self.answer_stands)
    }
}

fn poll(commit: &mut Commit, counters: &Counters, context: &mut Context<'_>) -> Poll<bool> {
    let stored = match catch_unwind(AssertUnwindSafe(|| commit.as_mut().poll(context))) {
        Ok(Poll::Pending) => return Poll::Pending,
        Ok(Poll::Ready(Ok(()))) => true,
        Ok(Poll::Ready(Err(error))) => {
            tracing::warn!(%error, "an exchange was not committed");
            false
        }
        Err(_) => {
            count(&counters.panics);
            false
        }
    };
    count(if stored { &counters.captured } else { &counters.lost });
    Poll::Ready(stored)
}

impl Drop for Committing {
    fn drop(&mut self) {
        // At once, so that order is kept, and it works where there is no runtime.
        if self.poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        let Some((mut commit, running)) = self.commit.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return count(&running.counters().lost) };
        runtime.spawn(async move { poll_fn(|context| poll(&mut commit, running.counters(), context)).await });
    }
}
