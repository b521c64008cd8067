//! What is answered, beside plain SQL over the same rows.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tracevault::{
    dashboard::LiveMode,
    time::{OffsetDateTime, format_description::well_known::Rfc3339},
    traffic::{Seen, UserDetails},
};

use super::super::kit::{Answer, board, board_with, encoded, get};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn has(value: &Value, expected: &[&str]) {
    let keys = keys(value);
    for key in expected {
        assert!(keys.contains(key), "{key} is not one of {keys:?}");
    }
}

#[tokio::test]
async fn the_configuration_says_where_rows_come_from() {
    let (site, app) = board("api_config").await;
    let poll: Value = get(&app, "/board/api/config").await.json();
    assert_eq!(poll, serde_json::json!({ "liveMode": "poll", "pollIntervalMs": 2_000 }));
    site.drop().await;
    let (site, app) = board_with("api_config_live", |builder| {
        builder.insecure_no_auth().live_mode(LiveMode::Sse).poll_interval(Duration::from_millis(1_500))
    })
    .await;
    assert_eq!(
        get(&app, "/board/api/config").await.json(),
        serde_json::json!({ "liveMode": "sse", "pollIntervalMs": 1_500,
            "socket": { "path": "/board/api/stream", "transports": ["sse"] } })
    );
    site.drop().await;
}

#[tokio::test]
async fn the_overview_is_what_the_rows_say() {
    let (site, app) = board("api_overview").await;
    let overview = get(&app, "/board/api/overview?range=24h").await.json();
    has(
        &overview,
        &[
            "totalRequests",
            "averageDurationMs",
            "slowRequestCount",
            "errorRequestCount",
            "uniqueUsers",
            "activeUsersLastFiveMinutes",
            "topRoutes",
            "slowestRoutes",
            "statusCodeSummary",
            "latestRequests",
            "requestsTimeline",
            "p50Ms",
            "p95Ms",
            "p99Ms",
        ],
    );
    has(&overview["range"], &["from", "to", "bucket"]);
    has(&overview["previous"], &["totalRequests"]);
    for (key, sql) in [
        ("totalRequests", "sum(weight)::bigint"),
        ("slowRequestCount", "sum(weight) FILTER (WHERE is_slow)::bigint"),
        ("errorRequestCount", "sum(weight) FILTER (WHERE status_code >= 400)::bigint"),
        ("uniqueUsers", "count(DISTINCT user_id)"),
    ] {
        assert_eq!(overview[key], site.one::<i64>(&format!("SELECT {sql} FROM \"@\"")).await, "{key}");
    }
    let p95 = "SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_us)::float8 / 1000 FROM \"@\", \
               generate_series(1, weight)";
    let (told, rows) = (overview["p95Ms"].as_f64().unwrap(), site.one::<f64>(p95).await);
    assert!((told / rows - 1.0).abs() < 0.1, "{told} beside {rows}");
    assert_eq!(get(&app, "/board/api/overview?cmp=0").await.json()["previous"], Value::Null);
    for time in [&overview["range"]["from"], &overview["latestRequests"][0]["createdAt"]] {
        OffsetDateTime::parse(time.as_str().unwrap(), &Rfc3339).unwrap();
    }
    site.drop().await;
}

#[tokio::test]
async fn the_latest_are_told_and_asked_for_again_behind_a_cursor() {
    let (site, app) = board("api_live").await;
    let live = get(&app, "/board/api/live").await.json();
    assert_eq!(live["requests"].as_array().unwrap().len(), 100);
    has(
        &live["requests"][0],
        &[
            "userId",
            "sessionId",
            "method",
            "route",
            "originalUrl",
            "statusCode",
            "durationMs",
            "isSlow",
            "createdAt",
            "id",
        ],
    );
    let errors = get(&app, "/board/api/live?status=5xx&limit=500").await.json();
    let sql = "SELECT count(*) FROM \"@\" WHERE status_code >= 500";
    let count = errors["requests"].as_array().unwrap().len();
    assert_eq!(i64::try_from(count).unwrap(), site.one::<i64>(sql).await);
    // One every ten seconds: of the five before one, there is no other.
    site.run("UPDATE \"@\" SET created_at = now() - (2000 - id) * interval '10 s'").await;
    let last = site.one::<i64>("SELECT max(id) FROM \"@\"").await;
    let behind = get(&app, &format!("/board/api/live?after={}&limit=5", last - 3)).await.json();
    let ids: Vec<i64> = behind["requests"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!((ids, behind["cursor"].as_i64().unwrap()), (vec![last - 2, last - 1, last], last));
    // Two of these may have been committed late.
    site.run("UPDATE \"@\" SET created_at = now() - (2000 - id) * interval '2 s'").await;
    let behind = get(&app, &format!("/board/api/live?after={last}")).await.json();
    let ids: Vec<i64> = behind["requests"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [last - 2, last - 1]);
    site.drop().await;
}

/// Every page, by the links that they have.
async fn pages(app: &axum::Router, first: &str) -> Vec<Value> {
    let (mut all, mut next) = (Vec::new(), Some(first.to_owned()));
    while let Some(path) = next {
        let page: Answer = get(app, &path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
        all.extend(page.json().as_array().unwrap().clone());
        let link = page.header("link").to_owned();
        next = (!link.is_empty())
            .then(|| link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap().to_owned());
    }
    all
}

#[tokio::test]
async fn lists_are_arrays_whose_pages_are_linked() {
    let (site, app) = board("api_lists").await;
    let routes = pages(&app, "/board/api/routes?range=24h&limit=5&sort=errorRate").await;
    has(
        &routes[0],
        &[
            "method",
            "route",
            "count",
            "averageDurationMs",
            "p50Ms",
            "p95Ms",
            "maxMs",
            "errorCount",
            "errorRate",
            "slowCount",
            "lastSeen",
            "spark",
        ],
    );
    let sql = "SELECT string_agg(concat_ws(' ', method, route, n), '|' ORDER BY method, route) FROM (SELECT method, \
               coalesce(rollup_route, route) AS route, sum(weight) AS n FROM \"@\" GROUP BY 1, 2) AS one";
    let mut told: Vec<(String, String, i64)> = routes
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (text("method"), text("route"), row["count"].as_i64().unwrap())
        })
        .collect();
    told.sort();
    let told: Vec<_> = told.into_iter().map(|(method, route, n)| format!("{method} {route} {n}")).collect();
    assert_eq!(told.join("|"), site.one::<String>(sql).await);

    let users = pages(&app, "/board/api/users?range=24h&limit=3&sort=lastSeen").await;
    has(&users[0], &["userId", "userName", "userEmail", "count", "errorCount", "slowCount", "lastSeen"]);
    let count = site.one::<i64>("SELECT count(DISTINCT coalesce(user_id, '')) FROM \"@\"").await;
    assert_eq!(i64::try_from(users.len()).unwrap(), count);
    let sum: i64 = users.iter().map(|user| user["count"].as_i64().unwrap()).sum();
    assert_eq!(sum, site.one::<i64>("SELECT sum(weight)::bigint FROM \"@\"").await);
    let found = pages(&app, "/board/api/users?range=24h&q=Name%201&limit=2").await;
    assert!(found.len() > 2 && found.iter().all(|user| user["userName"].as_str().unwrap().contains("Name 1")));
    site.drop().await;
}

#[tokio::test]
async fn errors_are_grouped_and_told_one_by_one() {
    let (site, app) = board("api_errors").await;
    let errors = get(&app, "/board/api/errors?range=24h&limit=500").await.json();
    has(&errors["groups"][0], &["method", "route", "statusCode", "count", "lastSeen", "retryable"]);
    let sum: i64 = errors["groups"].as_array().unwrap().iter().map(|group| group["count"].as_i64().unwrap()).sum();
    let count = site.one::<i64>("SELECT sum(weight)::bigint FROM \"@\" WHERE status_code >= 400").await;
    assert_eq!(sum, count);
    assert!(errors["latest"].as_array().unwrap().iter().all(|row| row["statusCode"].as_i64().unwrap() >= 400));
    let some = get(&app, "/board/api/errors?range=24h&status=404&limit=500").await.json();
    assert!(some["groups"].as_array().unwrap().iter().all(|group| group["statusCode"] == 404));
    site.drop().await;
}

#[tokio::test]
async fn one_user_is_found_by_an_id_of_any_kind() {
    let (site, app) = board("api_user").await;
    let id = "a/b c?d#é%2F<script>";
    site.traffic.record(Seen {
        started_at: OffsetDateTime::now_utc(),
        duration: Duration::from_millis(5),
        method: "GET",
        pattern: Some("/x"),
        path: "/x",
        query: None,
        status: 200,
        user: UserDetails { id: Some(id.into()), name: Some("Zoë".into()), ..UserDetails::default() },
        session_id: None,
        ip: None,
        user_agent: None,
        request_id: Some("req-9"),
    });
    site.traffic.flush().await;
    let encoded: String = encoded(id);
    let answer = get(&app, &format!("/board/api/users/{encoded}")).await;
    let user = answer.json();
    has(&user, &["user", "routes", "slowRoutes", "errorRoutes", "devices", "ipAddresses", "sessions"]);
    has(&user["user"], &["id", "name", "email", "firstSeen", "lastSeen"]);
    assert_eq!((user["user"]["id"].as_str().unwrap(), user["count"].as_i64().unwrap()), (id, 1));
    assert_eq!(user["user"]["name"], "Zoë");

    let row = site.one::<i64>("SELECT id FROM \"@\" WHERE request_id = 'req-9'").await;
    let request = get(&app, &format!("/board/api/requests/{row}")).await.json();
    assert_eq!((request["requestId"].as_str(), request["userName"].as_str()), (Some("req-9"), Some("Zoë")));
    for path in ["users/nobody", "users/%20", "requests/0", "requests/-1"] {
        let answer = get(&app, &format!("/board/api/{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json; charset=utf-8");
    }
    site.drop().await;
}

#[tokio::test]
async fn a_cursor_goes_on_where_a_filter_finds_nothing() {
    let (site, app) = board("api_cursor").await;
    let newest = "SELECT max(id) FROM (SELECT id FROM \"@\" ORDER BY started_at DESC, id DESC LIMIT 100) AS one";
    let newest: i64 = site.one(newest).await;
    for path in ["/board/api/live?user=nobody", "/board/api/live?user=nobody&after=1"] {
        let live = get(&app, path).await.json();
        assert_eq!((live["requests"].as_array().unwrap().len(), live["cursor"].as_i64()), (0, Some(newest)), "{path}");
    }
    // What is left behind comes next.
    let live = get(&app, "/board/api/live?after=0&limit=3").await.json();
    let third: i64 = site.one("SELECT max(id) FROM (SELECT id FROM \"@\" ORDER BY id LIMIT 3) AS one").await;
    assert_eq!(live["cursor"].as_i64(), Some(third));
    site.drop().await;
}
