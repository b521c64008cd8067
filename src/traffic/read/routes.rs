//! Routes: how often, how long, how well.

use std::collections::HashMap;

use serde::Serialize;
use time::OffsetDateTime;
use tokio_postgres::{Row, types::Type};

use super::{
    super::{
        cover::{Cover, Level},
        histogram::Histogram,
        quiet::Quiet,
        snapshot::{Param, Snapshot},
        span::Span,
        traffic::Traffic,
    },
    page::{Place, like, limit},
    range::{Range, RangeShown, rfc3339},
    series::mean_ms,
    spark::Axis,
    sql,
};
use crate::error::Error;

/// What was asked of one route.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RouteRow {
    /// Its method.
    pub method: String,
    /// Its name; `<unmatched>` stands for all requests that no route matched.
    pub route: String,
    /// Requests.
    pub count: i64,
    /// The mean duration.
    pub average_duration_ms: f64,
    /// Half of them were as quick.
    pub p50_ms: Option<f64>,
    /// 95 of 100 were as quick.
    pub p95_ms: Option<f64>,
    /// The slowest.
    pub max_ms: f64,
    /// Those with a status from 400 on.
    pub error_count: i64,
    /// The same as a share, from 0 to 1.
    pub error_rate: f64,
    /// Slow ones.
    pub slow_count: i64,
    /// When the last one came in.
    #[serde(serialize_with = "rfc3339")]
    pub last_seen: OffsetDateTime,
    /// Requests by time: the range in at most 24 parts, each of whole hours or of whole days.
    pub spark: Vec<i64>,
}

impl RouteRow {
    #[expect(clippy::cast_possible_truncation, reason = "microseconds that came as an integer")]
    pub(super) fn max_us(&self) -> i64 {
        (self.max_ms * 1_000.0).round() as i64
    }
}

/// What routes are sorted by: the most first, but for the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RouteSort {
    /// Requests.
    #[default]
    Count,
    /// The mean duration.
    Average,
    /// The slowest.
    Max,
    /// Errors.
    Errors,
    /// The share of errors.
    ErrorRate,
    /// Slow ones.
    Slow,
    /// When the last one came in.
    LastSeen,
    /// The name.
    Route,
}

impl std::str::FromStr for RouteSort {
    type Err = Error;

    /// # Errors
    /// `Validation` when it is not the key of a column.
    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "count" => Self::Count,
            "averageDurationMs" | "average" => Self::Average,
            "maxMs" | "max" => Self::Max,
            "errorCount" | "errors" => Self::Errors,
            "errorRate" => Self::ErrorRate,
            "slowCount" | "slow" => Self::Slow,
            "lastSeen" => Self::LastSeen,
            "route" => Self::Route,
            _ => return Err(crate::error::ValidationError::new("sort", "is not the key of a sortable column").into()),
        })
    }
}

impl RouteSort {
    fn sql(self) -> &'static str {
        match self {
            Self::Count => "n::float8",
            Self::Average => "(sum_us / n)::float8",
            Self::Max => "max_us::float8",
            Self::Errors => "error_n::float8",
            Self::ErrorRate => "(error_n::float8 / n)",
            Self::Slow => "slow_n::float8",
            Self::LastSeen => "extract(epoch FROM last_at)::float8",
            Self::Route => "0::float8",
        }
    }
}

/// Which routes are meant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RoutesQuery {
    /// When.
    pub range: Range,
    /// In which order.
    pub sort: RouteSort,
    /// At most so many: 1 to 500.
    pub limit: u32,
    /// Behind the page that gave it, with the same range and order.
    pub cursor: Option<String>,
    /// A part of the name.
    pub search: Option<String>,
    /// Only this method.
    pub method: Option<String>,
}

impl RoutesQuery {
    /// The 50 with the most requests.
    pub fn new(range: Range) -> Self {
        Self { range, sort: RouteSort::default(), limit: 50, cursor: None, search: None, method: None }
    }
}

/// A page of routes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Routes {
    /// What was counted.
    pub range: RangeShown,
    /// The routes.
    pub routes: Vec<RouteRow>,
    /// For the next page; without it this is the last.
    pub next: Option<String>,
}

pub(super) const LEVELS: [Level; 2] = [Level::Day, Level::Hour];

/// What a list of routes selects from `one`, which is all of them summed up.
const COLUMNS: &str = "method, route, n, error_n, slow_n, sum_us::float8, max_us, last_at";

/// All routes, summed up.
fn summed(cover: &Cover) -> String {
    format!(
        "SELECT method, route, sum(n)::bigint AS n, sum(error_n)::bigint AS error_n, sum(slow_n)::bigint AS slow_n, \
         sum(sum_us) AS sum_us, max(max_us) AS max_us, max(last_at) AS last_at FROM ({}) AS cells GROUP BY 1, 2",
        sql::routes(cover)
    )
}

impl Traffic {
    /// Routes with their counts; percentiles and sparks of those that are on the page.
    ///
    /// # Errors
    /// `Validation` when the limit or the cursor is none; `Driver`.
    ///
    /// # Cancel safety
    /// Dropping it abandons the question, and its connection.
    pub async fn routes(&self, query: &RoutesQuery) -> Result<Routes, Error> {
        let limit = limit(query.limit)?;
        let place = query.cursor.as_deref().map(Place::read).transpose()?;
        let snapshot = Snapshot::open(&self.0).await?;
        let span = query.range.0.effective(snapshot.horizons());
        let marks = snapshot.marks(span).await?;
        let cover = snapshot.cover(span, &LEVELS, &marks);

        let behind = place.is_some();
        let Place { number, texts: [method, route] } =
            place.unwrap_or(Place { number: 0.0, texts: [String::new(), String::new()] });
        let (method, route) = (Quiet(method), Quiet(route));
        let (search, only) = (Quiet(query.search.as_deref().map(like)), Quiet(query.method.clone()));
        let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let params: [Param<'_>; 6] = [
            (&number, Type::FLOAT8),
            (&method, Type::TEXT),
            (&route, Type::TEXT),
            (&search, Type::TEXT),
            (&only, Type::TEXT),
            (&most, Type::INT8),
        ];
        // The name comes first where it is what is sorted by.
        let names = if query.sort == RouteSort::Route {
            ("(route, method)", "($3, $2)", "route, method")
        } else {
            ("(method, route)", "($2, $3)", "method, route")
        };
        let behind =
            if behind { format!("AND (key < $1 OR key = $1 AND {} > {})", names.0, names.1) } else { String::new() };
        let sql = format!(
            "SELECT {COLUMNS}, key FROM (SELECT *, {} AS key FROM ({}) AS sums) AS one \
             WHERE ($4 IS NULL OR route ILIKE $4) AND ($5 IS NULL OR method = $5) {behind} \
             ORDER BY key DESC, {} LIMIT $6",
            query.sort.sql(),
            summed(&cover),
            names.2
        );
        let rows = snapshot.rows(&sql, &params).await?;
        let mut routes: Vec<RouteRow> =
            rows.iter().take(limit).map(|row| read(&snapshot, row)).collect::<Result<_, _>>()?;
        let next = match rows.get(limit.wrapping_sub(1)).filter(|_| rows.len() > limit) {
            Some(last) => {
                let texts = [snapshot.get(last, 0)?, snapshot.get(last, 1)?];
                Some(Place { number: snapshot.get(last, 8)?, texts }.text())
            }
            None => None,
        };
        refine(&snapshot, &cover, span, &mut routes).await?;
        let Axis { part, .. } = Axis::of(span, snapshot.horizons());
        snapshot.end().await?;
        Ok(Routes { range: RangeShown::of(span, part), routes, next })
    }
}

/// The routes with the most requests, and the slowest on average, at most ten each.
pub(super) async fn tops(
    snapshot: &Snapshot<'_>,
    cover: &Cover,
    span: Span,
) -> Result<(Vec<RouteRow>, Vec<RouteRow>), Error> {
    let sql = format!(
        "SELECT {COLUMNS}, by_n, by_mean FROM (SELECT *, row_number() OVER (ORDER BY n DESC, method, route) AS by_n, \
         row_number() OVER (ORDER BY sum_us / n DESC, method, route) AS by_mean FROM ({}) AS sums) AS one \
         WHERE by_n <= 10 OR by_mean <= 10",
        summed(cover)
    );
    let rows = snapshot.rows(&sql, &[]).await?;
    let mut routes: Vec<RouteRow> = rows.iter().map(|row| read(snapshot, row)).collect::<Result<_, _>>()?;
    refine(snapshot, cover, span, &mut routes).await?;
    let ranked = |column| -> Result<Vec<RouteRow>, Error> {
        let mut ranked: Vec<(i64, &RouteRow)> = Vec::new();
        for (row, route) in rows.iter().zip(&routes) {
            ranked.push((snapshot.get(row, column)?, route));
        }
        ranked.sort_by_key(|(rank, _)| *rank);
        Ok(ranked.into_iter().take(10).map(|(_, route)| route.clone()).collect())
    };
    Ok((ranked(8)?, ranked(9)?))
}

/// One route, where there is any request of it.
pub(super) async fn one(
    snapshot: &Snapshot<'_>,
    cover: &Cover,
    span: Span,
    method: &str,
    route: &str,
) -> Result<Option<RouteRow>, Error> {
    let (method, route) = (Quiet(method), Quiet(route));
    let params: [Param<'_>; 2] = [(&method, Type::TEXT), (&route, Type::TEXT)];
    let sql = format!("SELECT {COLUMNS} FROM ({}) AS sums WHERE method = $1 AND route = $2", summed(cover));
    let rows = snapshot.rows(&sql, &params).await?;
    let mut routes: Vec<RouteRow> = rows.iter().map(|row| read(snapshot, row)).collect::<Result<_, _>>()?;
    refine(snapshot, cover, span, &mut routes).await?;
    Ok(routes.pop())
}

#[expect(clippy::cast_precision_loss, reason = "rates and milliseconds")]
fn read(snapshot: &Snapshot<'_>, row: &Row) -> Result<RouteRow, Error> {
    let (n, errors, max_us): (i64, i64, i64) = (snapshot.get(row, 2)?, snapshot.get(row, 3)?, snapshot.get(row, 6)?);
    Ok(RouteRow {
        method: snapshot.get(row, 0)?,
        route: snapshot.get(row, 1)?,
        count: n,
        average_duration_ms: mean_ms(snapshot.get(row, 5)?, n).unwrap_or_default(),
        p50_ms: None,
        p95_ms: None,
        max_ms: max_us as f64 / 1_000.0,
        error_count: errors,
        error_rate: errors as f64 / n.max(1) as f64,
        slow_count: snapshot.get(row, 4)?,
        last_seen: snapshot.get(row, 7)?,
        spark: Vec::new(),
    })
}

/// Percentiles and sparks of these routes.
async fn refine(snapshot: &Snapshot<'_>, cover: &Cover, span: Span, routes: &mut [RouteRow]) -> Result<(), Error> {
    let (methods, names): (Vec<&str>, Vec<&str>) =
        routes.iter().map(|route| (route.method.as_str(), route.route.as_str())).unzip();
    let (methods, names) = (Quiet(methods), Quiet(names));
    let params: [Param<'_>; 2] = [(&methods, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
    let mut histograms: HashMap<(String, String), Histogram> = HashMap::new();
    for row in snapshot.rows(&sql::route_slots(cover), &params).await? {
        let key = (snapshot.get(&row, 0)?, snapshot.get(&row, 1)?);
        snapshot.add_slots(&row, 2, histograms.entry(key).or_default())?;
    }
    let axis = Axis::of(span, snapshot.horizons());
    let marks = snapshot.marks(span).await?;
    let cover = snapshot.cover(span, axis.levels(), &marks);
    let counts = format!(
        "SELECT method, route, {}, sum(n)::bigint FROM ({}) AS cells GROUP BY 1, 2, 3",
        axis.number(),
        sql::route_counts(&cover)
    );
    let mut sparks: HashMap<(String, String), Vec<i64>> = HashMap::new();
    for row in snapshot.rows(&counts, &params).await? {
        let spark = sparks.entry((snapshot.get(&row, 0)?, snapshot.get(&row, 1)?)).or_insert_with(|| axis.empty());
        axis.set(spark, snapshot.get(&row, 2)?, snapshot.get(&row, 3)?);
    }
    for route in routes {
        let key = (route.method.clone(), route.route.clone());
        if let Some(histogram) = histograms.get(&key) {
            let max_us = route.max_us();
            route.p50_ms = histogram.quantile(0.5, max_us);
            route.p95_ms = histogram.quantile(0.95, max_us);
        }
        route.spark = sparks.remove(&key).unwrap_or_default();
    }
    Ok(())
}
