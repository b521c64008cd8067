//! One route, beside plain SQL.

use tracevault::{
    time::{Duration, OffsetDateTime, macros::datetime},
    traffic::{Range, RouteDetail},
};

use super::Site;

const FROM: OffsetDateTime = datetime!(2026-03-07 00:00 UTC);

async fn check(site: &Site, method: &str, route: &str, from: OffsetDateTime, to: OffsetDateTime) -> RouteDetail {
    let detail = site.traffic.route(method, route, Range::new(from, to).unwrap()).await.unwrap();
    let seconds = |at: OffsetDateTime| at.unix_timestamp();
    let rows = format!(
        "(SELECT * FROM \"@\" WHERE method = '{method}' AND coalesce(rollup_route, route) = '{route}' \
         AND started_at >= to_timestamp({}) AND started_at < to_timestamp({})) AS rows",
        seconds(from),
        seconds(to)
    );
    let text = async |sql: &str| site.one::<String>(&sql.replace("ROWS", &rows)).await;
    let totals = "SELECT concat_ws(' ', coalesce(sum(weight), 0), coalesce(sum(weight) FILTER (WHERE status_code >= 400), 0), \
                  coalesce(sum(weight) FILTER (WHERE is_slow), 0), coalesce(max(duration_us), 0)) FROM ROWS";
    let got = detail.route.as_ref().map_or("0 0 0 0".to_owned(), |one| {
        format!("{} {} {} {:.0}", one.count, one.error_count, one.slow_count, one.max_ms * 1_000.0)
    });
    assert_eq!(got, text(totals).await);
    let list = |mut parts: Vec<String>| {
        parts.retain(|part| !part.is_empty());
        parts.join(",")
    };
    let statuses = "SELECT coalesce(string_agg(status_code || '=' || n, ',' ORDER BY status_code), '') FROM \
                    (SELECT status_code, sum(weight) AS n FROM ROWS WHERE status_code >= 400 GROUP BY 1) AS one";
    let got = detail.error_statuses.iter().map(|one| format!("{}={}", one.status_code, one.count)).collect();
    assert_eq!(list(got), text(statuses).await);
    let timeline = format!(
        "SELECT coalesce(string_agg(concat(at, '=', n, '/', e, '/', s), ',' ORDER BY at), '') FROM (SELECT \
         floor(extract(epoch FROM started_at) / {0})::bigint * {0} AS at, sum(weight) AS n, \
         coalesce(sum(weight) FILTER (WHERE status_code >= 400), 0) AS e, \
         coalesce(sum(weight) FILTER (WHERE is_slow), 0) AS s FROM ROWS GROUP BY 1) AS one",
        detail.range.bucket
    );
    let got = detail.timeline.iter().filter(|one| one.count > 0);
    let got = got.map(|one| format!("{}={}/{}/{}", seconds(one.at), one.count, one.error_count, one.slow_count));
    assert_eq!(list(got.collect()), text(&timeline).await);
    let users = "SELECT coalesce(string_agg(concat(who, '=', n, '/', e), ',' ORDER BY n DESC, who COLLATE \"C\"), '') FROM \
                 (SELECT coalesce(user_id, '') AS who, sum(weight) AS n, coalesce(sum(weight) FILTER (WHERE status_code >= 400), 0) \
                 AS e FROM ROWS GROUP BY 1) AS one";
    let all = text(users).await;
    let got = detail.top_users.iter();
    let got: Vec<_> =
        got.map(|one| format!("{}={}/{}", one.user_id.as_deref().unwrap_or(""), one.count, one.error_count)).collect();
    let counts = |parts: &[String]| -> Vec<String> {
        parts.iter().map(|part| part.split(['=', '/']).nth(1).unwrap().to_owned()).collect()
    };
    let expected: Vec<String> = all.split(',').filter(|part| !part.is_empty()).take(10).map(str::to_owned).collect();
    assert_eq!(counts(&got), counts(&expected), "{got:?} {expected:?}");
    assert!(got.iter().all(|part| all.split(',').any(|one| one == part)), "{got:?} {all}");
    for (got, sql) in [
        (&detail.slowest, "ORDER BY duration_us DESC, id DESC"),
        (&detail.latest_errors, "AND status_code >= 400 ORDER BY started_at DESC, id DESC"),
    ] {
        let sql = format!(
            "SELECT coalesce(string_agg(id::text, ','), '') FROM (SELECT id FROM ROWS WHERE true {sql} LIMIT 20) AS one"
        );
        assert_eq!(list(got.iter().map(|one| one.id.to_string()).collect()), text(&sql).await);
    }
    let total = detail.route.as_ref().map_or(0, |one| one.count);
    assert_eq!(detail.durations.iter().map(|one| one.count).sum::<i64>(), total);
    assert_eq!(detail.success_count + detail.error_statuses.iter().map(|one| one.count).sum::<i64>(), total);
    assert!(!detail.truncated);
    detail
}

#[tokio::test]
async fn one_route_is_told_from_rollups_as_from_rows() {
    let site = Site::new("route").await;
    site.fill(4_000, FROM, 3 * 86_400).await;
    site.fill(400, FROM + Duration::hours(40), 3_600).await;
    let ranges = [
        (FROM, FROM + Duration::days(3)),
        (FROM + Duration::minutes(77), FROM + Duration::hours(50)),
        (FROM + Duration::hours(40), FROM + Duration::minutes(40 * 60 + 50)),
        (FROM + Duration::hours(39), FROM + Duration::hours(43)),
        (FROM - Duration::days(20), FROM + Duration::days(3)),
        (FROM - Duration::days(2), FROM - Duration::days(1)),
    ];
    // From rows alone; rolled up; and with what came late.
    for step in 0..3 {
        match step {
            0 => {}
            1 => site.roll().await,
            _ => site.fill(200, FROM + Duration::hours(30), 7_200).await,
        }
        for (from, to) in ranges {
            check(&site, "GET", "/r/5", from, to).await;
            check(&site, "GET", "<unmatched>", from, to).await;
        }
    }
    let detail = check(&site, "GET", "/r/5", FROM, FROM + Duration::days(3)).await;
    let (p50, p99) = (detail.route.unwrap().p50_ms.unwrap(), detail.p99_ms.unwrap());
    let truth = "SELECT (percentile_disc(SHARE) WITHIN GROUP (ORDER BY duration_us))::float8 / 1000 \
                 FROM \"@\", generate_series(1, weight) WHERE method = 'GET' AND route = '/r/5'";
    for (got, share) in [(p50, "0.5"), (p99, "0.99")] {
        let truth: f64 = site.one(&truth.replace("SHARE", share)).await;
        assert!((got / truth - 1.0).abs() < 0.046, "{share}: {got} {truth}");
    }
    for (method, route) in [("PATCH", "/r/5"), ("GET", "/nothing"), ("G\0", "/r/\0"), ("", "")] {
        let range = Range::new(FROM, FROM + Duration::days(3)).unwrap();
        let none = site.traffic.route(method, route, range).await.unwrap();
        assert!(none.route.is_none() && none.slowest.is_empty() && none.durations.is_empty(), "{route}");
        assert!(none.timeline.iter().all(|one| one.count == 0));
    }
    site.drop().await;
}
