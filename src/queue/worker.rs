//! The writer: takes a batch, stores it, answers whoever waits, and ends when the queue is closed and empty.

use std::{ops::Range, pin::pin, sync::Arc};

use tokio::sync::oneshot;

use super::{
    answer::{Answer, Unstored},
    shared::{Item, Progress, Shared, WHAT},
};
use crate::{
    error::{ClosedError, Error, Outcome},
    record::Record,
    store::Store,
    table::TableName,
};

/// The most bytes in one statement, unless one record alone is larger: PostgreSQL takes no message over 1 GiB.
const LARGEST_BATCH: usize = 16 << 20;

/// What the writer has in hand. Dropped with records in it, or while others wait, it reports each of them: so every
/// accepted record is stored or reported, whether the writer ends by itself, gives up, panics, or dies with its runtime.
pub(super) struct Shift {
    shared: Arc<Shared>,
    /// The batch, the first `finished` of which are done with.
    records: Vec<Record>,
    waiters: Vec<Option<oneshot::Sender<Answer>>>,
    finished: usize,
    weights: Vec<u32>,
    /// The batch was given to the store, whose answer is not there.
    in_flight: bool,
}

pub(super) async fn run(mut shift: Shift, store: Arc<dyn Store>, table: TableName) {
    let shared = Arc::clone(&shift.shared);
    let mut deadline = pin!(shared.deadline());
    loop {
        let work = async {
            if !shift.take().await {
                return false;
            }
            shift.store(&*store, &table).await;
            true
        };
        let more = tokio::select! {
            biased;
            more = work => more,
            () = &mut deadline => false,
        };
        if !more {
            return;
        }
    }
}

impl Shift {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, records: Vec::new(), waiters: Vec::new(), finished: 0, weights: Vec::new(), in_flight: false }
    }

    /// Takes the next batch. `false`: the queue is closed and empty.
    async fn take(&mut self) -> bool {
        loop {
            let wake = self.shared.wake.notified();
            {
                let state = self.shared.state();
                if !state.waiting.is_empty() {
                    break;
                }
                if state.closed.is_some() {
                    return false;
                }
            }
            wake.await;
        }
        self.wait_for_company().await;
        let mut state = self.shared.state();
        let mut bytes = 0;
        while self.records.len() < self.shared.settings.batch_size {
            let fits = |item: &Item| bytes == 0 || bytes + item.weight as usize <= LARGEST_BATCH;
            if !state.waiting.front().is_some_and(fits) {
                break;
            }
            let Some(item) = state.waiting.pop_front() else { break };
            bytes += item.weight as usize;
            self.weights.push(item.weight);
            self.records.push(item.record);
            self.waiters.push(item.waiter);
        }
        true
    }

    /// Lets a batch fill, for at most the flush interval, while nobody waits for it.
    async fn wait_for_company(&self) {
        let interval = self.shared.settings.flush_interval;
        if interval.is_zero() {
            return;
        }
        let filled = async {
            loop {
                let wake = self.shared.wake.notified();
                {
                    let state = self.shared.state();
                    let first = state.accepted - state.waiting.len() as u64;
                    let full = state.waiting.len() >= self.shared.settings.batch_size;
                    if full || state.closed.is_some() || state.urgent_up_to > first {
                        return;
                    }
                }
                wake.await;
            }
        };
        // Either way the batch is taken.
        let _ = tokio::time::timeout(interval, filled).await;
    }

    /// Stores the batch. One that is refused for some record's sake is halved until that record stands alone, so that
    /// it takes no other with it.
    async fn store(&mut self, store: &dyn Store, table: &TableName) {
        self.in_flight = true;
        let mut parts = Vec::new();
        parts.push(0..self.records.len());
        while let Some(part) = parts.pop() {
            match store.write(table, &self.records[part.clone()]).await {
                Err(error) if part.len() > 1 && self.others_may_pass(&part, &error) => {
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
                answer => self.answer(part, answer),
            }
        }
        self.in_flight = false;
        self.finished = 0;
        self.waiters.clear();
        self.weights.clear();
        self.records.clear();
    }

    /// Whether a part of what failed may be stored without the rest: where one record is to blame, or where ids chosen
    /// by callers ask for a right (to read ids) that the others do without.
    fn others_may_pass(&self, part: &Range<usize>, error: &Error) -> bool {
        let records = &self.records[part.clone()];
        let own_ids = records.iter().filter(|record| record.own_id()).count();
        error.is_record_refused()
            || (matches!(error.sqlstate(), Some("42501" | "42P10")) && (1..records.len()).contains(&own_ids))
    }

    /// Tells everyone what became of a part; parts come in order.
    fn answer(&mut self, part: Range<usize>, answer: Result<Vec<usize>, Error>) {
        let count = part.len() as u64;
        self.finished = part.end;
        // Before the waiters are told, so that whoever was told finds his own place free.
        self.shared.slots.add_permits(part.len());
        self.shared.bytes.add_permits(self.weights[part.clone()].iter().map(|weight| *weight as usize).sum());
        match answer {
            Ok(duplicates) => {
                // Before the waiters are told, so that whoever was told sees himself counted.
                self.shared.progress.send_modify(|progress| progress.stored += count);
                let mut duplicates = duplicates.into_iter().peekable();
                for (index, waiter) in self.waiters[part].iter_mut().enumerate() {
                    let duplicate = duplicates.next_if_eq(&index).is_some();
                    if let Some(waiter) = waiter.take() {
                        // Whoever no longer waits does not want to know.
                        let _ = waiter.send(Ok(duplicate));
                    }
                }
            }
            Err(error) => {
                for index in part {
                    report(&self.shared, &self.records[index], self.waiters[index].take(), |id| error.of_record(id));
                }
                self.shared.progress.send_modify(|progress| progress.failed += count);
            }
        }
    }
}

impl Drop for Shift {
    fn drop(&mut self) {
        self.shared.begin_close();
        let waiting = std::mem::take(&mut self.shared.state().waiting);
        let outcome = if self.in_flight { Outcome::Unknown } else { Outcome::Rejected };
        let weights = self.weights.drain(..).skip(self.finished).chain(waiting.iter().map(|item| item.weight));
        self.shared.bytes.add_permits(weights.map(|weight| weight as usize).sum());
        let taken = self.records.drain(..).zip(self.waiters.drain(..)).skip(self.finished);
        let mut left = 0;
        for (record, waiter, outcome) in taken
            .map(|(record, waiter)| (record, waiter, outcome))
            .chain(waiting.into_iter().map(|item| (item.record, item.waiter, Outcome::Rejected)))
        {
            left += 1;
            report(&self.shared, &record, waiter, |id| ClosedError::in_flight(WHAT, outcome, id).into());
        }
        if left > 0 {
            tracing::error!(
                records = left,
                "a scope's writer ended before these accepted audit events were stored; each was reported"
            );
        }
        self.shared.progress.send_modify(|progress: &mut Progress| {
            progress.left += left;
            progress.ended = true;
        });
    }
}

/// Tells the sync emit that waits for the record, else `on_error`, exactly once.
fn report(
    shared: &Shared,
    record: &Record,
    waiter: Option<oneshot::Sender<Answer>>,
    error: impl Fn(uuid::Uuid) -> Error,
) {
    let error = error(record.id());
    let unheard = match waiter {
        Some(waiter) => waiter.send(Err(Box::new(Unstored { error: error.clone(), record: record.clone() }))).is_err(),
        None => true,
    };
    if unheard {
        shared.report(&error, record);
    }
}
