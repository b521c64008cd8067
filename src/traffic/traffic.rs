//! The handle.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::Pool;
use time::{Date, OffsetDateTime};
use tokio::sync::{Semaphore, broadcast, watch};

use super::{
    builder::{Source, TrafficBuilder},
    ensure::ensure,
    layer,
    modes::{IpMode, UaMode},
    names::Names,
    read::LiveRow,
    roll::{self, Pass, Roller},
    row::TrafficRow,
    rules::{Rules, Seen},
    span::{micros, moment},
    stats::{Counts, TrafficStats},
    writer::Writer,
};
use crate::{
    error::{Error, ValidationError},
    pool::Connections,
    table::TableName,
};

/// Stores requests, rolls them up, and answers what was asked for how often. Cheap to clone.
///
/// ```
/// # #[path = "../../tests/support/mod.rs"] mod support;
/// use std::time::Duration;
/// use tracevault::traffic::{OverviewQuery, Range, Seen, Traffic, UserDetails};
/// use tracevault::{deadpool_postgres::{Manager, Pool}, time::OffsetDateTime, tokio_postgres::NoTls};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let database = support::database(support::Purpose::Tests)?;
/// # let url = database.url();
/// let pool = Pool::builder(Manager::new(url.parse()?, NoTls)).build()?;
/// let traffic = Traffic::builder(pool).table_name("doc_traffic").build()?;
/// traffic.ensure_schema().await?;
///
/// traffic.record(Seen {
///     started_at: OffsetDateTime::now_utc() - Duration::from_millis(187),
///     duration: Duration::from_millis(187),
///     method: "GET",
///     pattern: Some("/api/products"),
///     path: "/api/products",
///     query: Some("page=1"),
///     status: 200,
///     user: UserDetails { id: Some("123".into()), ..UserDetails::default() },
///     session_id: None,
///     ip: None,
///     user_agent: None,
///     request_id: None,
/// });
/// traffic.flush().await;
///
/// let last_hour = Range::last(Duration::from_secs(3600))?;
/// let overview = traffic.overview(&OverviewQuery::new(last_hour)).await?;
/// assert_eq!((overview.total_requests, overview.unique_users), (1, 1));
/// assert_eq!(traffic.forget_user("123").await?, 1); // The request stays counted, as of nobody.
/// traffic.close(Duration::from_secs(5)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Traffic(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) names: Names,
    pub(super) rules: Rules,
    pub(super) options: layer::Options,
    pub(super) writer: Writer,
    pub(super) roller: Roller,
    pub(super) connections: Connections,
    pub(super) readers: Semaphore,
    pub(super) query_timeout: Duration,
    /// With the last handle it is gone, and the task that rolls up ends.
    pub(super) open: watch::Sender<bool>,
    pub(super) live: broadcast::Sender<Arc<[LiveRow]>>,
    /// As the last snapshot had it; the least number there is for none.
    pub(super) watermark: AtomicI64,
}

impl Traffic {
    /// With this pool, which stays the caller's. Writing takes one connection of it, rolling up another now and then,
    /// and reading up to four.
    #[doc(alias = "createTrafficTracker")]
    pub fn builder(pool: Pool) -> TrafficBuilder {
        TrafficBuilder::new(Source::Pool(pool))
    }

    /// With a pool of its own, of up to eight connections to where this string says, by TLS as its `sslmode` asks.
    /// Nothing is opened before it is needed.
    pub fn connect(connection_string: impl Into<String>) -> TrafficBuilder {
        TrafficBuilder::new(Source::ConnectionString(connection_string.into()))
    }

    /// Makes the tables, or what is missing of them. Idempotent, and safe for many processes at once.
    ///
    /// # Errors
    /// `Driver`, also where something else has the table's name.
    ///
    /// # Cancel safety
    /// Dropping it leaves all of it made, or nothing.
    #[doc(alias = "sync")]
    pub async fn ensure_schema(&self) -> Result<(), Error> {
        ensure(&self.0.roller.connections, &self.0.names).await
    }

    /// Takes a request by the rules of the builder, and returns at once: whether it waits to be stored. What finds the
    /// queue full is dropped and counted.
    pub fn record(&self, seen: Seen<'_>) -> bool {
        if let Some(row) = self.0.rules.row(seen) {
            return self.offer(row);
        }
        Counts::add(&self.0.writer.counts.sampled_out, 1);
        false
    }

    /// Whether this duration counts as slow.
    pub fn is_slow(&self, duration: Duration) -> bool {
        duration >= self.0.rules.slow_threshold
    }

    fn offer(&self, row: TrafficRow) -> bool {
        if *self.0.open.borrow() {
            return self.0.writer.offer(row);
        }
        Counts::add(&self.0.writer.counts.dropped, 1);
        false
    }

    /// Every batch that this process stores from now on, as it is stored. A receiver that lags loses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[LiveRow]>> {
        self.0.live.subscribe()
    }

    /// What became of the rows.
    pub fn stats(&self) -> TrafficStats {
        self.0.writer.counts.stats()
    }

    /// Waits until what was recorded before is stored or given up, which takes some seconds where PostgreSQL is away.
    ///
    /// # Cancel safety
    /// Dropping it stops the waiting only.
    pub async fn flush(&self) {
        self.0.writer.flush().await;
    }

    /// Takes no more requests, stores what waits for up to `timeout`, and rolls up no more. Idempotent. Reading goes on.
    ///
    /// # Cancel safety
    /// Dropping it stops the waiting only.
    pub async fn close(&self, timeout: Duration) -> TrafficStats {
        self.0.open.send_replace(false);
        let _ = tokio::time::timeout(timeout, self.flush()).await;
        self.stats()
    }

    /// Rolls up what is due, drops what is too old and makes the days to come, now; `None` where another process is at
    /// it. The task of [`build`](TrafficBuilder::build) does the same.
    ///
    /// # Errors
    /// `Driver`.
    ///
    /// # Cancel safety
    /// At any point: each step is done or not, and the next pass goes on.
    pub async fn roll_up(&self) -> Result<Option<Pass>, Error> {
        self.0.roller.pass().await
    }

    /// Rolls up the minutes, hours and days of a range anew, and returns when it is done, with how many minutes that
    /// were. For after changes that no trigger saw, such as `TRUNCATE` or a load straight into a partition.
    ///
    /// # Errors
    /// `Validation` when the range is empty; `Driver`.
    ///
    /// # Cancel safety
    /// At any point: what is marked is rolled up by the next pass.
    pub async fn rebuild_rollups(&self, from: OffsetDateTime, to: OffsetDateTime) -> Result<u64, Error> {
        if from >= to {
            return Err(ValidationError::new("to", "must be after `from`").into());
        }
        roll::rebuild(&self.0.roller, micros(from), micros(to)).await
    }

    /// Takes a user out of the rows, the rollups and the names, in one transaction, and answers of how many rows it was.
    /// Their requests stay counted, as of nobody, without session, address and user agent. What stands in a path, in
    /// [`original_url`](LiveRow::original_url), or in an audit event stays as it is, and a request that ends later is a new
    /// one.
    ///
    /// # Errors
    /// `Validation` when the id is blank or holds NUL; `Driver`, and then nothing has changed, or all of it where the answer
    /// was lost: to be called again.
    ///
    /// # Cancel safety
    /// Dropping it leaves all of it done, or nothing.
    pub async fn forget_user(&self, user_id: &str) -> Result<u64, Error> {
        if user_id.trim().is_empty() || user_id.contains('\0') {
            return Err(ValidationError::new("user_id", "must not be blank, nor hold NUL").into());
        }
        roll::forget(&self.0.roller, user_id).await
    }

    /// Makes the partitions of these days, both included, as for a load of older rows. Answers how many it made.
    ///
    /// # Errors
    /// `Validation` when `to` is before `from`, or it is more than ten years; `Driver`.
    ///
    /// # Cancel safety
    /// Dropping it leaves each day made or not.
    pub async fn make_days(&self, from: Date, to: Date) -> Result<u64, Error> {
        if !(0..=3_653).contains(&(to - from).whole_days()) {
            return Err(ValidationError::new("to", "must be on or after `from`, and within ten years of it").into());
        }
        roll::make_days(&self.0.roller, from, to).await
    }

    /// Says when this is closed.
    #[cfg(feature = "dashboard")]
    pub(crate) fn open(&self) -> watch::Receiver<bool> {
        self.0.open.subscribe()
    }

    /// What is kept of addresses.
    pub fn ip_mode(&self) -> IpMode {
        self.0.rules.ip
    }

    /// What is kept of user agents.
    pub fn user_agent_mode(&self) -> UaMode {
        self.0.rules.user_agent
    }

    /// Up to where all was rolled up when something was read last, but for late rows. `None` before that.
    pub fn rolled_up_to(&self) -> Option<OffsetDateTime> {
        let seen = self.0.watermark.load(Ordering::Relaxed);
        (seen != i64::MIN).then(|| moment(seen))
    }

    /// The table.
    pub fn table(&self) -> &TableName {
        self.0.names.table()
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traffic").field("table", self.table()).field("stats", &self.stats()).finish_non_exhaustive()
    }
}
