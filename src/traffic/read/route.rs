//! One route: how often, how long, how well, for whom.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;
use tokio_postgres::types::Type;

use super::{
    super::{
        cover::{Cover, Horizons, Level, Marks},
        histogram::{Histogram, PER_OCTAVE},
        quiet::Quiet,
        snapshot::{Param, Snapshot},
        span::{Span, literal, moment},
        traffic::Traffic,
    },
    live::{self, LiveRow},
    overview::StatusCount,
    range::{Range, RangeShown, rfc3339},
    routes::{self, LEVELS, RouteRow},
    sql,
    users::UserRow,
};
use crate::error::Error;

/// One route. What single requests tell is of the latest 100,000 rows of the range, those of other routes included.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RouteDetail {
    /// What was counted.
    pub range: RangeShown,
    /// Its totals; none where the range has no request of it.
    pub route: Option<RouteRow>,
    /// 99 of 100 were as quick.
    pub p99_ms: Option<f64>,
    /// Requests by time.
    pub timeline: Vec<RouteBucket>,
    /// Requests by duration, the quickest first, from the first that has any to the last.
    pub durations: Vec<DurationSlot>,
    /// Requests with a status below 400.
    pub success_count: i64,
    /// Requests by status from 400 on, in ascending order.
    pub error_statuses: Vec<StatusCount>,
    /// Who asked most often, at most ten; everybody without an id is one.
    pub top_users: Vec<UserRow>,
    /// At most 20, the slowest first.
    pub slowest: Vec<LiveRow>,
    /// At most 20, the newest first.
    pub latest_errors: Vec<LiveRow>,
    /// Whether the range has more than the rows that were looked at for users and for single requests.
    pub truncated: bool,
}

/// A stretch of one route's timeline.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RouteBucket {
    /// Its begin. The first and the last may be cut by the range.
    #[serde(serialize_with = "rfc3339")]
    pub at: OffsetDateTime,
    /// Requests.
    pub count: i64,
    /// Those with a status from 400 on.
    pub error_count: i64,
    /// Slow ones.
    pub slow_count: i64,
    /// Half of them were as quick.
    pub p50_ms: Option<f64>,
    /// 95 of 100 were as quick.
    pub p95_ms: Option<f64>,
}

/// Requests that took about as long.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DurationSlot {
    /// The shortest, included.
    pub from_ms: f64,
    /// The longest, not included.
    pub to_ms: f64,
    /// Requests.
    pub count: i64,
}

/// The most rows that are looked at one by one.
const MOST: i64 = 100_000;
/// Slots of the histogram in one that is told: half an octave.
const TOGETHER: i16 = 4;

impl Traffic {
    /// One route, by its method and its name as [`routes`](Self::routes) spells it: totals, durations and statuses from
    /// rollups, users and single requests from rows.
    ///
    /// # Errors
    /// `Driver`.
    ///
    /// # Cancel safety
    /// Dropping it abandons the question, and its connection.
    pub async fn route(&self, method: &str, route: &str, range: Range) -> Result<RouteDetail, Error> {
        let snapshot = Snapshot::open(&self.0).await?;
        let span = range.0.effective(snapshot.horizons());
        let marks = snapshot.marks(span).await?;
        let cover = snapshot.cover(span, &LEVELS, &marks);
        // PostgreSQL would refuse it, and nothing is called that.
        let route = if route.contains('\0') { "" } else { route };
        let method = if method.contains('\0') { "" } else { method };
        let one = One { snapshot: &snapshot, span, method, route };
        let totals = routes::one(&snapshot, &cover, span, method, route).await?;
        let histogram = one.histogram(&cover).await?;
        let errors = totals.as_ref().map_or(0, |totals| totals.error_count);
        let bucket = bucket(span, snapshot.horizons());
        let max_us = totals.as_ref().map_or(0, RouteRow::max_us);
        let detail = RouteDetail {
            range: RangeShown::of(span, bucket),
            p99_ms: histogram.quantile(0.99, max_us),
            timeline: one.timeline(bucket, &marks).await?,
            durations: durations(&histogram),
            success_count: totals.as_ref().map_or(0, |totals| totals.count - errors),
            error_statuses: one.statuses(&cover).await?,
            top_users: one.users().await?,
            slowest: one.slowest().await?,
            latest_errors: if errors > 0 { one.errors().await? } else { Vec::new() },
            truncated: one.truncated().await?,
            route: totals,
        };
        snapshot.end().await?;
        Ok(detail)
    }
}

/// One route in one moment.
struct One<'o> {
    snapshot: &'o Snapshot<'o>,
    span: Span,
    method: &'o str,
    route: &'o str,
}

impl One<'_> {
    async fn rows(&self, sql: &str) -> Result<Vec<tokio_postgres::Row>, Error> {
        let (method, route) = (Quiet(self.method), Quiet(self.route));
        let params: [Param<'_>; 2] = [(&method, Type::TEXT), (&route, Type::TEXT)];
        self.snapshot.rows(sql, &params).await
    }

    async fn histogram(&self, cover: &Cover) -> Result<Histogram, Error> {
        let (methods, names) = (Quiet(vec![self.method]), Quiet(vec![self.route]));
        let params: [Param<'_>; 2] = [(&methods, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
        let mut histogram = Histogram::default();
        for row in self.snapshot.rows(&sql::route_slots(cover), &params).await? {
            self.snapshot.add_slots(&row, 2, &mut histogram)?;
        }
        Ok(histogram)
    }

    async fn timeline(&self, bucket: i64, marks: &Marks) -> Result<Vec<RouteBucket>, Error> {
        // Days cannot be told apart by the hour, nor hours by the minute.
        let levels: &[Level] = match bucket {
            86_400 => &LEVELS,
            3_600 => &LEVELS[1..],
            _ => &[],
        };
        let cover = self.snapshot.cover(self.span, levels, marks);
        let number = format!("floor(extract(epoch FROM at) / {bucket})::bigint");
        let sums = format!(
            "SELECT {number}, sum(n)::bigint, sum(error_n)::bigint, sum(slow_n)::bigint, max(max_us) \
             FROM ({}) AS cells GROUP BY 1",
            sql::one_route(&cover)
        );
        let slots = format!("SELECT {number}, slots, counts FROM ({}) AS cells", sql::one_route_slots(&cover, bucket));
        let mut histograms: BTreeMap<i64, Histogram> = BTreeMap::new();
        for row in self.rows(&slots).await? {
            let histogram = histograms.entry(self.snapshot.get(&row, 0)?).or_default();
            self.snapshot.add_slots(&row, 1, histogram)?;
        }
        let size = bucket * 1_000_000;
        let numbers = if self.span.from < self.span.to {
            self.span.from.div_euclid(size)..(self.span.to - 1).div_euclid(size) + 1
        } else {
            0..0
        };
        let first = numbers.start;
        let empty = |number| RouteBucket {
            at: moment(number * size),
            count: 0,
            error_count: 0,
            slow_count: 0,
            p50_ms: None,
            p95_ms: None,
        };
        let mut timeline: Vec<RouteBucket> = numbers.map(empty).collect();
        for row in self.rows(&sums).await? {
            let get = |at| self.snapshot.get::<i64>(&row, at);
            let number = get(0)?;
            let Some(told) = usize::try_from(number - first).ok().and_then(|at| timeline.get_mut(at)) else { continue };
            (told.count, told.error_count, told.slow_count) = (get(1)?, get(2)?, get(3)?);
            if let Some(histogram) = histograms.get(&number) {
                (told.p50_ms, told.p95_ms) = (histogram.quantile(0.5, get(4)?), histogram.quantile(0.95, get(4)?));
            }
        }
        Ok(timeline)
    }

    async fn statuses(&self, cover: &Cover) -> Result<Vec<StatusCount>, Error> {
        let sql = format!(
            "SELECT status_code, sum(n)::bigint FROM ({}) AS cells WHERE method = $1 AND route = $2 GROUP BY 1 ORDER BY 1",
            sql::errors(cover)
        );
        let rows = self.rows(&sql).await?;
        let status =
            |row| Ok(StatusCount { status_code: self.snapshot.get(row, 0)?, count: self.snapshot.get(row, 1)? });
        rows.iter().map(status).collect()
    }

    /// No index finds the rows of a route: a rare one would be looked for in all of them.
    fn latest(&self, columns: &str, condition: &str) -> String {
        format!(
            "(SELECT {columns}, method AS of_method, coalesce(rollup_route, route) AS of_route FROM \"traffic_logs\" \
             WHERE started_at >= {} AND started_at < {} {condition} ORDER BY started_at DESC, id DESC LIMIT {MOST}) AS latest \
             WHERE of_method = $1 AND of_route = $2",
            literal(self.span.from),
            literal(self.span.to)
        )
    }

    async fn users(&self) -> Result<Vec<UserRow>, Error> {
        let columns = "coalesce(user_id, '') AS who, user_name, user_email, status_code, is_slow, weight, started_at";
        let sql = format!(
            "SELECT who, (array_agg(user_name ORDER BY started_at DESC) FILTER (WHERE user_name IS NOT NULL))[1], \
             (array_agg(user_email ORDER BY started_at DESC) FILTER (WHERE user_email IS NOT NULL))[1], \
             sum(weight)::bigint AS n, coalesce(sum(weight) FILTER (WHERE status_code >= 400), 0)::bigint, \
             coalesce(sum(weight) FILTER (WHERE is_slow), 0)::bigint, max(started_at) FROM {} \
             GROUP BY who ORDER BY n DESC, who LIMIT 10",
            self.latest(columns, "")
        );
        let rows = self.rows(&sql).await?;
        let user = |row| {
            Ok(UserRow {
                user_id: Some(self.snapshot.get::<String>(row, 0)?).filter(|id| !id.is_empty()),
                user_name: self.snapshot.get(row, 1)?,
                user_email: self.snapshot.get(row, 2)?,
                count: self.snapshot.get(row, 3)?,
                error_count: self.snapshot.get(row, 4)?,
                slow_count: self.snapshot.get(row, 5)?,
                last_seen: self.snapshot.get(row, 6)?,
            })
        };
        rows.iter().map(user).collect()
    }

    async fn slowest(&self) -> Result<Vec<LiveRow>, Error> {
        let latest = self.latest(&format!("{}, duration_us", live::COLUMNS), "");
        self.requests(&format!("SELECT {} FROM {latest} ORDER BY duration_us DESC, id DESC LIMIT 20", live::COLUMNS))
            .await
    }

    async fn errors(&self) -> Result<Vec<LiveRow>, Error> {
        let latest = self.latest(&format!("{}, started_at", live::COLUMNS), "AND status_code >= 400");
        self.requests(&format!("SELECT {} FROM {latest} ORDER BY started_at DESC, id DESC LIMIT 20", live::COLUMNS))
            .await
    }

    async fn requests(&self, sql: &str) -> Result<Vec<LiveRow>, Error> {
        let rows = self.rows(sql).await?;
        rows.iter().map(|row| LiveRow::read(self.snapshot, row)).collect()
    }

    async fn truncated(&self) -> Result<bool, Error> {
        let sql = format!(
            "SELECT EXISTS (SELECT FROM \"traffic_logs\" WHERE started_at >= {} AND started_at < {} \
             ORDER BY started_at DESC, id DESC OFFSET {MOST})",
            literal(self.span.from),
            literal(self.span.to)
        );
        let rows = self.snapshot.rows(&sql, &[]).await?;
        rows.first().map_or(Ok(false), |row| self.snapshot.get(row, 0))
    }
}

/// In seconds. What is shorter than hours is read from rows, where there are any left.
fn bucket(span: Span, horizons: &Horizons) -> i64 {
    const HOUR: i64 = 3_600;
    let up_to = [(2 * HOUR, 60), (6 * HOUR, 300), (14 * 24 * HOUR, HOUR)];
    let seconds = (span.to - span.from) / 1_000_000;
    let length = up_to.into_iter().find(|(longest, _)| seconds <= *longest).map_or(24 * HOUR, |(_, bucket)| bucket);
    let left = if span.from < horizons.hour { 24 * HOUR } else { HOUR };
    if span.from < horizons.raw { length.max(left) } else { length }
}

fn durations(histogram: &Histogram) -> Vec<DurationSlot> {
    let slots: Vec<(i16, i64)> = histogram.slots().collect();
    let (Some((first, _)), Some((last, _))) = (slots.first(), slots.last()) else { return Vec::new() };
    let edge = |group: i16| (f64::from(group * TOGETHER) / PER_OCTAVE).exp2() / 1_000.0;
    let told = |group: i16| DurationSlot {
        from_ms: edge(group),
        to_ms: edge(group + 1),
        count: slots.iter().filter(|(slot, _)| slot.div_euclid(TOGETHER) == group).map(|(_, count)| count).sum(),
    };
    (first.div_euclid(TOGETHER)..=last.div_euclid(TOGETHER)).map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_no_gap_and_lose_nothing() {
        let mut histogram = Histogram::default();
        histogram.add(&[80, 81, 84, 97], &[3, 4, 1, 2]);
        let told = durations(&histogram);
        assert_eq!(told.iter().map(|slot| slot.count).collect::<Vec<_>>(), [7, 1, 0, 0, 2]);
        assert!(told.windows(2).all(|two| (two[0].to_ms - two[1].from_ms).abs() < 1e-9));
        assert!((told[0].from_ms - 1.024).abs() < 1e-9, "2^10 us");
        assert!(durations(&Histogram::default()).is_empty());
    }
}
