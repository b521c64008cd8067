//! Each page has the numbers of plain SQL.

use super::{number, page, rows, value};
use crate::dashboard::kit::board;

/// The last four hours hold everything, so that no moment of the test matters.
const ALL: &str = "range=240m";

#[tokio::test]
async fn the_overview_has_the_numbers_of_plain_sql() {
    let (site, app) = board("page_overview").await;
    let shown = page(&app, &format!("/board?{ALL}")).await;
    for (id, sql) in [
        ("kpi-requests", "SELECT sum(weight)::float8 FROM \"@\""),
        ("kpi-errors", "SELECT (sum(weight) FILTER (WHERE status_code >= 400))::float8 / sum(weight) FROM \"@\""),
        ("kpi-slow", "SELECT (sum(weight) FILTER (WHERE is_slow))::float8 FROM \"@\""),
        ("kpi-users", "SELECT count(DISTINCT user_id)::float8 FROM \"@\""),
    ] {
        let truth: f64 = site.one(sql).await;
        assert!((number(&shown, id) - truth).abs() < 1e-6, "{id}: {} {truth}", value(&shown, id));
    }
    let p95: f64 = site
        .one(
            "SELECT (percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_us))::float8 / 1000 \
              FROM \"@\", generate_series(1, weight)",
        )
        .await;
    assert!((number(&shown, "kpi-p95") / p95 - 1.0).abs() < 0.046, "{p95}");
    let top = "SELECT string_agg(n::text, ',' ORDER BY n DESC) FROM (SELECT sum(weight) AS n FROM \"@\" \
               GROUP BY method, coalesce(rollup_route, route) ORDER BY 1 DESC LIMIT 10) AS one";
    let column = |id, at: usize| rows(&shown, id).iter().map(|row| row[at].clone()).collect::<Vec<_>>().join(",");
    assert_eq!(column("top-routes", 1), site.one::<String>(top).await);
    let statuses = "SELECT string_agg(status_code || '=' || n, ',' ORDER BY status_code) FROM \
                    (SELECT status_code, sum(weight) AS n FROM \"@\" GROUP BY 1) AS one";
    let told: Vec<String> = rows(&shown, "statuses").iter().map(|row| format!("{}={}", row[0], row[1])).collect();
    assert_eq!(told.join(","), site.one::<String>(statuses).await);
    assert_eq!(rows(&shown, "latest").len(), 10);
    let timeline: i64 = rows(&shown, "timeline").iter().map(|row| row[1].parse::<i64>().unwrap()).sum();
    assert_eq!(timeline, site.one::<i64>("SELECT sum(weight)::bigint FROM \"@\"").await);
    let hours: i64 = rows(&shown, "hours").iter().map(|row| row[2].parse::<i64>().unwrap()).sum();
    assert_eq!(hours, timeline);
    assert_eq!(shown.text.matches("<rect x=").count(), 7 * 24);
    assert!(shown.text.contains("data-testid=\"rolled-up-to\""), "{}", shown.text);
    site.drop().await;
}

#[tokio::test]
async fn changes_are_told_against_the_time_before_unless_that_is_switched_off() {
    let (site, app) = board("page_delta").await;
    let shown = page(&app, "/board?range=90m").await;
    let delta = shown.text.split_once("data-testid=\"delta-requests\">").unwrap().1.split('<').next().unwrap();
    assert!(delta.contains("more") || delta.contains("less") || delta.contains("as before"), "{delta}");
    let alone = page(&app, "/board?range=90m&cmp=0").await;
    assert!(!alone.text.contains("delta-requests"));
    // Nothing came in: that is no success of what did.
    site.run("DELETE FROM \"@\" WHERE started_at > now() - interval '90 minutes'").await;
    site.roll().await;
    let quiet = page(&app, "/board?range=90m").await;
    assert!(quiet.text.contains("delta-requests"));
    assert!(!quiet.text.contains("delta-p95") && !quiet.text.contains("delta-errors"));
    site.drop().await;
}

#[tokio::test]
async fn the_errors_have_the_numbers_of_plain_sql() {
    let (site, app) = board("page_errors").await;
    let shown = page(&app, &format!("/board/errors?{ALL}&limit=500")).await;
    for (id, condition) in
        [("class-4xx", "BETWEEN 400 AND 498"), ("class-499", "= 499"), ("class-5xx", "BETWEEN 500 AND 599")]
    {
        let sql = format!("SELECT coalesce(sum(weight), 0)::float8 FROM \"@\" WHERE status_code {condition}");
        assert!((number(&shown, id) - site.one::<f64>(&sql).await).abs() < 0.5, "{id}");
    }
    let groups: i64 = rows(&shown, "groups").iter().map(|row| row[2].parse::<i64>().unwrap()).sum();
    assert_eq!(groups, site.one::<i64>("SELECT sum(weight)::bigint FROM \"@\" WHERE status_code >= 400").await);
    assert!(shown.text.contains("retryable"));
    let few = page(&app, &format!("/board/errors?{ALL}&limit=3")).await;
    assert!(rows(&few, "groups").len() == 3 && few.text.contains("The largest only"));
    // A status is a filter of groups and of single requests.
    let filtered = page(&app, &format!("/board/errors?{ALL}&status=503&route=%2Fr%2F5")).await;
    assert!(
        filtered.text.contains("data-testid=\"chip-status\"") && filtered.text.contains("data-testid=\"chip-route\"")
    );
    let groups: i64 = rows(&filtered, "groups").iter().map(|row| row[2].parse::<i64>().unwrap()).sum();
    let sql = "SELECT coalesce(sum(weight), 0)::bigint FROM \"@\" WHERE status_code = 503 AND route = '/r/5'";
    assert_eq!(groups, site.one::<i64>(sql).await);
    let latest = rows(&filtered, "latest");
    assert!(latest.iter().all(|row| row[2] == "503"), "{latest:?}");
    site.drop().await;
}

#[tokio::test]
async fn a_user_has_seven_parts_and_what_is_not_collected_is_told() {
    let (site, app) = board("page_user").await;
    let shown = page(&app, &format!("/board/users/u3?{ALL}")).await;
    let total = "SELECT sum(weight)::float8 FROM \"@\" WHERE user_id = 'u3'";
    assert!((number(&shown, "user-requests") - site.one::<f64>(total).await).abs() < 0.5);
    for id in ["routes", "slow", "errors", "devices", "ips", "sessions"] {
        assert!(shown.text.contains(&format!("data-testid=\"tab-{id}\"")), "{id}");
        assert!(shown.text.contains(&format!("data-testid=\"panel-{id}\"")), "{id}");
    }
    // There is no audit explorer, and no link to it.
    assert!(!shown.text.contains("tab-audit"));
    let other = page(&app, &format!("/board/users/u8?{ALL}")).await;
    assert!(other.text.contains("Not collected: track_ip is off."));
    assert_eq!(rows(&other, "devices").len(), 1);
    let sessions: i64 = rows(&other, "sessions").iter().map(|row| row[1].parse::<i64>().unwrap()).sum();
    let truth = "SELECT sum(weight)::bigint FROM \"@\" WHERE user_id = 'u8' AND session_id IS NOT NULL";
    assert_eq!(sessions, site.one::<i64>(truth).await);
    site.drop().await;
}

#[tokio::test]
async fn a_route_has_the_numbers_of_plain_sql() {
    let (site, app) = board("page_route").await;
    let shown = page(&app, &format!("/board/route?method=GET&route=%2Fr%2F5&{ALL}")).await;
    let truth = "SELECT sum(weight)::bigint FROM \"@\" WHERE method = 'GET' AND route = '/r/5'";
    let truth: i64 = site.one(truth).await;
    assert_eq!(value(&shown, "fact-requests"), truth.to_string());
    for (id, column) in [("timeline", 1), ("durations", 1), ("statuses", 1)] {
        let sum: i64 = rows(&shown, id).iter().map(|row| row[column].parse::<i64>().unwrap()).sum();
        assert_eq!(sum, truth, "{id}");
    }
    assert!(!rows(&shown, "slowest").is_empty() && !rows(&shown, "users").is_empty());
    // It is what the page is about, not a filter of it.
    assert!(!shown.text.contains("chip-route"));
    let none = page(&app, "/board/route?method=GET&route=%2Fnothing").await;
    assert!(none.text.contains("No request of this route in this range"));
    site.drop().await;
}

#[tokio::test]
async fn a_request_is_told_with_all_of_its_fields() {
    let (site, app) = board("page_request").await;
    let id: i64 = site.one("SELECT min(id) FROM \"@\" WHERE user_id = 'u3'").await;
    site.run(&format!("UPDATE \"@\" SET request_id = 'req-77', user_agent = 'curl/8' WHERE id = {id}")).await;
    let shown = page(&app, &format!("/board/requests/{id}")).await;
    for text in ["req-77", "curl/8", "Name 3", "3@example.com", "/r/", "192.0.2.3", "Duration", "Session"] {
        assert!(shown.text.contains(text), "{text}");
    }
    assert!(!shown.text.contains("audit-events"));
    site.drop().await;
}

#[tokio::test]
async fn the_live_page_lists_the_newest_by_the_filter() {
    let (site, app) = board("page_live").await;
    let shown = page(&app, "/board/live").await;
    assert_eq!(rows(&shown, "live").len(), 100);
    let cursor: i64 =
        site.one("SELECT max(id) FROM (SELECT id FROM \"@\" ORDER BY started_at DESC, id DESC LIMIT 100) AS one").await;
    assert!(shown.text.contains(&format!("data-cursor=\"{cursor}\"")));
    let filtered = page(&app, "/board/live?status=5xx&user=u3&slow=1").await;
    let truth = "SELECT count(*) FROM \"@\" WHERE status_code >= 500 AND user_id = 'u3' AND is_slow";
    assert_eq!(i64::try_from(rows(&filtered, "live").len()).unwrap(), site.one::<i64>(truth).await.min(100));
    assert!(filtered.text.contains("data-filters=\"status=5xx&#38;user=u3&#38;slow=1\""));
    site.drop().await;
}
