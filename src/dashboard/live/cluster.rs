//! What all processes store, as PostgreSQL tells it.
//!
//! While there are streams, one task reads new rows from the table and gives them to all of them. It looks when it hears
//! of rows by `NOTIFY`, which writers send while the lease in `<table>_viewers` lasts; until they have read that lease, it
//! looks twice a second, and where it hears nothing, once a second.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex, Notify, broadcast},
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{
    error::{Error, Task},
    pool::listener::Listener,
    traffic::{LiveQuery, LiveRow, Traffic},
};

/// Batches that wait for a slow stream.
const WAITING: usize = 64;
/// The rows of one question.
const PAGE: u32 = 500;
/// Between two looks at the table, at least.
const SPACE: Duration = Duration::from_millis(50);
/// How often to look until writers know of the viewers.
const QUICK: Duration = Duration::from_millis(400);
/// How often to look where nothing is heard.
const DEAF: Duration = Duration::from_secs(1);
/// How often to look where all is well, in case a notification was lost. And how often the lease is renewed, how soon
/// writers know of it at the latest, and how soon another connection is tried.
const CALM: Duration = Duration::from_secs(5);
/// Rows of so many ids before the last may still come.
const LATE: i64 = 10_000;

pub(super) struct Cluster {
    listener: Listener,
    rows: broadcast::Sender<Arc<[LiveRow]>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cluster")
    }
}

impl Cluster {
    pub(super) fn new(connection_string: &str) -> Result<Self, Error> {
        let listener = Listener::new("listen", connection_string, Arc::new(Notify::new()))?;
        let (rows, _) = broadcast::channel(WAITING);
        Ok(Self { listener, rows, task: Mutex::default() })
    }

    /// What is stored from now on. The first to ask starts the task, which ends after the last.
    pub(super) async fn subscribe(
        self: &Arc<Self>,
        traffic: &Traffic,
    ) -> Result<broadcast::Receiver<Arc<[LiveRow]>>, Error> {
        // Where the database is away, the first to ask waits for it, and nobody much longer.
        let task = tokio::time::timeout(CALM, self.task.lock()).await;
        let mut task = task.map_err(|_| Task::Connect.timed_out())?;
        let rows = self.rows.subscribe();
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            let place = Place::now(traffic).await?;
            *task = Some(tokio::spawn(run(Arc::clone(self), traffic.clone(), place)));
        }
        Ok(rows)
    }

    /// Listens, again and again, and says whether it hears.
    async fn listen(&self, channel: &str, hears: &AtomicBool) {
        let mut told = false;
        loop {
            match self.listener.open(channel).await {
                Ok(mut listening) => {
                    told = false;
                    hears.store(true, Ordering::Relaxed);
                    // What was told before was not heard.
                    self.listener.bell().notify_one();
                    listening.end().await;
                    hears.store(false, Ordering::Relaxed);
                    self.listener.bell().notify_one();
                    sleep(QUICK).await;
                }
                Err(error) => {
                    if !told {
                        tracing::warn!(%error, "new requests are not heard of; the table is looked at once a second");
                    }
                    told = true;
                    sleep(CALM).await;
                }
            }
        }
    }

    /// Looks for rows, again and again, until nobody wants them.
    async fn look(&self, traffic: &Traffic, mut place: Place, hears: &AtomicBool) {
        // When writers were told of the viewers for the last time.
        let mut leased = None::<Instant>;
        let mut quick = Instant::now() + CALM;
        let mut told = false;
        loop {
            let mut done = Ok(());
            if leased.is_none_or(|at| at.elapsed() >= CALM) {
                done = traffic.announce_viewers().await;
                if done.is_ok() && leased.replace(Instant::now()).is_none_or(|at| at.elapsed() > 2 * CALM) {
                    quick = Instant::now() + CALM;
                }
            }
            // Without the lease too: the table is only looked at more often then.
            done = place.read(traffic, &self.rows).await.and(done);
            match &done {
                Ok(()) => told = false,
                Err(error) if !told => {
                    tracing::warn!(%error, "new requests are not told of as they should be; trying again");
                    told = true;
                }
                Err(_) => {}
            }
            if self.is_over().await {
                return;
            }
            let calm = hears.load(Ordering::Relaxed) && !told;
            let pause = if Instant::now() < quick {
                QUICK
            } else if calm {
                CALM
            } else {
                DEAF
            };
            sleep(SPACE).await;
            let _ = tokio::time::timeout(pause, self.listener.bell().notified()).await;
        }
    }

    /// Whether nobody wants rows any more; then the next to ask starts anew.
    async fn is_over(&self) -> bool {
        let mut task = self.task.lock().await;
        let over = self.rows.receiver_count() == 0;
        if over {
            *task = None;
        }
        over
    }
}

async fn run(cluster: Arc<Cluster>, traffic: Traffic, place: Place) {
    let mut open = traffic.open();
    let (channel, hears) = (traffic.channel(), AtomicBool::new(false));
    tokio::select! {
        () = cluster.look(&traffic, place, &hears) => {}
        () = cluster.listen(&channel, &hears) => {}
        _ = open.wait_for(|open| !open) => {}
    }
}

/// Up to where the table was read.
struct Place {
    cursor: i64,
    /// Which of the ids before it were told, of as many as may still come.
    seen: BTreeSet<i64>,
}

impl Place {
    /// The end.
    async fn now(traffic: &Traffic) -> Result<Self, Error> {
        let cursor = traffic.live(&LiveQuery::new()).await?.cursor;
        let around = traffic.live(&LiveQuery::new().after(cursor).limit(PAGE)).await?;
        let seen = around.requests.iter().map(|row| row.id).filter(|id| *id <= cursor).collect();
        Ok(Self { cursor, seen })
    }

    /// Tells what is new.
    async fn read(&mut self, traffic: &Traffic, rows: &broadcast::Sender<Arc<[LiveRow]>>) -> Result<(), Error> {
        loop {
            let page = traffic.live(&LiveQuery::new().after(self.cursor).limit(PAGE)).await?;
            let fresh = page.requests.iter().filter(|row| row.id > self.cursor).count();
            let new: Vec<_> = page.requests.into_iter().filter(|row| self.seen.insert(row.id)).collect();
            self.cursor = page.cursor;
            self.seen = self.seen.split_off(&(self.cursor - LATE));
            if !new.is_empty() {
                let _ = rows.send(new.into());
            }
            if fresh < PAGE as usize {
                return Ok(());
            }
        }
    }
}
