//! The lines on their way: many at once, so that they share commits, and no more than memory should hold.
//!
//! Order is kept by one rule: no event is offered while an earlier one may still wait for room in the queue.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::sync::Notify;
use tracevault::{Config, Durability, Emit, Error, Receipt, Tracevault, uuid::Uuid};

use super::{line, lines::Line, report::Report};

/// The bytes on their way at which no more are taken.
const MOST_BYTES: usize = 64 << 20;
/// What the largest record may take, so that one more always fits.
const LARGEST: usize = 4 << 20;

/// The async failures that were not looked at yet.
#[derive(Default)]
pub(crate) struct Failures {
    list: Mutex<Vec<(Uuid, Error)>>,
    came: Notify,
}

impl Failures {
    /// Waits for the next one. Cancel safe.
    pub(crate) async fn came(&self) {
        self.came.notified().await;
    }

    fn take(&self) -> Vec<(Uuid, Error)> {
        std::mem::take(&mut *self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(crate) struct Window {
    audit: Tracevault,
    most: u64,
    /// Lines whose emit is not ready, in order.
    waiting: VecDeque<(u64, Emit)>,
    /// The last of these may not be in the queue yet.
    blocked: bool,
    /// Lines that are queued in async mode, in order.
    queued: VecDeque<Queued>,
    failures: Arc<Failures>,
    pub(crate) report: Report,
}

struct Queued {
    line: u64,
    id: Uuid,
    /// How many records the queue had accepted with it. The queue is first in, first out: so many are finished, it is.
    place: u64,
}

/// The configuration with a queue that a window can fill without ever being refused, and where async failures go.
pub(crate) fn configured(config: Config, batch_size: usize) -> (Config, Arc<Failures>) {
    let failures = Arc::new(Failures::default());
    let heard = Arc::clone(&failures);
    let config = config
        .async_batch_size(batch_size)
        // A size beyond what any batch may have is refused by its own name, not by this one's.
        .queue_capacity(most(batch_size).min(1 << 20))
        .queue_bytes(MOST_BYTES + LARGEST)
        // Async lines are tried once, so that they finish in their order, by which they are counted.
        .retry_for(Duration::ZERO)
        .on_error(move |error, record| {
            let mut list = heard.list.lock().unwrap_or_else(PoisonError::into_inner);
            list.push((record.id(), error.clone()));
            heard.came.notify_one();
        });
    (config, failures)
}

/// A few batches: one is being stored while the next fills.
fn most(batch_size: usize) -> usize {
    batch_size.saturating_mul(4).max(2_048)
}

impl Window {
    pub(crate) fn new(audit: Tracevault, batch_size: usize, failures: Arc<Failures>) -> Self {
        Self {
            audit,
            most: most(batch_size) as u64,
            waiting: VecDeque::new(),
            blocked: false,
            queued: VecDeque::new(),
            failures,
            report: Report::new(),
        }
    }

    /// Whether nobody's answer is awaited.
    pub(crate) fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn can_take(&self) -> bool {
        // With nothing to wait for, a line may be taken even without room: then its own emit waits.
        self.waiting.is_empty() || (!self.blocked && self.has_room())
    }

    fn has_room(&self) -> bool {
        let stats = self.audit.stats();
        stats.queued < self.most && stats.queued_bytes < MOST_BYTES as u64
    }

    /// Emits a line.
    pub(crate) fn take(&mut self, line: Line) {
        let Line { number, text } = line;
        let emit = text.map_err(ToOwned::to_owned).and_then(|text| line::emit(&self.audit, &text));
        let mut emit = match emit {
            Ok(emit) => emit,
            Err(reason) => return self.report.refuse(number, &reason),
        };
        let room = self.has_room();
        // The first poll puts the event into the queue; whoever awaits it later is woken.
        match Pin::new(&mut emit).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => self.settled(number, result),
            Poll::Pending => {
                self.waiting.push_back((number, emit));
                self.blocked = !room;
            }
        }
    }

    /// Waits for the first line that is on its way. Cancel safe.
    pub(crate) async fn settle(&mut self) {
        let Some((line, emit)) = self.waiting.front_mut() else { return };
        let (line, result) = (*line, emit.await);
        self.waiting.pop_front();
        self.blocked &= !self.waiting.is_empty();
        self.settled(line, result);
    }

    fn settled(&mut self, line: u64, result: Result<Receipt, Error>) {
        match result {
            Ok(receipt) if receipt.durability == Durability::Queued => {
                self.queued.push_back(Queued { line, id: receipt.id, place: self.audit.stats().accepted });
            }
            Ok(receipt) if receipt.duplicate => self.report.duplicates += 1,
            Ok(_) => self.report.stored += 1,
            Err(Error::Validation(error)) => self.report.refuse(line, &error.to_string()),
            Err(error) => self.report.fail(line, &error),
        }
    }

    /// Learns what became of the lines that were queued in async mode.
    pub(crate) fn hear(&mut self) {
        // In this order: a failure is reported before it counts as finished.
        let stats = self.audit.stats();
        let finished = stats.stored + stats.failed;
        for (id, error) in self.failures.take() {
            if let Some(at) = self.queued.iter().position(|queued| queued.id == id)
                && let Some(queued) = self.queued.remove(at)
            {
                self.report.fail(queued.line, &error);
            }
        }
        while self.queued.front().is_some_and(|queued| queued.place <= finished) {
            self.queued.pop_front();
            self.report.stored += 1;
        }
    }

    /// Waits until everything is stored or failed, however long the database takes, as long as it does something.
    pub(crate) async fn drain(&mut self) {
        while !self.is_settled() && !self.report.lost {
            self.settle().await;
            self.report.progress();
        }
        while !self.report.lost {
            let Ok(drained) = self.audit.flush().await else { return };
            self.hear();
            self.report.progress();
            if drained.left == 0 || drained.stored + drained.failed == 0 {
                return;
            }
        }
    }

    /// Closes the audit, which answers everyone in bounded time.
    pub(crate) async fn close(&mut self) {
        // It never fails: what was not finished is reported.
        let _ = self.audit.close().await;
        while !self.is_settled() {
            self.settle().await;
        }
        self.hear();
    }

    /// Waits no longer.
    pub(crate) fn abandon(&mut self) {
        self.hear();
        for (line, _) in self.waiting.drain(..) {
            self.report.abandon(line, None);
        }
        for queued in self.queued.drain(..) {
            self.report.abandon(queued.line, Some(queued.id));
        }
    }
}
