//! What the handle and the writers share: the records that wait, the bounds, and the numbers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, TryAcquireError, oneshot, watch},
    time::Instant,
};

use super::{
    Answer, Drained, Refusal, Stats, Totals,
    answer::Unstored,
    item::{Item, Part, Promise},
    state::{Hand, Progress, State},
    stats::Failures,
};
use crate::{
    config::{Settings, WhenFull},
    error::{ClosedError, Error, QueueFullError},
    lifecycle::within,
    metrics::Meters,
    record::Record,
};

pub(super) const WHAT: &str = "the scope";

/// The most bytes in one statement, unless one record alone is larger: PostgreSQL takes no message over 1 GiB.
const LARGEST_BATCH: usize = 16 << 20;

/// What the handle and the writers share.
pub(crate) struct Shared {
    pub(super) settings: Settings,
    state: Mutex<State>,
    pub(super) meters: Meters,
    /// Where the numbers go in the end.
    totals: Totals,
    pub(super) runtime: Handle,
    /// One permit a record, from before it is accepted until it is finished.
    pub(super) slots: Semaphore,
    /// One permit a byte, likewise.
    pub(super) bytes: Semaphore,
    /// Something was pushed, or is to be done at once.
    pub(super) wake: Notify,
    /// A sync emit was pushed; a close. A writer that waits for nothing else must not take a wake from one that would work.
    pub(super) urgent: Notify,
    /// A deadline was pushed that is earlier than all others.
    pub(super) sooner: Notify,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) closing: watch::Sender<Option<Instant>>,
    /// The last attempt failed.
    pub(super) trouble: AtomicBool,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.totals.add(self.stats());
    }
}

/// Room for a record that is not there yet. Dropped, it is given back.
pub(crate) struct Place {
    shared: Arc<Shared>,
    /// `None`: a record has it.
    bytes: Option<u32>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(bytes) = self.bytes {
            self.shared.free(1, bytes as usize);
        }
    }
}

/// What the queue is given with a record: who waits for it, and until when.
pub(crate) struct Waiter {
    pub(crate) sender: oneshot::Sender<Answer>,
    pub(crate) deadline: Instant,
}

impl Shared {
    pub(super) fn new(settings: &Settings, runtime: Handle, totals: Totals) -> Self {
        Self {
            slots: Semaphore::new(settings.queue_capacity),
            bytes: Semaphore::new(settings.queue_bytes),
            meters: Meters::new(&settings.table),
            settings: settings.clone(),
            state: Mutex::new(State::new(settings.writers)),
            totals,
            runtime,
            wake: Notify::new(),
            urgent: Notify::new(),
            sooner: Notify::new(),
            progress: watch::Sender::new(Progress { low: 1, ..Progress::default() }),
            closing: watch::Sender::default(),
            trouble: AtomicBool::new(false),
        }
    }

    /// Accepts the record if there is room now.
    pub(crate) fn try_offer(&self, record: Record, waiter: Option<Waiter>) -> Result<(), Refusal> {
        let weight = self.weigh(&record);
        let permits = self.slots.try_acquire().and_then(|slot| Ok((slot, self.bytes.try_acquire_many(weight)?)));
        match permits {
            Ok((slot, bytes)) => {
                self.push(record, waiter, weight).map_err(Refusal::Closed)?;
                slot.forget();
                bytes.forget();
                Ok(())
            }
            Err(TryAcquireError::Closed) => Err(Refusal::Closed(ClosedError::new(WHAT))),
            Err(TryAcquireError::NoPermits) => Err(Refusal::Full(record, self.full())),
        }
    }

    /// Accepts the record as soon as there is room; a sync emit's only until its deadline. Cancel safe: dropped before it
    /// is ready, nothing was accepted.
    pub(crate) async fn offer(&self, record: Record, waiter: Option<Waiter>) -> Result<(), Error> {
        let weight = self.weigh(&record);
        let closed = |_| ClosedError::new(WHAT);
        let room = async {
            let slot = self.slots.acquire().await.map_err(closed)?;
            Ok::<_, ClosedError>((slot, self.bytes.acquire_many(weight).await.map_err(closed)?))
        };
        let (slot, bytes) = match &waiter {
            None => room.await?,
            Some(waiter) => {
                let left = waiter.deadline.saturating_duration_since(Instant::now());
                within(&self.runtime, left, room).await.map_err(|_| self.full())??
            }
        };
        self.push(record, waiter, weight)?;
        slot.forget();
        bytes.forget();
        Ok(())
    }

    /// Holds room for a record, if there is some now: its place, and so many bytes.
    pub(crate) fn try_hold(self: &Arc<Self>, bytes: usize) -> Result<Place, Error> {
        let bytes = u32::try_from(bytes.min(self.settings.queue_bytes)).unwrap_or(u32::MAX);
        match self.slots.try_acquire().and_then(|slot| Ok((slot, self.bytes.try_acquire_many(bytes)?))) {
            Ok((slot, permits)) => {
                slot.forget();
                permits.forget();
                Ok(Place { shared: Arc::clone(self), bytes: Some(bytes) })
            }
            Err(TryAcquireError::Closed) => Err(ClosedError::new(WHAT).into()),
            Err(TryAcquireError::NoPermits) => Err(self.full().into()),
        }
    }

    /// Accepts the record in a place that was held, with more bytes where it takes more.
    pub(crate) fn offer_in(&self, mut place: Place, record: Record, waiter: Option<Waiter>) -> Result<(), Error> {
        let (weight, held) = (self.weigh(&record), place.bytes.unwrap_or_default());
        match self.bytes.try_acquire_many(weight.saturating_sub(held)) {
            Ok(more) => more.forget(),
            Err(TryAcquireError::Closed) => return Err(ClosedError::new(WHAT).into()),
            Err(TryAcquireError::NoPermits) => return Err(self.full().into()),
        }
        // What is more than held goes back with the place, unless the record gets it.
        place.bytes = Some(held.max(weight));
        self.push(record, waiter, weight)?;
        place.bytes = None;
        self.bytes.add_permits(held.saturating_sub(weight) as usize);
        Ok(())
    }

    pub(crate) fn waits_when_full(&self) -> bool {
        self.settings.when_full != WhenFull::Reject
    }

    /// When a sync emit that begins now is told at the latest.
    pub(crate) fn deadline_of_an_emit(&self) -> Instant {
        Instant::now() + self.settings.emit_timeout
    }

    /// A record heavier than the whole queue passes alone.
    fn weigh(&self, record: &Record) -> u32 {
        u32::try_from(record.weight().min(self.settings.queue_bytes)).unwrap_or(u32::MAX)
    }

    fn push(&self, record: Record, waiter: Option<Waiter>, weight: u32) -> Result<(), ClosedError> {
        let (waiter, deadline) = waiter.map(|waiter| (waiter.sender, waiter.deadline)).unzip();
        let accepted = Instant::now();
        let mut state = self.state();
        if state.closed.is_some() {
            return Err(ClosedError::new(WHAT));
        }
        state.accepted += 1;
        let urgent = waiter.is_some();
        let mut sooner = false;
        if let Some(deadline) = deadline {
            state.urgent_up_to = state.accepted;
            state.waiters += 1;
            sooner = state.earliest.is_none_or(|earliest| deadline < earliest);
            if sooner {
                state.earliest = Some(deadline);
            }
        }
        let number = state.accepted;
        let promise =
            Promise { waiter, deadline, told: false, unknown: false, vouched: false, weight, number, accepted };
        state.waiting.push_back(Item { record, promise });
        let count = state.waiting.len();
        drop(state);
        if urgent || count == 1 || count == self.settings.batch_size {
            self.wake.notify_one();
        }
        if urgent {
            self.urgent.notify_waiters();
        }
        if sooner {
            self.sooner.notify_waiters();
        }
        Ok(())
    }

    /// Takes the next batch into this writer's hand.
    pub(super) fn take_batch(&self, writer: usize) -> Part {
        let mut batch = Part::default();
        let mut bytes = 0;
        let mut state = self.state();
        while batch.len() < self.settings.batch_size {
            let weight = state.waiting.front().map(|item| item.promise.weight as usize);
            let Some(weight) = weight.filter(|weight| bytes == 0 || bytes + weight <= LARGEST_BATCH) else { break };
            let Some(item) = state.pop() else { break };
            bytes += weight;
            batch.push(item);
        }
        if let Some(Promise { number, accepted, .. }) = batch.promises.first() {
            // At once, lest it be taken for finished.
            let hand = Hand { oldest: *number, since: *accepted, in_flight: 0, held: 0 };
            state.hands[writer].get_or_insert(hand);
        }
        let more = !state.waiting.is_empty();
        drop(state);
        if more {
            self.wake.notify_one();
        }
        batch
    }

    /// Whether a whole batch waits.
    pub(super) fn has_a_batch(&self) -> bool {
        self.state().waiting.len() >= self.settings.batch_size
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
        let finished = progress.wait_for(|now| now.low > target || now.ended);
        // The sender lives in `self`: only the time can run out.
        let in_time = within(&self.runtime, self.settings.close_timeout, finished).await.is_ok();
        let now = *self.progress.borrow();
        let left = target.saturating_sub(now.stored + now.failures.total());
        Drained {
            stored: now.stored - before.stored,
            failed: now.failures.total() - before.failures.total(),
            // What came after the call may have overtaken what was there, and count in its place.
            left: if now.low > target && !now.ended { 0 } else { left.max(u64::from(!in_time)) },
            spooled: 0,
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        // In this order: what is finished was accepted before.
        let now = *self.progress.borrow();
        let state = self.state();
        let mut failures = now.failures;
        failures.closed += now.left;
        let hands = || state.hands.iter().flatten();
        Stats {
            // What was taken over is counted by who has it.
            accepted: state.accepted - now.kept,
            stored: now.stored,
            failed: failures.total(),
            failures,
            queued: state.accepted.saturating_sub(now.finished()),
            queued_bytes: self.bytes_taken() as u64,
            in_flight: hands().map(|hand| hand.in_flight as u64).sum(),
            held: hands().map(|hand| hand.held as u64).sum(),
            spooled: 0,
            spooled_bytes: 0,
            retried: now.retried,
            oldest: state.oldest().map(|since| since.elapsed()),
            last_error: state.last_error,
        }
    }

    /// Tells `on_error`.
    pub(crate) fn report(&self, error: &Error, record: &Record) {
        if catch_unwind(AssertUnwindSafe(|| (self.settings.on_error)(error, record))).is_err() {
            tracing::error!(id = %record.id(), "`on_error` panicked");
        }
    }

    /// Tells the sync emit that waits for the record, else `on_error`, exactly once.
    pub(super) fn tell(&self, record: &Record, promise: &mut Promise, error: &Error) {
        if std::mem::replace(&mut promise.told, true) {
            return;
        }
        let error = error.of_record(record.id());
        let unheard = match promise.waiter.take() {
            Some(waiter) => {
                waiter.send(Err(Box::new(Unstored { error: error.clone(), record: record.clone() }))).is_err()
            }
            None => true,
        };
        if unheard {
            self.report(&error, record);
        }
    }

    /// Tells of records that failed, if that was not done yet, and counts them. Whoever reads that all is finished has
    /// heard of every failure by `on_error`; a sync emit that was told finds itself counted, and its place free.
    pub(super) fn fail(&self, items: impl IntoIterator<Item = Item>, error: &Error) {
        let mut failures = Failures::default();
        let mut waited_for = Vec::new();
        let tell = |record: &Record, promise: &mut Promise| {
            let outcome = if promise.unknown { promise.outcome() } else { error.outcome() };
            self.tell(record, promise, &error.clone().with_outcome(outcome));
        };
        for Item { record, mut promise } in items {
            self.free(1, promise.weight as usize);
            failures.count(error);
            if promise.waiter.is_some() {
                waited_for.push((record, promise));
            } else {
                tell(&record, &mut promise);
            }
        }
        if failures != Failures::default() {
            self.progress.send_modify(|progress| progress.failures += failures);
        }
        for (record, mut promise) in waited_for {
            tell(&record, &mut promise);
        }
    }

    /// Tells sync emits that wait in the queue, and takes their records out of it.
    pub(super) fn dismiss(&self, which: impl Fn(&Promise) -> bool, error: &Error) {
        let dismissed = self.state().extract_waiters(|item| which(&item.promise));
        if !dismissed.is_empty() {
            self.fail(dismissed, error);
            self.note_low(&self.state());
        }
    }

    /// Notes a failure.
    pub(super) fn failing(&self, error: &Error) {
        self.state().last_error = error.class();
    }

    /// Gives room back.
    pub(super) fn free(&self, records: usize, bytes: usize) {
        self.slots.add_permits(records);
        self.bytes.add_permits(bytes);
    }

    /// Says what a writer holds now.
    pub(super) fn note(&self, writer: usize, hand: Option<Hand>) {
        let mut state = self.state();
        state.hands[writer] = hand;
        self.note_low(&state);
        drop(state);
        self.measure();
    }

    /// Tells the meters what has changed.
    pub(super) fn measure(&self) {
        self.meters.update(|| self.stats().into());
    }

    pub(super) fn note_low(&self, state: &State) {
        let low = state.low();
        self.progress.send_if_modified(|progress| {
            let higher = progress.low < low;
            progress.low = progress.low.max(low);
            higher
        });
    }

    fn bytes_taken(&self) -> usize {
        self.settings.queue_bytes - self.bytes.available_permits().min(self.settings.queue_bytes)
    }

    fn full(&self) -> QueueFullError {
        QueueFullError {
            records: self.settings.queue_capacity - self.slots.available_permits().min(self.settings.queue_capacity),
            bytes: self.bytes_taken(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::MOST_ROOM_KEPT;
    use super::*;
    use crate::{config::Config, event::Event, queue::Queue, store::fake::Fake};

    #[tokio::test]
    async fn what_a_burst_took_is_given_back() {
        let settings = Config::default().resolve().unwrap().root;
        let store = Fake::store(|_| Ok(Vec::new()));
        let queue = Queue::start(&settings, &store, &Handle::current(), Totals::default());
        let record = Record::of(&Event::new("burst"), None, &settings).unwrap();
        for _ in 0..settings.queue_capacity {
            assert!(queue.try_offer(record.clone(), None).is_ok());
        }
        assert!(queue.state().waiting.capacity() >= settings.queue_capacity);
        assert_eq!(queue.flush().await.stored, settings.queue_capacity as u64);
        assert!(queue.state().waiting.capacity() <= MOST_ROOM_KEPT);
    }

    /// A close may come between the permits and the push: then nothing is accepted, and the permits go back.
    #[tokio::test]
    async fn a_record_that_meets_the_close_on_its_way_is_not_accepted() {
        let settings = Config::default().resolve().unwrap().root;
        let queue = Queue::start(&settings, &Fake::silent(), &Handle::current(), Totals::default());
        queue.state().closed = Some(Progress::default());
        let record = Record::of(&Event::new("late"), None, &settings).unwrap();
        assert!(matches!(queue.try_offer(record.clone(), None), Err(Refusal::Closed(_))));
        assert!(queue.offer(record, None).await.unwrap_err().is_closed());
        assert_eq!(queue.stats(), Stats::default());
    }
}
