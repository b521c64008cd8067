//! The end of a queue: how it is asked for, when it comes, and what is left then.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{Drained, item::Item, shared::Shared, state::Progress};
use crate::{config::Leftovers, error::Error, lifecycle::within, record::Record};

/// How much later than the writers themselves a close gives up.
const GRACE: Duration = Duration::from_secs(1);

impl Shared {
    /// Refuses new records from now on, and tells the writers to finish.
    pub(crate) fn begin_close(&self) {
        let mut state = self.state();
        if state.closed.is_some() {
            return;
        }
        state.closed = Some(*self.progress.borrow());
        drop(state);
        self.slots.close();
        self.bytes.close();
        self.closing.send_replace(Some(Instant::now()));
        self.urgent.notify_waiters();
        self.wake.notify_waiters();
        self.wake.notify_one();
    }

    /// Ends the writers now: what they hold is reported as `Closed`.
    pub(crate) fn end_now(&self) {
        self.begin_close();
        let over = Instant::now().checked_sub(self.settings.close_timeout);
        self.closing.send_replace(Some(over.unwrap_or_else(Instant::now)));
    }

    /// Of all records that were accepted, how many are finished without a gap before them. Those count too that a writer
    /// gave up when it ended.
    pub(crate) fn finished(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Whether the last attempt to store anything failed.
    pub(crate) fn is_in_trouble(&self) -> bool {
        self.trouble.load(Ordering::Relaxed)
    }

    /// Waits until the writers have ended, which they do within `close_timeout` of [`begin_close`](Self::begin_close).
    pub(crate) async fn ended(&self) -> Drained {
        let mut progress = self.progress.subscribe();
        // The sender lives in `self`, so that this ends only by the writers' end.
        // The writers keep the deadline themselves, unless their runtime does not run.
        // Counted from the close, since a root waits for its queues one after the other.
        let began = self.closing.borrow().unwrap_or_else(Instant::now);
        let left = (began + self.settings.close_timeout + GRACE).saturating_duration_since(Instant::now());
        let _ = within(&self.runtime, left, progress.wait_for(|now| now.ended)).await;
        let (before, accepted) = {
            let state = self.state();
            (state.closed.unwrap_or_default(), state.accepted)
        };
        let now = *self.progress.borrow();
        Drained {
            stored: now.stored - before.stored,
            failed: now.failures.total() - before.failures.total(),
            left: accepted - now.stored - now.failures.total() - now.kept,
            spooled: now.kept,
        }
    }

    /// The time at which the writers give up: `close_timeout` after the close began.
    pub(super) async fn deadline(&self) {
        let mut closing = self.closing.subscribe();
        loop {
            let began = *closing.borrow_and_update();
            let over = async {
                match began {
                    Some(began) => tokio::time::sleep_until(began + self.settings.close_timeout).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => return,
                // It may be brought forward. The sender lives in `self`.
                _ = closing.changed() => {}
            }
        }
    }

    /// Gives a record to who takes leftovers.
    pub(super) fn hand_over(&self, leftovers: &Leftovers, record: &Record) {
        // It may call `on_error`.
        if catch_unwind(AssertUnwindSafe(|| leftovers(record))).is_err() {
            tracing::error!(table = %self.settings.table, id = %record.id(), "what takes leftovers panicked");
        }
    }

    /// Ends with records that are not to blame: gives those to who takes leftovers, and tells of the rest.
    pub(super) fn leave(&self, items: impl IntoIterator<Item = Item>, error: &Error) {
        let Some(leftovers) = &self.settings.leftovers else { return self.fail(items, error) };
        let (told, left): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.promise.deadline.is_some());
        self.fail(told, error);
        for Item { record, promise } in &left {
            self.free(1, promise.weight as usize);
            self.hand_over(leftovers, record);
        }
        self.progress.send_if_modified(|progress| {
            progress.kept += left.len() as u64;
            !left.is_empty()
        });
    }
}
