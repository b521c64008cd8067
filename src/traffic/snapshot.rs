//! One moment of the database, for all that an answer is put together from: what is rolled up and what is not yet must
//! be of the same moment to add up.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::sync::SemaphorePermit;
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{
    cover::{Cover, Horizons, Level, Marks},
    histogram::Histogram,
    names::Names,
    span::{Span, literal},
    traffic::Inner,
};
use crate::{
    error::{Error, Task},
    pool::Lease,
};

/// A parameter and its type.
pub(super) type Param<'p> = (&'p (dyn ToSql + Sync), Type);

/// A read-only transaction. Dropped before its end, its connection is closed.
pub(super) struct Snapshot<'t> {
    names: &'t Names,
    lease: Lease,
    _place: SemaphorePermit<'t>,
    horizons: Horizons,
    watermark: Option<i64>,
    /// The server's clock.
    now: i64,
}

impl<'t> Snapshot<'t> {
    pub(super) async fn open(inner: &'t Inner) -> Result<Self, Error> {
        let task = Task::Traffic("reading", inner.names.table());
        // It is never closed; were it, there would be no place.
        let place = tokio::time::timeout(inner.query_timeout, inner.readers.acquire()).await;
        let place = place.ok().and_then(Result::ok).ok_or_else(|| task.no_free_connection())?;
        let lease = inner.connections.lease(task).await?;
        let begin = format!(
            "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {}; \
             SET LOCAL timezone = 'UTC'; SET LOCAL jit = off",
            milliseconds(inner.query_timeout)
        );
        let state = inner.names.sql(
            "SELECT floor(extract(epoch FROM watermark) * 1000000)::float8, extract(epoch FROM raw_from)::float8, \
             extract(epoch FROM minute_from)::float8, extract(epoch FROM hour_from)::float8, \
             extract(epoch FROM day_from)::float8, (extract(epoch FROM now()) * 1000000)::bigint \
             FROM \"traffic_logs_state\"",
        );
        let asked = async {
            lease.batch_execute(&begin).await?;
            lease.query_typed_one(&state, &[]).await
        };
        let row = match lease.within(asked).await {
            Ok(Ok(row)) => row,
            Ok(Err(error)) => return Err(task.failed(error)),
            Err(_) => return Err(task.timed_out()),
        };
        let (horizons, watermark, now) = read_state(&row).map_err(|error| task.failed(error))?;
        inner.watermark.store(watermark.unwrap_or(i64::MIN), Ordering::Relaxed);
        Ok(Self { names: &inner.names, lease, _place: place, horizons, watermark, now })
    }

    pub(super) fn now(&self) -> i64 {
        self.now
    }

    pub(super) fn watermark(&self) -> Option<i64> {
        self.watermark
    }

    pub(super) fn horizons(&self) -> &Horizons {
        &self.horizons
    }

    /// What is not in the rollups of this range.
    pub(super) async fn marks(&self, range: Span) -> Result<Marks, Error> {
        let day = Level::Day.size();
        let from = (range.from.div_euclid(day) * day).max(self.horizons.raw);
        let to = range.to.div_euclid(day).saturating_add(1).saturating_mul(day);
        let sql = format!(
            "SELECT DISTINCT level, (extract(epoch FROM at) * 1000000)::bigint FROM \"traffic_logs_marks\" \
             WHERE at >= {} AND at < {}",
            literal(from),
            literal(to)
        );
        let mut marks = Marks::default();
        for row in self.rows(&sql, &[]).await? {
            marks.add(self.get(&row, 0)?, self.get(&row, 1)?);
        }
        Ok(marks)
    }

    pub(super) fn cover(&self, range: Span, levels: &[Level], marks: &Marks) -> Cover {
        Cover::of(range, levels, marks, &self.horizons)
    }

    pub(super) async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let answer = self.lease.within(self.lease.query_typed(&self.names.sql(sql), params)).await;
        match answer {
            Ok(answer) => answer.map_err(|error| self.task().failed(error)),
            Err(_) => Err(self.task().timed_out()),
        }
    }

    pub(super) fn get<'r, T: tokio_postgres::types::FromSql<'r>>(&self, row: &'r Row, at: usize) -> Result<T, Error> {
        row.try_get(at).map_err(|error| self.task().failed(error))
    }

    /// Adds the histogram that stands in two columns, its slots and their counts.
    pub(super) fn add_slots(&self, row: &Row, at: usize, to: &mut Histogram) -> Result<(), Error> {
        to.add(&self.get::<Vec<i16>>(row, at)?, &self.get::<Vec<i64>>(row, at + 1)?);
        Ok(())
    }

    /// Gives the connection back.
    pub(super) async fn end(self) -> Result<(), Error> {
        let task = Task::Traffic("reading", self.names.table());
        let answer = self.lease.within(self.lease.batch_execute("COMMIT")).await;
        self.lease.settle(task, answer)
    }

    fn task(&self) -> Task<'_> {
        Task::Traffic("reading", self.names.table())
    }
}

pub(super) fn milliseconds(duration: Duration) -> u128 {
    duration.as_millis().max(1)
}

fn read_state(row: &Row) -> Result<(Horizons, Option<i64>, i64), tokio_postgres::Error> {
    // A horizon is the border of a day, so that seconds are exact; infinity saturates.
    #[expect(clippy::cast_possible_truncation, reason = "it saturates, as it is meant to")]
    let micros = |seconds: f64| (seconds * 1_000_000.0) as i64;
    let horizon = |at| row.try_get(at).map(micros);
    let horizons = Horizons { raw: horizon(1)?, minute: horizon(2)?, hour: horizon(3)?, day: horizon(4)? };
    let watermark: f64 = row.try_get(0)?;
    #[expect(clippy::cast_possible_truncation, reason = "it saturates, as it is meant to")]
    let watermark = watermark.is_finite().then_some(watermark as i64);
    Ok((horizons, watermark, row.try_get(5)?))
}
