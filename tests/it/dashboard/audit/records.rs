//! A record's own page, and the histories.

use http::StatusCode;
use tracevault::Event;

use super::{Stand, filters::fill, link, parts, quoted, rows, unescaped};

#[tokio::test]
async fn a_record_leads_to_all_that_belongs_to_it() {
    let stand = Stand::new("audit_record").await;
    let event = Event::new("order.paid")
        .actor("a/1?&=", "user")
        .target("t 1", "order")
        .request_id("req/1")
        .correlation_id("job 7");
    let id = stand.emit(event).await;
    stand.emit(Event::new("other").request_id("req/2")).await;
    stand
        .site
        .run(
            "INSERT INTO \"@\" (started_at, ended_at, duration_us, is_slow, method, route, original_url, status_code, \
             request_id, weight) SELECT now(), now(), 5000, false, 'PUT', '/r/' || n, '/r', 201, 'req/' || n, 1 \
             FROM generate_series(1, 2) AS n",
        )
        .await;
    let page = stand.get(&format!("/audit/{id}?actor=a%2F1%3F%26%3D&cursor=")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(link(&page.text, "audit-permalink").unwrap(), format!("/board/audit/{id}"));
    assert_eq!(link(&page.text, "audit-back").unwrap(), "/board/audit?actor=a%2F1%3F%26%3D");
    let request: i64 = stand.site.one("SELECT id FROM \"@\" WHERE request_id = 'req/1'").await;
    assert_eq!(link(&page.text, "audit-request").unwrap(), format!("/board/requests/{request}"));
    assert_eq!(parts(&page.text, "audit-request"), ["PUT /r/1"]);
    let related = page.text.split("data-testid=\"audit-related\"").nth(1).unwrap().split("</ul>").next().unwrap();
    let hrefs: Vec<_> = quoted(related, "href").into_iter().map(unescaped).collect();
    assert_eq!(
        hrefs[..5],
        [
            "/board/audit?request=req%2F1",
            "/board/audit?correlation=job+7",
            "/board/audit/actor?actor=a%2F1%3F%26%3D&actor-type=user",
            "/board/audit/target?target=t+1&target-type=order",
            "/board/audit?event=order.paid",
        ]
    );
    for href in &hrefs[..5] {
        let found = stand.get(href.strip_prefix("/board").unwrap()).await;
        assert_eq!(rows(&found.text), [id.to_string()], "{href}");
    }
    stand.drop().await;
}

#[tokio::test]
async fn a_record_is_shown_when_its_requests_cannot_be_read() {
    let stand = Stand::new("audit_requests").await;
    let id = stand.emit(Event::new("e").request_id("r")).await;
    stand.site.run("ALTER TABLE \"@\" RENAME TO \"@_away\"").await;
    let page = stand.get(&format!("/audit/{id}")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("could not be read"));
    stand.site.run("ALTER TABLE \"@_away\" RENAME TO \"@\"").await;
    stand.drop().await;
}

#[tokio::test]
async fn a_history_is_parted_by_days() {
    let stand = Stand::new("audit_days").await;
    fill(&stand, 60).await;
    stand
        .run(
            "UPDATE \"@\" SET occurred_at = timestamptz '2026-05-07 01:00Z' - (random() * 50)::int * interval '1 hour'",
        )
        .await;
    for (path, condition) in [
        ("/audit/actor?actor=a%2F2&actor-type=user0", "actor_id = 'a/2' AND actor_type = 'user0'"),
        ("/audit/actor?actor=a%2F2", "actor_id = 'a/2'"),
        ("/audit/target?target=t3", "target_id = 't3'"),
    ] {
        let page = stand.get(path).await.text;
        assert_eq!(rows(&page), stand.ids(condition).await, "{path}");
        let days = "to_char(occurred_at AT TIME ZONE 'UTC', 'FMDay, FMDD FMMonth YYYY')";
        let rest = format!("WHERE {condition} GROUP BY 1 ORDER BY max(occurred_at) DESC");
        let expected: Vec<String> = stand.table.select(days, &rest, &[]).await.iter().map(|row| row.get(0)).collect();
        let shown: Vec<_> = page
            .split("data-testid=\"audit-day\"")
            .skip(1)
            .map(|rest| rest.split("rowgroup\">").nth(1).unwrap().split('<').next().unwrap())
            .collect();
        assert_eq!(shown, expected, "{path}");
    }
    stand.drop().await;
}
