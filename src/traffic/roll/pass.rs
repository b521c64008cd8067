//! One pass: minutes, hours and days that are over and marked.

use time::OffsetDateTime;
use tokio_postgres::{Row, types::Type};

use super::{
    super::{names::Names, snapshot::Param, span::literal},
    retention::{self, Retention},
    sql,
};
use crate::{
    error::{Error, Task},
    pool::{Connections, Lease},
};

/// Held by the one process that rolls up; and, in each step, by whoever changes rollups, since behind a pooler the first
/// may be lost without anybody noticing.
pub(super) const ONE_ROLLER: i32 = i32::from_be_bytes(*b"tvrl");
const ONE_STEP: i32 = i32::from_be_bytes(*b"tvst");
/// A minute is taken for over this much later: rows come in batches.
const SETTLE: &str = "interval '2 s'";

/// What a pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Pass {
    /// Minutes that were recomputed.
    pub minutes: u64,
    /// Hours that were recomputed.
    pub hours: u64,
    /// Days that were recomputed.
    pub days: u64,
    /// Partitions that were made.
    pub partitions_made: u64,
    /// Partitions that were dropped.
    pub partitions_dropped: u64,
}

/// What rolls up one table.
#[derive(Clone)]
pub(in crate::traffic) struct Roller {
    pub(in crate::traffic) connections: Connections,
    pub(in crate::traffic) names: Names,
    pub(in crate::traffic) retention: Retention,
}

impl Roller {
    /// One pass; `None` where another process rolls up.
    pub(in crate::traffic) async fn pass(&self) -> Result<Option<Pass>, Error> {
        let lease = self.connections.lease(self.task()).await?;
        let work = Work { roller: self, lease: &lease };
        // On any failure the lease is dropped, its connection closed, and the lock given back with it.
        let held: bool = work.one(&Work::lock("SELECT pg_try_advisory_lock", ONE_ROLLER), &[]).await?;
        let pass = if held { Some(work.pass().await?) } else { None };
        if held {
            work.run(&Work::lock("SELECT pg_advisory_unlock", ONE_ROLLER)).await?;
        }
        lease.settle(self.task(), Ok(Ok(())))?;
        Ok(pass)
    }

    pub(in crate::traffic) fn task(&self) -> Task<'_> {
        Task::Traffic("rolling up", self.names.table())
    }
}

/// A pass on its connection.
pub(super) struct Work<'w> {
    pub(super) roller: &'w Roller,
    lease: &'w Lease,
}

impl<'w> Work<'w> {
    pub(super) fn new(roller: &'w Roller, lease: &'w Lease) -> Self {
        Self { roller, lease }
    }

    async fn pass(&self) -> Result<Pass, Error> {
        let mut pass = Pass::default();
        let closed = format!("SELECT date_trunc('minute', now() - {SETTLE}, 'UTC')");
        let closed: OffsetDateTime = self.one(&closed, &[]).await?;
        // Their rows are gone: what is rolled up of them is all there is.
        let dropped = r#"DELETE FROM "traffic_logs_marks" WHERE at < (SELECT raw_from FROM "traffic_logs_state")"#;
        self.run(dropped).await?;
        // A row may come late just now: a dropped day must not be recomputed from it alone.
        let hours = "SELECT DISTINCT date_trunc('hour', at, 'UTC') FROM \"traffic_logs_marks\" \
                     WHERE level = 0 AND at < $1 AND at >= (SELECT raw_from FROM \"traffic_logs_state\") ORDER BY 1 DESC";
        for hour in self.times(hours, closed).await? {
            pass.minutes += self.minutes(hour, closed).await?;
        }
        let hours = "SELECT DISTINCT at FROM \"traffic_logs_marks\" \
                     WHERE level = 1 AND at <= $1::timestamptz - interval '1 hour' ORDER BY 1 DESC";
        for hour in self.times(hours, closed).await? {
            self.hour(hour).await?;
            pass.hours += 1;
        }
        let days = "SELECT DISTINCT at FROM \"traffic_logs_marks\" AS day \
                    WHERE level = 2 AND at <= $1::timestamptz - interval '24 hours' AND NOT EXISTS (\
                    SELECT FROM \"traffic_logs_marks\" AS other WHERE other.level < 2 AND other.at >= day.at \
                    AND other.at < day.at + interval '24 hours') ORDER BY 1 DESC";
        for day in self.times(days, closed).await? {
            self.day(day).await?;
            pass.days += 1;
        }
        let seen = "UPDATE \"traffic_logs_state\" SET rolled_at = now(), watermark = CASE WHEN EXISTS (\
                    SELECT FROM \"traffic_logs_marks\" WHERE level = 0 AND at < $1) \
                    THEN watermark ELSE greatest(watermark, $1) END";
        self.execute(seen, &[(&closed, Type::TIMESTAMPTZ)]).await?;
        retention::tend(self, &mut pass).await?;
        Ok(pass)
    }

    /// The marked minutes of an hour that are over.
    async fn minutes(&self, hour: OffsetDateTime, closed: OffsetDateTime) -> Result<u64, Error> {
        self.begin().await?;
        let take = "WITH gone AS (DELETE FROM \"traffic_logs_marks\" WHERE level = 0 AND at >= $1 \
                    AND at < least($1 + interval '1 hour', $2) RETURNING at) SELECT DISTINCT at FROM gone";
        let span: [Param<'_>; 2] = [(&hour, Type::TIMESTAMPTZ), (&closed, Type::TIMESTAMPTZ)];
        let minutes = self.rows(take, &span).await?;
        let minutes: Vec<OffsetDateTime> = minutes.iter().map(|row| self.get(row)).collect::<Result<_, _>>()?;
        let params: [Param<'_>; 2] = [(&minutes, Type::TIMESTAMPTZ_ARRAY), (&hour, Type::TIMESTAMPTZ)];
        self.execute("DELETE FROM \"traffic_logs_total_1m\" WHERE at = ANY($1)", &params[..1]).await?;
        self.execute(&sql::minutes(), &params).await?;
        self.execute(sql::USERS, &params).await?;
        self.mark(1, hour).await?;
        self.run("COMMIT").await?;
        Ok(minutes.len() as u64)
    }

    async fn hour(&self, hour: OffsetDateTime) -> Result<(), Error> {
        self.begin().await?;
        let params: [Param<'_>; 1] = [(&hour, Type::TIMESTAMPTZ)];
        self.execute("DELETE FROM \"traffic_logs_marks\" WHERE level = 1 AND at = $1", &params).await?;
        for clear in sql::CLEAR_HOUR {
            self.execute(clear, &params).await?;
        }
        self.execute(&sql::hour(), &params).await?;
        let day: OffsetDateTime = self.one("SELECT date_trunc('day', $1, 'UTC')", &params).await?;
        self.mark(2, day).await?;
        self.run("COMMIT").await
    }

    async fn day(&self, day: OffsetDateTime) -> Result<(), Error> {
        self.begin().await?;
        let params: [Param<'_>; 1] = [(&day, Type::TIMESTAMPTZ)];
        self.execute("DELETE FROM \"traffic_logs_marks\" WHERE level = 2 AND at = $1", &params).await?;
        for sql in sql::CLEAR_DAY.iter().chain(&sql::DAY) {
            self.execute(sql, &params).await?;
        }
        self.run("COMMIT").await
    }

    /// The next level is to be recomputed too.
    async fn mark(&self, level: i16, at: OffsetDateTime) -> Result<(), Error> {
        let sql = "INSERT INTO \"traffic_logs_marks\" (level, at) SELECT $1, $2 WHERE NOT EXISTS (\
                   SELECT FROM \"traffic_logs_marks\" WHERE level = $1 AND at = $2)";
        self.execute(sql, &[(&level, Type::INT2), (&at, Type::TIMESTAMPTZ)]).await
    }

    pub(super) async fn begin(&self) -> Result<(), Error> {
        // Nothing of it stays with a connection that may be the caller's.
        let local = "SET LOCAL statement_timeout = '60 s'; SET LOCAL jit = off";
        self.run(&format!("BEGIN; {local}; {}", Self::lock("SELECT pg_advisory_xact_lock", ONE_STEP))).await
    }

    fn lock(function: &str, key: i32) -> String {
        format!("{function}({key}, ('\"traffic_logs\"'::regclass::oid::bigint - 2147483648)::integer)")
    }

    async fn times(&self, sql: &str, closed: OffsetDateTime) -> Result<Vec<OffsetDateTime>, Error> {
        let rows = self.rows(sql, &[(&closed, Type::TIMESTAMPTZ)]).await?;
        rows.iter().map(|row| self.get(row)).collect()
    }

    pub(super) async fn one<T>(&self, sql: &str, params: &[Param<'_>]) -> Result<T, Error>
    where
        T: for<'r> tokio_postgres::types::FromSql<'r>,
    {
        let rows = self.rows(sql, params).await?;
        match rows.first() {
            Some(row) => self.get(row),
            None => Err(self.roller.task().unprepared("a row is missing: call `Traffic::ensure_schema`".to_owned())),
        }
    }

    pub(super) fn get<T>(&self, row: &Row) -> Result<T, Error>
    where
        T: for<'r> tokio_postgres::types::FromSql<'r>,
    {
        row.try_get(0).map_err(|error| self.roller.task().failed(error))
    }

    pub(super) async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        self.bounded(self.lease.query_typed(&self.roller.names.sql(sql), params)).await
    }

    pub(super) async fn execute(&self, sql: &str, params: &[Param<'_>]) -> Result<(), Error> {
        self.bounded(self.lease.execute_typed(&self.roller.names.sql(sql), params)).await.map(drop)
    }

    pub(super) async fn run(&self, sql: &str) -> Result<(), Error> {
        self.bounded(self.lease.batch_execute(&self.roller.names.sql(sql))).await
    }

    async fn bounded<T>(&self, call: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Error> {
        match self.lease.within(call).await {
            Ok(answer) => answer.map_err(|error| self.roller.task().failed(error)),
            Err(_) => Err(self.roller.task().timed_out()),
        }
    }
}

/// Rolls this range up anew, whether it is marked or not: marks it, and passes until no mark is left.
pub(in crate::traffic) async fn rebuild(roller: &Roller, from: i64, to: i64) -> Result<u64, Error> {
    /// While another process rolls up, this one looks how far it is.
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);
    let lease = roller.connections.lease(roller.task()).await?;
    let (from, to) = (literal(from), literal(to));
    let (minutes, left) = {
        let work = Work { roller, lease: &lease };
        let range = format!(
            "at >= greatest(date_trunc('minute', {from}, 'UTC'), (SELECT raw_from FROM \"traffic_logs_state\")) \
             AND at < least({to}, date_trunc('minute', now() - {SETTLE}, 'UTC'))"
        );
        // Not all of the time that was asked for, which may be very long, but what has rows or rollups of it.
        let first = "coalesce(least((SELECT min(started_at) FROM \"traffic_logs\" WHERE started_at > '-infinity'), \
                     (SELECT min(at) FROM \"traffic_logs_total_1m\"), (SELECT min(at) FROM \"traffic_logs_total_1h\"), \
                     (SELECT min(at) FROM \"traffic_logs_route_1d\")), 'infinity')";
        let mark = format!(
            "WITH marked AS (INSERT INTO \"traffic_logs_marks\" (level, at) \
             SELECT 0, at FROM generate_series(date_trunc('minute', greatest({from}, {first}), 'UTC'), least({to}, now()), \
             interval '1 minute') AS at WHERE {range} RETURNING 1) SELECT count(*) FROM marked"
        );
        let minutes: i64 = work.one(&mark, &[]).await?;
        let left = format!("SELECT EXISTS (SELECT FROM \"traffic_logs_marks\" WHERE level = 0 AND {range})");
        (minutes.unsigned_abs(), left)
    };
    lease.settle(roller.task(), Ok(Ok(())))?;
    loop {
        let passed = roller.pass().await?;
        let lease = roller.connections.lease(roller.task()).await?;
        let more: bool = Work { roller, lease: &lease }.one(&left, &[]).await?;
        lease.settle(roller.task(), Ok(Ok(())))?;
        if !more {
            return Ok(minutes);
        }
        if passed.is_none() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Makes these days.
pub(in crate::traffic) async fn make_days(roller: &Roller, from: time::Date, to: time::Date) -> Result<u64, Error> {
    let lease = roller.connections.lease(roller.task()).await?;
    let work = Work { roller, lease: &lease };
    let mut made = 0;
    let mut day = from;
    loop {
        let date = format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day());
        work.begin().await?;
        made += u64::from(work.one::<bool>(&format!("SELECT \"traffic_logs_make_day\"(date '{date}')"), &[]).await?);
        work.run("COMMIT").await?;
        match day.next_day().filter(|next| *next <= to) {
            Some(next) => day = next,
            None => break,
        }
    }
    lease.settle(roller.task(), Ok(Ok(())))?;
    Ok(made)
}
