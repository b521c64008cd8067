//! The overview.

use serde::Serialize;
use time::OffsetDateTime;

use super::{
    super::{
        cover::{Cover, Horizons, Level, Marks},
        snapshot::Snapshot,
        span::{Span, literal, moment},
        traffic::Traffic,
    },
    live::{self, LiveRow},
    range::{Range, RangeShown, some_rfc3339},
    routes::{self, RouteRow},
    series::{self, TimelineBucket},
    sql,
    users::unique,
};
use crate::error::Error;

/// What is asked of the overview.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OverviewQuery {
    /// When.
    pub range: Range,
    /// Whether the same length of time before is told too.
    pub compare: bool,
    /// How many of the latest requests: up to 100.
    pub latest: u32,
}

impl OverviewQuery {
    /// With the ten latest requests, compared with the time before.
    pub fn new(range: Range) -> Self {
        Self { range, compare: true, latest: 10 }
    }

    /// Whether the same length of time before is told too.
    #[must_use]
    pub fn compare(mut self, compare: bool) -> Self {
        self.compare = compare;
        self
    }
}

/// Everything at a glance.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Overview {
    /// What was counted.
    pub range: RangeShown,
    /// Requests.
    pub total_requests: i64,
    /// Their mean duration.
    pub average_duration_ms: Option<f64>,
    /// Half of them were as quick.
    pub p50_ms: Option<f64>,
    /// 95 of 100 were as quick.
    pub p95_ms: Option<f64>,
    /// 99 of 100 were as quick.
    pub p99_ms: Option<f64>,
    /// Slow ones.
    pub slow_request_count: i64,
    /// Those with a status from 400 on.
    pub error_request_count: i64,
    /// Users that were seen, those without an id not counted.
    pub unique_users: i64,
    /// The same of the last five minutes, whatever the range.
    pub active_users_last_five_minutes: i64,
    /// At most ten, those with the most requests first.
    pub top_routes: Vec<RouteRow>,
    /// At most ten, the slowest on average first.
    pub slowest_routes: Vec<RouteRow>,
    /// Requests by status, in ascending order.
    pub status_code_summary: Vec<StatusCount>,
    /// The latest requests of the range, the newest first.
    pub latest_requests: Vec<LiveRow>,
    /// Requests by time.
    pub requests_timeline: Vec<TimelineBucket>,
    /// Requests by weekday, from Monday on, and by hour.
    pub week_hours: [[i64; 24]; 7],
    /// The same length of time before, where it was asked for and at least 95 % of it is left by the retention.
    pub previous: Option<Previous>,
    /// Up to where everything is rolled up but for late rows, which are counted all the same.
    #[serde(serialize_with = "some_rfc3339")]
    pub rolled_up_to: Option<OffsetDateTime>,
}

/// Requests with one status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StatusCount {
    /// The status.
    pub status_code: i16,
    /// Requests.
    pub count: i64,
}

/// What there was before, to compare with.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Previous {
    /// When.
    pub range: RangeShown,
    /// Requests.
    pub total_requests: i64,
    /// Their mean duration.
    pub average_duration_ms: Option<f64>,
    /// Half of them were as quick.
    pub p50_ms: Option<f64>,
    /// 95 of 100 were as quick.
    pub p95_ms: Option<f64>,
    /// 99 of 100 were as quick.
    pub p99_ms: Option<f64>,
    /// Slow ones.
    pub slow_request_count: i64,
    /// Those with a status from 400 on.
    pub error_request_count: i64,
    /// Users that were seen.
    pub unique_users: i64,
}

impl Traffic {
    /// Everything at a glance, of one moment.
    ///
    /// # Errors
    /// `Driver`.
    ///
    /// # Cancel safety
    /// Dropping it abandons the question, and its connection.
    pub async fn overview(&self, query: &OverviewQuery) -> Result<Overview, Error> {
        let snapshot = Snapshot::open(&self.0).await?;
        let asked = query.range.0;
        let span = asked.effective(snapshot.horizons());
        let before = Span { from: asked.from.saturating_sub(asked.to - asked.from), to: asked.from };
        let before = Some(before).filter(|_| query.compare).and_then(|before| left(before, snapshot.horizons()));
        let first = before.map_or(span.from, |before| before.from.min(span.from));
        let marks = snapshot.marks(Span { from: first, to: span.to }).await?;

        let bucket = series::bucket(span, snapshot.horizons());
        let cover = series::cover(&snapshot, span, &marks, bucket);
        let sums = series::sums(&snapshot, &cover, bucket).await?;
        let whole = series::whole(&sums);
        let by_route = snapshot.cover(span, &routes::LEVELS, &marks);
        let (top_routes, slowest_routes) = routes::tops(&snapshot, &by_route, span).await?;
        let overview = Overview {
            range: RangeShown::of(span, bucket),
            total_requests: whole.n,
            average_duration_ms: whole.average_ms(),
            p50_ms: whole.quantile(0.5),
            p95_ms: whole.quantile(0.95),
            p99_ms: whole.quantile(0.99),
            slow_request_count: whole.slow,
            error_request_count: whole.errors(),
            unique_users: unique(&snapshot, span, &marks).await?,
            active_users_last_five_minutes: active(&snapshot).await?,
            top_routes,
            slowest_routes,
            status_code_summary: statuses(&snapshot, &by_route).await?,
            latest_requests: latest(&snapshot, span, query.latest).await?,
            requests_timeline: series::timeline(&sums, span, bucket),
            week_hours: week_hours(&snapshot, span, &marks).await?,
            previous: match before {
                Some(before) => Some(previous(&snapshot, before, &marks).await?),
                None => None,
            },
            rolled_up_to: snapshot.watermark().map(moment),
        };
        snapshot.end().await?;
        Ok(overview)
    }
}

/// What is left of the time before, where that is nearly all of it: less of it is nothing to compare with.
fn left(before: Span, horizons: &Horizons) -> Option<Span> {
    let left = before.effective(horizons);
    let dropped = left.from.saturating_sub(before.from).max(0);
    (dropped.saturating_mul(20) <= before.to - before.from).then_some(left)
}

async fn previous(snapshot: &Snapshot<'_>, span: Span, marks: &Marks) -> Result<Previous, Error> {
    // One bucket: nothing is told by time.
    let bucket = 86_400 * 10_000;
    let cover = series::cover(snapshot, span, marks, bucket);
    let whole = series::whole(&series::sums(snapshot, &cover, bucket).await?);
    Ok(Previous {
        range: RangeShown::of(span, (span.to - span.from) / 1_000_000),
        total_requests: whole.n,
        average_duration_ms: whole.average_ms(),
        p50_ms: whole.quantile(0.5),
        p95_ms: whole.quantile(0.95),
        p99_ms: whole.quantile(0.99),
        slow_request_count: whole.slow,
        error_request_count: whole.errors(),
        unique_users: unique(snapshot, span, marks).await?,
    })
}

async fn active(snapshot: &Snapshot<'_>) -> Result<i64, Error> {
    let (from, to) = (literal(snapshot.now() - 300_000_000), literal(snapshot.now()));
    let sql = format!(
        "SELECT count(DISTINCT user_id) FROM \"traffic_logs\" \
         WHERE started_at >= {from} AND started_at <= {to} AND user_id <> ''"
    );
    let rows = snapshot.rows(&sql, &[]).await?;
    rows.first().map_or(Ok(0), |row| snapshot.get(row, 0))
}

async fn statuses(snapshot: &Snapshot<'_>, cover: &Cover) -> Result<Vec<StatusCount>, Error> {
    let sql =
        format!("SELECT status_code, sum(n)::bigint FROM ({}) AS cells GROUP BY 1 ORDER BY 1", sql::statuses(cover));
    let rows = snapshot.rows(&sql, &[]).await?;
    rows.iter()
        .map(|row| Ok(StatusCount { status_code: snapshot.get(row, 0)?, count: snapshot.get(row, 1)? }))
        .collect()
}

async fn latest(snapshot: &Snapshot<'_>, span: Span, limit: u32) -> Result<Vec<LiveRow>, Error> {
    let sql = format!(
        "SELECT {} FROM \"traffic_logs\" WHERE started_at >= {} AND started_at < {} \
         ORDER BY started_at DESC, id DESC LIMIT {}",
        live::COLUMNS,
        literal(span.from),
        literal(span.to),
        limit.min(100)
    );
    let rows = snapshot.rows(&sql, &[]).await?;
    rows.iter().map(|row| LiveRow::read(snapshot, row)).collect()
}

async fn week_hours(snapshot: &Snapshot<'_>, span: Span, marks: &Marks) -> Result<[[i64; 24]; 7], Error> {
    let horizons = Horizons { hour: snapshot.horizons().day, ..*snapshot.horizons() };
    let cover = Cover::of(span, &[Level::Hour, Level::Minute], marks, &horizons);
    let sql = format!(
        "SELECT extract(isodow FROM at AT TIME ZONE 'UTC')::int, extract(hour FROM at AT TIME ZONE 'UTC')::int, \
         sum(n)::bigint FROM ({}) AS cells GROUP BY 1, 2",
        sql::totals(&cover)
    );
    let mut cells = [[0; 24]; 7];
    for row in snapshot.rows(&sql, &[]).await? {
        let (day, hour): (i32, i32) = (snapshot.get(&row, 0)?, snapshot.get(&row, 1)?);
        let (day, hour) = (usize::try_from(day - 1).unwrap_or_default(), usize::try_from(hour).unwrap_or_default());
        if let Some(cell) = cells.get_mut(day).and_then(|hours| hours.get_mut(hour)) {
            *cell = snapshot.get(&row, 2)?;
        }
    }
    Ok(cells)
}
