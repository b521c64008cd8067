//! Rows on their way to the table: a queue that never makes a request wait, and the task at its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{
    insert::{Failure, insert},
    names::Names,
    read::LiveRow,
    row::TrafficRow,
    stats::Counts,
    viewers::Stored,
};
use crate::{
    error::{Error, ErrorClass},
    pool::Connections,
};

/// What waits.
pub(super) enum Item {
    Row(Box<TrafficRow>),
    /// To be answered once everything before it is done with.
    Flush(oneshot::Sender<()>),
}

/// The near end of the queue.
pub(super) struct Writer {
    sender: mpsc::Sender<Item>,
    /// Whether the last row was dropped.
    full: AtomicBool,
    pub(super) counts: Arc<Counts>,
}

impl Writer {
    pub(super) fn new(capacity: usize, debug: bool) -> (Self, mpsc::Receiver<Item>) {
        let (sender, receiver) = mpsc::channel(capacity);
        let counts = Arc::new(Counts { debug, ..Counts::default() });
        (Self { sender, full: AtomicBool::new(false), counts }, receiver)
    }

    /// Whether there was room.
    pub(super) fn offer(&self, row: TrafficRow) -> bool {
        // Counted first, so that it is never stored before it was accepted.
        Counts::add(&self.counts.accepted, 1);
        if self.sender.try_send(Item::Row(Box::new(row))).is_ok() {
            if self.full.load(Ordering::Relaxed) {
                self.full.store(false, Ordering::Relaxed);
            }
            return true;
        }
        self.counts.accepted.fetch_sub(1, Ordering::Relaxed);
        Counts::add(&self.counts.dropped, 1);
        // Once, not for each request of a flood.
        if !self.full.swap(true, Ordering::Relaxed) && self.counts.debug {
            tracing::warn!("the queue is full: requests are not stored");
        }
        false
    }

    /// Waits until what was offered before is stored or given up.
    pub(super) async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.sender.send(Item::Flush(done)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

/// What the far end needs.
pub(super) struct Store {
    pub(super) connections: Connections,
    pub(super) names: Names,
    pub(super) counts: Arc<Counts>,
    pub(super) live: broadcast::Sender<Arc<[LiveRow]>>,
    pub(super) told: watch::Sender<Stored>,
    pub(super) linger: Duration,
}

/// The most rows of one statement.
const BATCH: usize = 1_000;
/// Tries, and the first pause between them, which doubles: about three seconds in all.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(100);

impl Store {
    /// Ends when every near end is gone and the queue is empty.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Item>) {
        let mut items = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut items, BATCH).await > 0 {
            self.gather(&mut items, &mut queue).await;
            let (mut rows, mut waiting) = (Vec::new(), Vec::new());
            for item in items.drain(..) {
                match item {
                    Item::Row(row) => rows.push(*row),
                    Item::Flush(done) => waiting.push(done),
                }
            }
            self.store(&rows).await;
            for done in waiting {
                let _ = done.send(());
            }
        }
    }

    /// Waits a little for more: few large statements cost less than many small ones. Whoever flushes does not wait.
    async fn gather(&self, items: &mut Vec<Item>, queue: &mut mpsc::Receiver<Item>) {
        let end = tokio::time::Instant::now() + self.linger;
        while items.len() < BATCH && matches!(items.last(), Some(Item::Row(_))) {
            match tokio::time::timeout_at(end, queue.recv()).await {
                Ok(Some(item)) => items.push(item),
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Stores what can be stored. A refused batch is halved until the row that is refused stands alone.
    async fn store(&self, rows: &[TrafficRow]) {
        let mut parts = vec![rows];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.try_often(part).await {
                Ok(live) => {
                    Counts::add(&self.counts.stored, part.len());
                    self.told.send_modify(|told| told.add(live.iter().map(|row| row.id)));
                    if self.live.receiver_count() > 0 {
                        let _ = self.live.send(live.into());
                    }
                }
                Err(Failure { unanswered: true, error }) => {
                    Counts::add(&self.counts.unknown, part.len());
                    if self.counts.debug {
                        tracing::warn!(rows = part.len(), %error, "requests may or may not be stored");
                    }
                }
                Err(Failure { error, .. }) if error.is_record_refused() && part.len() > 1 => {
                    let (one, other) = part.split_at(part.len() / 2);
                    parts.extend([other, one]);
                }
                Err(Failure { error, .. }) => {
                    Counts::add(&self.counts.failed, part.len());
                    if self.counts.debug {
                        tracing::warn!(rows = part.len(), %error, "requests are not stored");
                    }
                }
            }
        }
    }

    async fn try_often(&self, rows: &[TrafficRow]) -> Result<Vec<LiveRow>, Failure> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match insert(&self.connections, &self.names, rows).await {
                Err(Failure { error, unanswered: false }) if again(&error) => {}
                answer => return answer,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        insert(&self.connections, &self.names, rows).await
    }
}

fn again(error: &Error) -> bool {
    // Refused by no constraint of the table, but by the default partition's own: the day was made while the row was on its
    // way there. The next try finds it.
    let is_moved = error.sqlstate() == Some("23514") && error.class() == Some(ErrorClass::Environment);
    is_moved || error.is_retryable() && !error.is_record_refused()
}
