//! Page behind page: all of it once, whatever comes in between.

use http::StatusCode;

use super::{Stand, filters::fill, link, rows};

async fn walk(stand: &Stand, query: &str) -> Vec<String> {
    let mut seen = Vec::new();
    let mut path = format!("/audit?limit=7&{query}");
    loop {
        let page = stand.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
        let ids = rows(&page.text);
        assert!(ids.len() <= 7);
        seen.extend(ids.into_iter().map(str::to_owned));
        // What comes now is newer, and on no later page.
        stand.emit("e 1").await;
        match link(&page.text, "audit-next") {
            Some(next) => next.strip_prefix("/board").unwrap().clone_into(&mut path),
            None => return seen,
        }
    }
}

#[tokio::test]
async fn links_lead_through_all_records_exactly_once() {
    let stand = Stand::new("audit_paging").await;
    fill(&stand, 100).await;
    for (query, condition) in [
        ("", "TRUE"),
        ("event=e+1", "event = 'e 1'"),
        ("q=event:%22e+1%22", "event = 'e 1'"),
        ("range=20m", "occurred_at >= now() - interval '20 minutes'"),
    ] {
        let expected = stand.ids(condition).await;
        assert!(expected.len() > 14, "{query}: pages");
        assert_eq!(walk(&stand, query).await, expected, "{query}");
    }
    stand.drop().await;
}

#[tokio::test]
async fn the_api_pages_alike_and_a_foreign_cursor_is_refused() {
    let stand = Stand::new("audit_cursor").await;
    fill(&stand, 60).await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let answer = stand.get(&format!("/api/audit?range=1d&limit=25&cursor={cursor}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let json = answer.json();
        seen.extend(json["records"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        let link = answer.header("link");
        let Some(next) = json["next"].as_str() else {
            assert_eq!(link, "");
            break;
        };
        // The header says the same.
        let address = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
        let other = stand.get(address.strip_prefix("/board").unwrap()).await.json();
        let said = stand.get(&format!("/api/audit?range=1d&limit=25&cursor={next}")).await.json();
        assert_eq!(other["records"], said["records"]);
        next.clone_into(&mut cursor);
    }
    assert_eq!(seen, stand.ids("TRUE").await);
    for query in ["event=x&range=1d", "range=0", "from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z", ""] {
        let answer = stand.get(&format!("/api/audit?cursor={cursor}&{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.text);
    }
    stand.drop().await;
}
