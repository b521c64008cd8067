//! From a cover to what is summed up: the same columns from each of its sources.

use super::super::{
    cover::Cover,
    histogram::SLOT,
    roll::{ROUTE, TOTALS, USER},
    span::within,
};

/// The rows of a cover that are read one by one.
pub(super) fn raw(cover: &Cover) -> String {
    within("started_at", &cover.raw)
}

/// Totals: `at` (to the minute), `n` to `n5`, `slow_n`, `sum_us`, `max_us`.
pub(super) fn totals(cover: &Cover) -> String {
    let columns = "at, n, n2, n3, n4, n5, slow_n, sum_us, max_us";
    let mut parts: Vec<String> = rollups(cover, "total")
        .map(|(table, when)| format!("SELECT {columns} FROM \"traffic_logs_{table}\" WHERE {when}"))
        .collect();
    if !cover.raw.is_empty() {
        parts.push(format!(
            "SELECT date_trunc('minute', started_at, 'UTC') AS at, {TOTALS} FROM \"traffic_logs\" WHERE {} GROUP BY 1",
            raw(cover)
        ));
    }
    union(&parts, "SELECT at, n, n2, n3, n4, n5, slow_n, sum_us, max_us FROM \"traffic_logs_total_1m\" WHERE false")
}

/// Their durations, to be summed up: `at` (to the bucket, of so many seconds), `slots`, `counts`.
pub(super) fn total_slots(cover: &Cover, bucket: i64) -> String {
    let mut parts: Vec<String> = rollups(cover, "total")
        .map(|(table, when)| {
            format!("SELECT at, hist_b AS slots, hist_n AS counts FROM \"traffic_logs_{table}\" WHERE {when}")
        })
        .collect();
    if !cover.raw.is_empty() {
        parts.push(format!(
            "SELECT {}, {} FROM \"traffic_logs\" WHERE {} GROUP BY 1, {SLOT}",
            binned(bucket),
            slots(),
            raw(cover)
        ));
    }
    union(&parts, "SELECT at, hist_b AS slots, hist_n AS counts FROM \"traffic_logs_total_1m\" WHERE false")
}

/// The durations of rows that are grouped by their slot: a histogram of one.
fn slots() -> String {
    format!("ARRAY[{SLOT}] AS slots, ARRAY[sum(weight)::bigint] AS counts")
}

/// The begin of the bucket, of so many seconds, that a row is in.
fn binned(bucket: i64) -> String {
    format!("date_bin('{bucket} s', started_at, timestamptz '1970-01-01Z') AS at")
}

/// Routes: `method`, `route`, `n`, `error_n`, `slow_n`, `sum_us`, `max_us`, `last_at`.
pub(super) fn routes(cover: &Cover) -> String {
    let columns = "method, route, n, error_n, slow_n, sum_us, max_us, last_at";
    let mut parts: Vec<String> = rollups(cover, "route")
        .map(|(table, when)| format!("SELECT {columns} FROM \"traffic_logs_{table}\" WHERE {when}"))
        .collect();
    if !cover.raw.is_empty() {
        parts.push(format!(
            "SELECT method, coalesce(rollup_route, route) AS route, {ROUTE} FROM \"traffic_logs\" WHERE {} GROUP BY 1, 2",
            raw(cover)
        ));
    }
    union(&parts, &format!("SELECT {columns} FROM \"traffic_logs_route_1h\" WHERE false"))
}

const LISTED: &str = "(method, route) IN (SELECT * FROM unnest($1::text[], $2::text[]))";
/// The same of rows.
const LISTED_ROWS: &str = "(method, coalesce(rollup_route, route)) IN (SELECT * FROM unnest($1::text[], $2::text[]))";

/// The durations of the routes whose methods are `$1` and whose names are `$2`, to be summed up: `method`, `route`, `slots`,
/// `counts`.
pub(super) fn route_slots(cover: &Cover) -> String {
    let mut parts: Vec<String> = rollups(cover, "route")
        .map(|(table, when)| {
            format!(
                "SELECT method, route, hist_b AS slots, hist_n AS counts FROM \"traffic_logs_{table}\" \
                 WHERE {when} AND {LISTED}"
            )
        })
        .collect();
    if !cover.raw.is_empty() {
        parts.push(format!(
            "SELECT method, coalesce(rollup_route, route) AS route, {} FROM \"traffic_logs\" \
             WHERE {} AND {LISTED_ROWS} GROUP BY 1, 2, {SLOT}",
            slots(),
            raw(cover)
        ));
    }
    let nothing = format!(
        "SELECT method, route, hist_b AS slots, hist_n AS counts FROM \"traffic_logs_route_1h\" WHERE false AND {LISTED}"
    );
    union(&parts, &nothing)
}

/// Requests of the same routes by time: `at` (to the hour), `method`, `route`, `n`.
pub(super) fn route_counts(cover: &Cover) -> String {
    let mut parts: Vec<String> = rollups(cover, "route")
        .map(|(table, when)| {
            format!("SELECT at, method, route, n FROM \"traffic_logs_{table}\" WHERE {when} AND {LISTED}")
        })
        .collect();
    if !cover.raw.is_empty() {
        parts.push(format!(
            "SELECT date_trunc('hour', started_at, 'UTC') AS at, method, coalesce(rollup_route, route) AS route, \
             sum(weight)::bigint AS n FROM \"traffic_logs\" WHERE {} AND {LISTED_ROWS} GROUP BY 1, 2, 3",
            raw(cover)
        ));
    }
    let nothing = format!("SELECT at, method, route, n FROM \"traffic_logs_route_1h\" WHERE false AND {LISTED}");
    union(&parts, &nothing)
}

/// The route whose method is `$1` and whose name is `$2`, by time: `at` (to the minute), `n`, `error_n`, `slow_n`, `max_us`.
pub(super) fn one_route(cover: &Cover) -> String {
    let mut parts: Vec<String> = rollups(cover, "route")
        .map(|(table, when)| {
            format!("SELECT at, n, error_n, slow_n, max_us FROM \"traffic_logs_{table}\" WHERE {when} AND {NAMED}")
        })
        .collect();
    if !cover.raw.is_empty() {
        parts.push(format!(
            "SELECT at, n, error_n, slow_n, max_us FROM (SELECT date_trunc('minute', started_at, 'UTC') AS at, {ROUTE} \
             FROM \"traffic_logs\" WHERE {} AND method = $1 AND coalesce(rollup_route, route) = $2 GROUP BY 1) AS fresh",
            raw(cover)
        ));
    }
    let nothing =
        format!("SELECT at, n, error_n, slow_n, max_us FROM \"traffic_logs_route_1h\" WHERE false AND {NAMED}");
    union(&parts, &nothing)
}

const NAMED: &str = "method = $1 AND route = $2";

/// Its durations, to be summed up: `at` (to the bucket, of so many seconds), `slots`, `counts`.
pub(super) fn one_route_slots(cover: &Cover, bucket: i64) -> String {
    let mut parts: Vec<String> = rollups(cover, "route")
        .map(|(table, when)| {
            format!(
                "SELECT at, hist_b AS slots, hist_n AS counts FROM \"traffic_logs_{table}\" WHERE {when} AND {NAMED}"
            )
        })
        .collect();
    if !cover.raw.is_empty() {
        parts.push(format!(
            "SELECT {}, {} FROM \"traffic_logs\" \
             WHERE {} AND method = $1 AND coalesce(rollup_route, route) = $2 GROUP BY 1, {SLOT}",
            binned(bucket),
            slots(),
            raw(cover)
        ));
    }
    let nothing =
        format!("SELECT at, hist_b AS slots, hist_n AS counts FROM \"traffic_logs_route_1h\" WHERE false AND {NAMED}");
    union(&parts, &nothing)
}

/// Statuses: `status_code`, `n`.
pub(super) fn statuses(cover: &Cover) -> String {
    let mut parts: Vec<String> = rollups(cover, "status")
        .map(|(table, when)| format!("SELECT status_code, n FROM \"traffic_logs_{table}\" WHERE {when}"))
        .collect();
    if !cover.raw.is_empty() {
        parts.push(format!(
            "SELECT status_code, sum(weight)::bigint AS n FROM \"traffic_logs\" WHERE {} GROUP BY 1",
            raw(cover)
        ));
    }
    union(&parts, "SELECT status_code, n FROM \"traffic_logs_status_1h\" WHERE false")
}

/// Errors: `method`, `route`, `status_code`, `n`, `first_at`, `last_at`.
pub(super) fn errors(cover: &Cover) -> String {
    let columns = "method, route, status_code, n, first_at, last_at";
    let mut parts: Vec<String> = rollups(cover, "error")
        .map(|(table, when)| format!("SELECT {columns} FROM \"traffic_logs_{table}\" WHERE {when}"))
        .collect();
    if !cover.raw.is_empty() {
        parts.push(format!(
            "SELECT method, coalesce(rollup_route, route) AS route, status_code, sum(weight)::bigint AS n, \
             min(started_at) AS first_at, max(started_at) AS last_at FROM \"traffic_logs\" \
             WHERE status_code >= 400 AND {} GROUP BY 1, 2, 3",
            raw(cover)
        ));
    }
    union(&parts, &format!("SELECT {columns} FROM \"traffic_logs_error_1h\" WHERE false"))
}

/// Errors by time: `at`, `method`, `route`, `status_code`, `n`.
pub(super) fn error_counts(cover: &Cover) -> String {
    let columns = "at, method, route, status_code, n";
    let mut parts: Vec<String> = rollups(cover, "error")
        .map(|(table, when)| format!("SELECT {columns} FROM \"traffic_logs_{table}\" WHERE {when}"))
        .collect();
    if !cover.raw.is_empty() {
        parts.push(format!(
            "SELECT started_at AS at, method, coalesce(rollup_route, route) AS route, status_code, weight::bigint AS n \
             FROM \"traffic_logs\" WHERE status_code >= 400 AND {}",
            raw(cover)
        ));
    }
    union(&parts, &format!("SELECT {columns} FROM \"traffic_logs_error_1h\" WHERE false"))
}

/// Users: `user_id` (empty: anybody without), `n`, `error_n`, `slow_n`, `last_at`.
pub(super) fn users(cover: &Cover) -> String {
    let columns = "user_id, n, error_n, slow_n, last_at";
    let mut parts: Vec<String> = rollups(cover, "user")
        .map(|(table, when)| format!("SELECT {columns} FROM \"traffic_logs_{table}\" WHERE {when}"))
        .collect();
    if !cover.raw.is_empty() {
        parts.push(format!(
            "SELECT coalesce(user_id, '') AS user_id, {USER} FROM \"traffic_logs\" WHERE {} GROUP BY 1",
            raw(cover)
        ));
    }
    union(&parts, &format!("SELECT {columns} FROM \"traffic_logs_user_1h\" WHERE false"))
}

/// The rollups that a cover names, with their conditions: one for each span as long as there are few, since an index serves
/// one range where it does not serve one or the other.
fn rollups<'c>(cover: &'c Cover, what: &'c str) -> impl Iterator<Item = (String, String)> + 'c {
    const FEW: usize = 4;
    [("1d", &cover.days), ("1h", &cover.hours), ("1m", &cover.minutes)].into_iter().flat_map(move |(level, spans)| {
        let together = if spans.len() > FEW { spans.len() } else { 1 };
        spans.chunks(together).map(move |spans| (format!("{what}_{level}"), within("at", spans)))
    })
}

fn union(parts: &[String], nothing: &str) -> String {
    if parts.is_empty() { nothing.to_owned() } else { parts.join(" UNION ALL ") }
}
