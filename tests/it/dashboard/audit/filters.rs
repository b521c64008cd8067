//! Every condition finds what plain SQL does: in the box, beside it, on the page and in the API.

use http::StatusCode;
use tracevault::dashboard::Viewer;

use super::{Stand, parts, rows, unescaped};
use crate::dashboard::kit::Answer;

/// Rows in which every column has few values, and none.
pub async fn fill(stand: &Stand, rows: u32) {
    stand
        .run(&format!(
            "INSERT INTO \"@\" (id, event, actor_id, actor_type, target_id, target_type, mode, occurred_at, request_id, \
             correlation_id, environment, data) SELECT gen_random_uuid(), 'e ' || n % 3, \
             CASE WHEN n % 5 > 0 THEN 'a/' || n % 5 END, CASE WHEN n % 5 > 0 THEN 'user' || n % 2 END, \
             CASE WHEN n % 7 > 0 THEN 't' || n % 7 END, CASE WHEN n % 7 > 0 THEN 'thing' || n % 2 END, \
             CASE WHEN n % 4 > 0 THEN 'sync' ELSE 'async' END, now() - (n / 3) * interval '1 minute', \
             CASE WHEN n % 6 > 0 THEN 'r' || n % 6 END, CASE WHEN n % 8 > 0 THEN 'c' || n % 8 END, \
             CASE WHEN n % 3 > 0 THEN 'env' || n % 3 END, \
             jsonb_build_object('outcome', CASE WHEN n % 2 > 0 THEN 'failure' ELSE 'success' END, \
             'severity', (ARRAY['info', 'error'])[1 + n % 2]) FROM generate_series(1, {rows}) AS n"
        ))
        .await;
}

fn of_api(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    assert!(json["next"].is_null(), "one page");
    json["records"].as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

async fn finds(stand: &Stand, query: &str, condition: &str) {
    let expected = stand.ids(condition).await;
    let page = stand.get(&format!("/audit?limit=500&{query}")).await;
    assert_eq!(page.status, StatusCode::OK, "{query}");
    assert_eq!(rows(&page.text), expected, "{query}");
    let api = stand.get(&format!("/api/audit?limit=500&{query}")).await;
    assert_eq!(of_api(&api), expected, "{query}");
}

#[tokio::test]
async fn every_condition_finds_what_sql_does() {
    let stand = Stand::new("audit_filters").await;
    fill(&stand, 300).await;
    let cases = [
        ("event", "e 1", "event = 'e 1'"),
        ("actor", "a/2", "actor_id = 'a/2'"),
        ("actor-type", "user1", "actor_type = 'user1'"),
        ("target", "t3", "target_id = 't3'"),
        ("target-type", "thing0", "target_type = 'thing0'"),
        ("request", "r5", "request_id = 'r5'"),
        ("correlation", "c7", "correlation_id = 'c7'"),
        ("environment", "env2", "environment = 'env2'"),
        ("mode", "async", "mode = 'async'"),
        ("outcome", "failure", "outcome = 'failure'"),
        ("severity", "info", "severity = 'info'"),
    ];
    for (name, value, condition) in cases {
        let encoded = value.replace('/', "%2F").replace(' ', "%20");
        finds(&stand, &format!("{name}={encoded}"), condition).await;
        finds(&stand, &format!("q={name}:%22{encoded}%22"), condition).await;
        let count = stand.ids(condition).await.len();
        assert!(count > 0 && count < 300, "{condition} tells");
    }
    finds(&stand, "", "TRUE").await;
    finds(&stand, "event=e+1&q=actor:a/2+mode:sync", "event = 'e 1' AND actor_id = 'a/2' AND mode = 'sync'").await;
    finds(&stand, "event=%25&actor=", "FALSE").await;
    stand.drop().await;
}

#[tokio::test]
async fn a_stretch_of_time_has_a_begin_and_no_end() {
    let stand = Stand::new("audit_times").await;
    stand
        .run(
            "INSERT INTO \"@\" (id, event, mode, occurred_at) SELECT gen_random_uuid(), 'e', 'sync', at::timestamptz \
             FROM unnest(ARRAY['2026-05-06T23:59:59.999999Z', '2026-05-07T00:00:00Z', '2026-05-07T12:00:00.000001Z', \
             '2026-05-07T23:59:59.999999Z', '2026-05-08T00:00:00Z']) AS at",
        )
        .await;
    fill(&stand, 300).await;
    let day = "occurred_at >= '2026-05-07Z' AND occurred_at < '2026-05-08Z'";
    for query in [
        "after=2026-05-07&before=2026-05-08",
        "q=after:2026-05-07+before:2026-05-08T00:00:00Z",
        "from=2026-05-07T00:00:00Z&to=2026-05-08T00:00:00Z",
        "from=2026-05-01T00:00:00Z&to=2026-05-08T02:00:00%2B02:00&after=2026-05-07",
    ] {
        finds(&stand, query, day).await;
    }
    assert_eq!(stand.ids(day).await.len(), 3);
    finds(&stand, "before=2026-05-07", "occurred_at < '2026-05-07Z'").await;
    finds(&stand, "range=1h", "occurred_at >= now() - interval '1 hour'").await;
    finds(&stand, "range=1h&event=e+1", "occurred_at >= now() - interval '1 hour' AND event = 'e 1'").await;
    let answer = stand.get("/audit?after=2026-05-08&before=2026-05-07").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    stand.drop().await;
}

#[tokio::test]
async fn what_is_asked_wrongly_stands_in_the_form_again() {
    let stand = Stand::new("audit_wrong").await;
    for (query, said) in [
        ("q=hello+actor:ann", "qualifiers"),
        ("q=acter:ann", "`acter:`"),
        ("event=x&mode=later", "`mode`"),
        ("cursor=x", "`cursor`"),
        ("limit=501", "`limit`"),
    ] {
        let page = stand.get(&format!("/audit?{query}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{query}");
        let text = unescaped(&page.text);
        assert!(text.contains("data-testid=\"audit-problem\"") && text.contains(said), "{query}: {text}");
        let api = stand.get(&format!("/api/audit?{query}")).await;
        assert_eq!(
            (api.status, api.header("content-type")),
            (StatusCode::BAD_REQUEST, "application/problem+json; charset=utf-8")
        );
        assert!(api.json()["detail"].as_str().unwrap().contains(said), "{query}");
    }
    let page = stand.get("/audit?q=hello+actor:ann").await.text;
    assert!(page.contains("name=\"q\" value=\"hello actor:ann\""), "{page}");
    assert_eq!(stand.get("/audit?acter=ann").await.status, StatusCode::BAD_REQUEST);
    for path in ["/audit/actor", "/audit/target", "/audit/actor?target=x"] {
        assert_eq!(stand.get(path).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
    assert_eq!(stand.looked.count().await, 0, "nothing was looked at");
    stand.drop().await;
}

#[tokio::test]
async fn filters_are_chips_and_each_can_be_taken_away() {
    let stand = Stand::seen_by("audit_chips", Viewer::read_only("bob")).await;
    fill(&stand, 30).await;
    let page = stand.get("/audit?actor=a%2F2&q=mode:sync+event:%22e+1%22&range=7d").await.text;
    for (name, without) in [
        ("actor", "/board/audit?q=mode:sync event:\"e 1\"&range=7d"),
        ("mode", "/board/audit?actor=a/2&q=event:\"e 1\"&range=7d"),
        ("event", "/board/audit?actor=a/2&q=mode:sync&range=7d"),
    ] {
        let chip = page.split(&format!("data-testid=\"chip-{name}\"")).nth(1).unwrap();
        let href = chip.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
        let href = unescaped(href).replace('+', " ").replace("%2F", "/").replace("%3A", ":").replace("%22", "\"");
        assert_eq!(href, without);
    }
    let ranges = page.split("data-testid=\"ranges\"").nth(1).unwrap().split("</nav>").next().unwrap();
    assert!(ranges.contains("aria-current=\"true\">7d<") && ranges.contains(">all<"), "{ranges}");
    assert_eq!(parts(&page, "audit-heading"), ["Audit events"]);
    // What the shell links to is this page as well: another clock, another stretch of time.
    let clock = page.split("data-testid=\"clock\"").nth(1).unwrap().split("</span>").next().unwrap();
    assert_eq!(clock.matches("actor=a%2F2").count(), 2, "{clock}");
    let custom = page.split("data-testid=\"custom-range\"").nth(1).unwrap().split("</form>").next().unwrap();
    assert!(custom.contains("name=\"actor\" value=\"a/2\"") && !custom.contains("name=\"range\""), "{custom}");
    // What a history is of leads back to the list.
    let page = stand.get("/audit/actor?actor=a%2F2").await.text;
    assert!(page.contains("href=\"/board/audit\" aria-label=\"Remove the filter actor\""), "{page}");
    stand.drop().await;
}
