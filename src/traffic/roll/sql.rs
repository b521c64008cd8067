//! What recomputes the rollups, for the default table's name. Never an increment: what is there is deleted, and what
//! the rows say is put in its place.

use super::super::histogram::SLOT;

/// The minutes `$1` (all of one hour, which begins at `$2`) from rows.
pub(super) fn minutes() -> String {
    format!(
        r#"WITH rows AS MATERIALIZED (
    SELECT date_trunc('minute', started_at, 'UTC') AS at, status_code, is_slow, duration_us, weight, {SLOT} AS slot
    FROM "traffic_logs" WHERE started_at >= $2 AND started_at < $2 + interval '1 hour'
), slots AS (
    SELECT at, array_agg(slot ORDER BY slot) AS hist_b, array_agg(n ORDER BY slot) AS hist_n
    FROM (SELECT at, slot, sum(weight)::bigint AS n FROM rows WHERE at = ANY($1) GROUP BY at, slot) AS one GROUP BY at
), totals AS (
    SELECT at, {TOTALS} FROM rows WHERE at = ANY($1) GROUP BY at
)
INSERT INTO "traffic_logs_total_1m" (at, n, n2, n3, n4, n5, slow_n, sum_us, max_us, hist_b, hist_n)
SELECT at, n, n2, n3, n4, n5, slow_n, sum_us, max_us, hist_b, hist_n FROM totals JOIN slots USING (at)"#
    )
}

/// What a total sums up.
pub(in crate::traffic) const TOTALS: &str = "sum(weight)::bigint AS n, \
     coalesce(sum(weight) FILTER (WHERE status_code BETWEEN 200 AND 299), 0)::bigint AS n2, \
     coalesce(sum(weight) FILTER (WHERE status_code BETWEEN 300 AND 399), 0)::bigint AS n3, \
     coalesce(sum(weight) FILTER (WHERE status_code BETWEEN 400 AND 499), 0)::bigint AS n4, \
     coalesce(sum(weight) FILTER (WHERE status_code >= 500), 0)::bigint AS n5, \
     coalesce(sum(weight) FILTER (WHERE is_slow), 0)::bigint AS slow_n, \
     sum(duration_us::numeric * weight) AS sum_us, max(duration_us) AS max_us";

/// Who was seen in the hour of `$1`, for being found by name.
pub(super) const USERS: &str = r#"INSERT INTO "traffic_logs_users" AS old (user_id, user_name, user_email, first_at, last_at)
SELECT DISTINCT ON (user_id) user_id, user_name, user_email, min(started_at) OVER who, started_at FROM "traffic_logs"
WHERE date_trunc('minute', started_at, 'UTC') = ANY($1) AND started_at >= $2 AND started_at < $2 + interval '1 hour'
    AND user_id <> ''
WINDOW who AS (PARTITION BY user_id)
ORDER BY user_id, started_at DESC, id DESC
ON CONFLICT (user_id) DO UPDATE SET
    user_name = CASE WHEN excluded.last_at >= old.last_at THEN coalesce(excluded.user_name, old.user_name) ELSE old.user_name END,
    user_email = CASE WHEN excluded.last_at >= old.last_at THEN coalesce(excluded.user_email, old.user_email) ELSE old.user_email END,
    first_at = least(old.first_at, excluded.first_at), last_at = greatest(old.last_at, excluded.last_at)"#;

/// What is said of the hour that begins at `$1` is taken back.
pub(super) const CLEAR_HOUR: [&str; 6] = [
    r#"DELETE FROM "traffic_logs_total_1h" WHERE at = $1"#,
    r#"DELETE FROM "traffic_logs_route_1h" WHERE at = $1"#,
    r#"DELETE FROM "traffic_logs_status_1h" WHERE at = $1"#,
    r#"DELETE FROM "traffic_logs_error_1h" WHERE at = $1"#,
    r#"DELETE FROM "traffic_logs_user_1h" WHERE at = $1"#,
    r#"UPDATE "traffic_logs_user_hours"
    SET hours = hours & ~(1 << extract(hour FROM $1::timestamptz AT TIME ZONE 'UTC')::integer)
    WHERE at = date_trunc('day', $1::timestamptz, 'UTC')
        AND hours & (1 << extract(hour FROM $1::timestamptz AT TIME ZONE 'UTC')::integer) <> 0"#,
];

/// The hour that begins at `$1` from rows, in one pass over them.
pub(super) fn hour() -> String {
    format!(
        r#"WITH rows AS MATERIALIZED (
    SELECT started_at, method, coalesce(rollup_route, route) AS route, status_code, is_slow, duration_us, weight,
        coalesce(user_id, '') AS user_id, {SLOT} AS slot
    FROM "traffic_logs" WHERE started_at >= $1 AND started_at < $1 + interval '1 hour'
), slots AS MATERIALIZED (
    SELECT method, route, slot, sum(weight)::bigint AS n FROM rows GROUP BY method, route, slot
), total AS (
    INSERT INTO "traffic_logs_total_1h" (at, n, n2, n3, n4, n5, slow_n, sum_us, max_us, hist_b, hist_n)
    SELECT $1, {TOTALS},
        (SELECT array_agg(slot ORDER BY slot) FROM (SELECT slot FROM slots GROUP BY slot) AS one),
        (SELECT array_agg(n ORDER BY slot) FROM (SELECT slot, sum(n)::bigint AS n FROM slots GROUP BY slot) AS one)
    FROM rows HAVING count(*) > 0
), routes AS (
    INSERT INTO "traffic_logs_route_1h" (at, method, route, n, error_n, slow_n, sum_us, max_us, last_at, hist_b, hist_n)
    SELECT $1, method, route, n, error_n, slow_n, sum_us, max_us, last_at, hist_b, hist_n
    FROM (SELECT method, route, {ROUTE} FROM rows GROUP BY method, route) AS one
    JOIN (SELECT method, route, array_agg(slot ORDER BY slot) AS hist_b, array_agg(n ORDER BY slot) AS hist_n
        FROM slots GROUP BY method, route) AS two USING (method, route)
), statuses AS (
    INSERT INTO "traffic_logs_status_1h" (at, status_code, n)
    SELECT $1, status_code, sum(weight) FROM rows GROUP BY status_code
), errors AS (
    INSERT INTO "traffic_logs_error_1h" (at, method, route, status_code, n, first_at, last_at)
    SELECT $1, method, route, status_code, sum(weight), min(started_at), max(started_at) FROM rows
    WHERE status_code >= 400 GROUP BY method, route, status_code
), users AS (
    INSERT INTO "traffic_logs_user_1h" (at, user_id, n, error_n, slow_n, last_at)
    SELECT $1, user_id, {USER} FROM rows GROUP BY user_id
)
INSERT INTO "traffic_logs_user_hours" AS old (at, user_id, hours)
SELECT DISTINCT date_trunc('day', $1::timestamptz, 'UTC'), user_id,
    1 << extract(hour FROM $1::timestamptz AT TIME ZONE 'UTC')::integer
FROM rows WHERE user_id <> ''
ON CONFLICT (at, user_id) DO UPDATE SET hours = old.hours | excluded.hours"#
    )
}

/// What is said of a route.
pub(in crate::traffic) const ROUTE: &str = "sum(weight)::bigint AS n, \
     coalesce(sum(weight) FILTER (WHERE status_code >= 400), 0)::bigint AS error_n, \
     coalesce(sum(weight) FILTER (WHERE is_slow), 0)::bigint AS slow_n, \
     sum(duration_us::numeric * weight) AS sum_us, max(duration_us) AS max_us, max(started_at) AS last_at";

/// What is said of a user.
pub(in crate::traffic) const USER: &str = "sum(weight)::bigint AS n, \
     coalesce(sum(weight) FILTER (WHERE status_code >= 400), 0)::bigint AS error_n, \
     coalesce(sum(weight) FILTER (WHERE is_slow), 0)::bigint AS slow_n, max(started_at) AS last_at";

/// What is said of the day that begins at `$1` is taken back.
pub(super) const CLEAR_DAY: [&str; 5] = [
    r#"DELETE FROM "traffic_logs_route_1d" WHERE at = $1"#,
    r#"DELETE FROM "traffic_logs_status_1d" WHERE at = $1"#,
    r#"DELETE FROM "traffic_logs_error_1d" WHERE at = $1"#,
    r#"DELETE FROM "traffic_logs_user_1d" WHERE at = $1"#,
    r#"UPDATE "traffic_logs_user_days"
SET days = days & ~(1 << extract(day FROM $1::timestamptz AT TIME ZONE 'UTC')::integer - 1)
WHERE at = (date_trunc('month', $1::timestamptz AT TIME ZONE 'UTC') + interval '1 month -1 day') AT TIME ZONE 'UTC'
    AND days & (1 << extract(day FROM $1::timestamptz AT TIME ZONE 'UTC')::integer - 1) <> 0"#,
];

/// The day that begins at `$1` from its hours.
pub(super) const DAY: [&str; 5] = [
    r#"WITH hours AS MATERIALIZED (
    SELECT * FROM "traffic_logs_route_1h" WHERE at >= $1 AND at < $1 + interval '24 hours'
), slots AS (
    SELECT method, route, array_agg(slot ORDER BY slot) AS hist_b, array_agg(n ORDER BY slot) AS hist_n
    FROM (SELECT method, route, slot, sum(one.n)::bigint AS n FROM hours, unnest(hist_b, hist_n) AS one (slot, n)
        GROUP BY method, route, slot) AS two GROUP BY method, route
)
INSERT INTO "traffic_logs_route_1d" (at, method, route, n, error_n, slow_n, sum_us, max_us, last_at, hist_b, hist_n)
SELECT $1, method, route, n, error_n, slow_n, sum_us, max_us, last_at, hist_b, hist_n
FROM (SELECT method, route, sum(n) AS n, sum(error_n) AS error_n, sum(slow_n) AS slow_n, sum(sum_us) AS sum_us,
    max(max_us) AS max_us, max(last_at) AS last_at FROM hours GROUP BY method, route) AS one
JOIN slots USING (method, route)"#,
    r#"INSERT INTO "traffic_logs_status_1d" (at, status_code, n)
SELECT $1, status_code, sum(n) FROM "traffic_logs_status_1h" WHERE at >= $1 AND at < $1 + interval '24 hours'
GROUP BY status_code"#,
    r#"INSERT INTO "traffic_logs_error_1d" (at, method, route, status_code, n, first_at, last_at)
SELECT $1, method, route, status_code, sum(n), min(first_at), max(last_at) FROM "traffic_logs_error_1h"
WHERE at >= $1 AND at < $1 + interval '24 hours' GROUP BY method, route, status_code"#,
    r#"INSERT INTO "traffic_logs_user_1d" (at, user_id, n, error_n, slow_n, last_at)
SELECT $1, user_id, sum(n), sum(error_n), sum(slow_n), max(last_at) FROM "traffic_logs_user_1h"
WHERE at >= $1 AND at < $1 + interval '24 hours' GROUP BY user_id"#,
    r#"INSERT INTO "traffic_logs_user_days" AS old (at, user_id, days)
SELECT (date_trunc('month', $1::timestamptz AT TIME ZONE 'UTC') + interval '1 month -1 day') AT TIME ZONE 'UTC', user_id,
    1 << extract(day FROM $1::timestamptz AT TIME ZONE 'UTC')::integer - 1
FROM "traffic_logs_user_1d" WHERE at = $1 AND user_id <> ''
ON CONFLICT (at, user_id) DO UPDATE SET days = old.days | excluded.days"#,
];
