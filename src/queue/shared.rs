//! What the handle and the writer share: the records that wait, the bounds, and the numbers.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, TryAcquireError, oneshot, watch},
    time::Instant,
};

use super::{Answer, Drained, Refusal, Stats, Totals};
use crate::{
    config::{Settings, WhenFull},
    error::{ClosedError, Error, QueueFullError},
    lifecycle::within,
    record::Record,
};

pub(super) const WHAT: &str = "the scope";

/// How much later than the writer itself a close gives up.
const GRACE: Duration = Duration::from_secs(1);

/// What the handle and the writer share.
pub(crate) struct Shared {
    pub(super) settings: Settings,
    pub(super) state: Mutex<State>,
    /// Where the numbers go in the end.
    pub(super) totals: Totals,
    pub(super) runtime: Handle,
    /// One permit a record, from before it is accepted until it is finished.
    pub(super) slots: Semaphore,
    /// One permit a byte, likewise.
    pub(super) bytes: Semaphore,
    /// Something was pushed, or is to be done at once.
    pub(super) wake: Notify,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) closing: watch::Sender<Option<Instant>>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) waiting: VecDeque<Item>,
    pub(super) accepted: u64,
    /// A batch is to be taken up to here without waiting for company: what is pushed up to there is waited for.
    pub(super) urgent_up_to: u64,
    pub(super) closed: Option<Progress>,
}

/// What became of the accepted records.
#[derive(Clone, Copy, Default)]
pub(super) struct Progress {
    pub(super) stored: u64,
    pub(super) failed: u64,
    /// Reported because the writer ended; among `failed` in the statistics.
    pub(super) left: u64,
    pub(super) ended: bool,
}

impl Progress {
    pub(super) fn finished(self) -> u64 {
        self.stored + self.failed + self.left
    }
}

/// An accepted record.
pub(super) struct Item {
    pub(super) record: Record,
    /// The sync emit that waits for it.
    pub(super) waiter: Option<oneshot::Sender<Answer>>,
    pub(super) weight: u32,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.totals.add(self.stats());
    }
}

impl Shared {
    pub(super) fn new(settings: &Settings, runtime: Handle, totals: Totals) -> Self {
        Self {
            slots: Semaphore::new(settings.queue_capacity),
            bytes: Semaphore::new(settings.queue_bytes),
            settings: settings.clone(),
            state: Mutex::default(),
            totals,
            runtime,
            wake: Notify::new(),
            progress: watch::Sender::default(),
            closing: watch::Sender::default(),
        }
    }

    /// Accepts the record if there is room now.
    pub(crate) fn try_offer(&self, record: Record, waiter: Option<oneshot::Sender<Answer>>) -> Result<(), Refusal> {
        let weight = self.weigh(&record);
        let permits = self.slots.try_acquire().and_then(|slot| Ok((slot, self.bytes.try_acquire_many(weight)?)));
        match permits {
            Ok((slot, bytes)) => {
                self.push(Item { record, waiter, weight }).map_err(Refusal::Closed)?;
                slot.forget();
                bytes.forget();
                Ok(())
            }
            Err(TryAcquireError::Closed) => Err(Refusal::Closed(ClosedError::new(WHAT))),
            Err(TryAcquireError::NoPermits) => Err(Refusal::Full(record, self.full())),
        }
    }

    /// Accepts the record as soon as there is room. Cancel safe: dropped before it is ready, nothing was accepted.
    pub(crate) async fn offer(&self, record: Record, waiter: Option<oneshot::Sender<Answer>>) -> Result<(), Error> {
        let weight = self.weigh(&record);
        let closed = || ClosedError::new(WHAT);
        let slot = self.slots.acquire().await.map_err(|_| closed())?;
        let bytes = self.bytes.acquire_many(weight).await.map_err(|_| closed())?;
        self.push(Item { record, waiter, weight })?;
        slot.forget();
        bytes.forget();
        Ok(())
    }

    pub(crate) fn waits_when_full(&self) -> bool {
        self.settings.when_full == WhenFull::Wait
    }

    /// A record heavier than the whole queue passes alone.
    fn weigh(&self, record: &Record) -> u32 {
        u32::try_from(record.weight().min(self.settings.queue_bytes)).unwrap_or(u32::MAX)
    }

    fn push(&self, item: Item) -> Result<(), ClosedError> {
        let mut state = self.state();
        if state.closed.is_some() {
            return Err(ClosedError::new(WHAT));
        }
        state.accepted += 1;
        let urgent = item.waiter.is_some();
        if urgent {
            state.urgent_up_to = state.accepted;
        }
        state.waiting.push_back(item);
        let count = state.waiting.len();
        drop(state);
        if urgent || count == 1 || count == self.settings.batch_size {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Waits until all that is accepted by now is finished, for at most `close_timeout`.
    pub(crate) async fn flush(&self) -> Drained {
        let mut progress = self.progress.subscribe();
        let (target, before) = {
            let mut state = self.state();
            state.urgent_up_to = state.accepted;
            (state.accepted, *progress.borrow())
        };
        self.wake.notify_one();
        let finished = progress.wait_for(|now| now.finished() >= target || now.ended);
        // The sender lives in `self`: only the time can run out.
        let _ = within(&self.runtime, self.settings.close_timeout, finished).await;
        let now = *self.progress.borrow();
        Drained {
            stored: now.stored - before.stored,
            failed: now.failed - before.failed,
            left: target.saturating_sub(now.stored + now.failed),
        }
    }

    /// Refuses new records from now on, and tells the writer to finish.
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
        self.wake.notify_one();
    }

    /// Waits until the writer has ended, which it does within `close_timeout` of [`begin_close`](Self::begin_close).
    pub(crate) async fn ended(&self) -> Drained {
        let mut progress = self.progress.subscribe();
        // The sender lives in `self`, so that this ends only by the writer's end.
        // The writer keeps the deadline itself, unless its runtime does not run.
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
            failed: now.failed - before.failed,
            left: accepted - now.stored - now.failed,
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        // In this order: what is finished was accepted before.
        let now = *self.progress.borrow();
        let accepted = self.state().accepted;
        Stats {
            accepted,
            stored: now.stored,
            failed: now.failed + now.left,
            queued: accepted.saturating_sub(now.finished()),
            queued_bytes: (self.settings.queue_bytes - self.bytes.available_permits().min(self.settings.queue_bytes))
                as u64,
        }
    }

    /// The time at which the writer gives up: `close_timeout` after the close began.
    pub(super) async fn deadline(&self) {
        let mut closing = self.closing.subscribe();
        let began = match closing.wait_for(Option::is_some).await {
            Ok(began) => began.unwrap_or_else(Instant::now),
            // The sender lives in `self`.
            Err(_) => return,
        };
        tokio::time::sleep_until(began + self.settings.close_timeout).await;
    }

    /// Tells `on_error`.
    pub(crate) fn report(&self, error: &Error, record: &Record) {
        if catch_unwind(AssertUnwindSafe(|| (self.settings.on_error)(error, record))).is_err() {
            tracing::error!(id = %record.id(), "`on_error` panicked");
        }
    }

    fn full(&self) -> QueueFullError {
        QueueFullError {
            records: self.settings.queue_capacity - self.slots.available_permits().min(self.settings.queue_capacity),
            bytes: self.settings.queue_bytes - self.bytes.available_permits().min(self.settings.queue_bytes),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        config::Config,
        event::Event,
        queue::Queue,
        store::{BoxFuture, Store},
        table::TableName,
    };

    struct Nowhere;

    impl Store for Nowhere {
        fn write<'s>(&'s self, _: &'s TableName, _: &'s [Record]) -> BoxFuture<'s, Result<Vec<usize>, Error>> {
            Box::pin(std::future::pending())
        }

        fn answers(&self) -> BoxFuture<'_, bool> {
            Box::pin(std::future::ready(false))
        }
    }

    /// A close may come between the permits and the push: then nothing is accepted, and the permits go back.
    #[tokio::test]
    async fn a_record_that_meets_the_close_on_its_way_is_not_accepted() {
        let settings = Config::default().resolve().unwrap().root;
        let queue = Queue::start(&settings, Arc::new(Nowhere), &Handle::current(), Totals::default());
        queue.state().closed = Some(Progress::default());
        let record = Record::of(&Event::new("late"), None, &settings).unwrap();
        assert!(matches!(queue.try_offer(record.clone(), None), Err(Refusal::Closed(_))));
        assert!(queue.offer(record, None).await.unwrap_err().is_closed());
        assert_eq!(queue.stats(), Stats::default());
    }
}
