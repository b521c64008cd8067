//! What went wrong.

use std::collections::HashMap;

use serde::Serialize;
use time::OffsetDateTime;
use tokio_postgres::types::Type;

use super::{
    super::{
        cover::Marks,
        quiet::Quiet,
        snapshot::{Param, Snapshot},
        span::{Span, literal},
        traffic::Traffic,
    },
    filter::RequestFilter,
    live::{self, LiveRow},
    page::limit,
    range::{Range, RangeShown, rfc3339},
    routes::LEVELS,
    spark::Axis,
    sql,
};
use crate::error::Error;

/// Requests of one route that ended in one status.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ErrorGroup {
    /// The method.
    pub method: String,
    /// The route.
    pub route: String,
    /// The status.
    pub status_code: i16,
    /// Requests.
    pub count: i64,
    /// When the first one came in.
    #[serde(serialize_with = "rfc3339")]
    pub first_seen: OffsetDateTime,
    /// When the last one came in.
    #[serde(serialize_with = "rfc3339")]
    pub last_seen: OffsetDateTime,
    /// Whether the same request may go through later, going by the status.
    pub retryable: bool,
    /// Requests by time: the range in at most 24 parts, each of whole hours or of whole days.
    pub spark: Vec<i64>,
}

/// Requests by how they failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ErrorClasses {
    /// The client's fault: from 400 to 498.
    pub client: i64,
    /// The client was gone: 499.
    pub aborted: i64,
    /// The server's fault: from 500 on.
    pub server: i64,
}

/// Which errors are meant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ErrorsQuery {
    /// When.
    pub range: Range,
    /// Conditions. Groups know no users and no durations: these hold for the latest only.
    pub filter: RequestFilter,
    /// The most groups, and the most of the latest: 1 to 500 each.
    pub limit: u32,
}

impl ErrorsQuery {
    /// All of them; the 50 largest groups and the 50 latest requests.
    pub fn new(range: Range) -> Self {
        Self { range, filter: RequestFilter::default(), limit: 50 }
    }
}

/// What went wrong.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Errors {
    /// What was counted.
    pub range: RangeShown,
    /// All groups by how they failed, those beyond the limit too.
    pub classes: ErrorClasses,
    /// The largest first.
    pub groups: Vec<ErrorGroup>,
    /// The newest first.
    pub latest: Vec<LiveRow>,
}

impl Traffic {
    /// Requests with a status from 400 on: by route and status, and the latest one by one.
    ///
    /// # Errors
    /// `Validation` when the limit is none; `Driver`.
    ///
    /// # Cancel safety
    /// Dropping it abandons the question, and its connection.
    pub async fn errors(&self, query: &ErrorsQuery) -> Result<Errors, Error> {
        let most = i64::try_from(limit(query.limit)?).unwrap_or(i64::MAX);
        let snapshot = Snapshot::open(&self.0).await?;
        let span = query.range.0.effective(snapshot.horizons());
        let marks = snapshot.marks(span).await?;
        let cover = snapshot.cover(span, &LEVELS, &marks);
        let (method, route) = (Quiet(query.filter.method.clone()), Quiet(query.filter.route.clone()));
        let code = |code: Option<u16>, usual| code.map_or(usual, |code| i16::try_from(code).unwrap_or(i16::MAX));
        let (from, to) = (code(query.filter.status_from, 400), code(query.filter.status_to, i16::MAX));
        let params: [Param<'_>; 5] =
            [(&method, Type::TEXT), (&route, Type::TEXT), (&from, Type::INT2), (&to, Type::INT2), (&most, Type::INT8)];
        let groups = format!(
            "SELECT method, route, status_code, n, first_at, last_at, \
             coalesce(sum(n) FILTER (WHERE status_code < 499) OVER (), 0)::bigint, \
             coalesce(sum(n) FILTER (WHERE status_code = 499) OVER (), 0)::bigint, \
             coalesce(sum(n) FILTER (WHERE status_code > 499) OVER (), 0)::bigint \
             FROM (SELECT method, route, status_code, sum(n)::bigint AS n, min(first_at) AS first_at, \
             max(last_at) AS last_at FROM ({}) AS cells WHERE ($1 IS NULL OR method = $1) \
             AND ($2 IS NULL OR route = $2) AND status_code BETWEEN $3 AND $4 GROUP BY 1, 2, 3) AS one \
             ORDER BY n DESC, method, route, status_code LIMIT $5",
            sql::errors(&cover)
        );
        let rows = snapshot.rows(&groups, &params).await?;
        let mut classes = ErrorClasses::default();
        let mut groups = Vec::with_capacity(rows.len());
        for row in &rows {
            classes = ErrorClasses {
                client: snapshot.get(row, 6)?,
                aborted: snapshot.get(row, 7)?,
                server: snapshot.get(row, 8)?,
            };
            let status_code = snapshot.get(row, 2)?;
            groups.push(ErrorGroup {
                method: snapshot.get(row, 0)?,
                route: snapshot.get(row, 1)?,
                status_code,
                count: snapshot.get(row, 3)?,
                first_seen: snapshot.get(row, 4)?,
                last_seen: snapshot.get(row, 5)?,
                retryable: matches!(status_code, 408 | 429 | 500 | 502 | 503 | 504),
                spark: Vec::new(),
            });
        }
        sparks(&snapshot, span, &marks, &mut groups).await?;
        let bound = query.filter.bound();
        let latest = format!(
            "SELECT {} FROM \"traffic_logs\" WHERE started_at >= {} AND started_at < {} AND status_code >= 400 AND {} \
             ORDER BY started_at DESC, id DESC LIMIT {most}",
            live::COLUMNS,
            literal(span.from),
            literal(span.to),
            bound.sql()
        );
        let latest = snapshot.rows(&latest, &bound.params()).await?;
        let latest = latest.iter().map(|row| LiveRow::read(&snapshot, row)).collect::<Result<_, _>>()?;
        snapshot.end().await?;
        Ok(Errors { range: RangeShown::of(span, 3_600), classes, groups, latest })
    }
}

/// When the requests of these groups came.
async fn sparks(snapshot: &Snapshot<'_>, span: Span, marks: &Marks, groups: &mut [ErrorGroup]) -> Result<(), Error> {
    let axis = Axis::of(span, snapshot.horizons());
    let cover = snapshot.cover(span, axis.levels(), marks);
    let methods: Quiet<Vec<String>> = Quiet(groups.iter().map(|group| group.method.clone()).collect());
    let routes: Quiet<Vec<String>> = Quiet(groups.iter().map(|group| group.route.clone()).collect());
    let statuses: Vec<i16> = groups.iter().map(|group| group.status_code).collect();
    let params: [Param<'_>; 3] =
        [(&methods, Type::TEXT_ARRAY), (&routes, Type::TEXT_ARRAY), (&statuses, Type::INT2_ARRAY)];
    let counts = format!(
        "SELECT method, route, status_code, {}, sum(n)::bigint FROM ({}) AS cells \
         WHERE (method, route, status_code) IN (SELECT * FROM unnest($1, $2, $3)) GROUP BY 1, 2, 3, 4",
        axis.number(),
        sql::error_counts(&cover)
    );
    let mut sparks: HashMap<(String, String, i16), Vec<i64>> = HashMap::new();
    for row in snapshot.rows(&counts, &params).await? {
        let key = (snapshot.get(&row, 0)?, snapshot.get(&row, 1)?, snapshot.get(&row, 2)?);
        axis.set(sparks.entry(key).or_insert_with(|| axis.empty()), snapshot.get(&row, 3)?, snapshot.get(&row, 4)?);
    }
    for group in groups {
        let key = (group.method.clone(), group.route.clone(), group.status_code);
        group.spark = sparks.remove(&key).unwrap_or_default();
    }
    Ok(())
}
