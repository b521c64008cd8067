//! Files: what the list holds, all of it, or broken off in sight.

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use tracevault::dashboard::Viewer;

use super::{Stand, filters::fill, hostile::csv, link};

#[tokio::test]
async fn a_file_has_the_rows_of_the_filter() {
    let stand = Stand::new("audit_export").await;
    fill(&stand, 700).await;
    for (query, condition) in [
        ("", "TRUE"),
        ("event=e+1&q=mode:sync", "event = 'e 1' AND mode = 'sync'"),
        ("actor=nobody", "FALSE"),
        ("range=1h&limit=3", "occurred_at >= now() - interval '1 hour'"),
    ] {
        let expected = stand.ids(condition).await;
        let page = stand.get(&format!("/audit?{query}")).await.text;
        let links = ["export-csv", "export-ndjson"].map(|testid| link(&page, testid));
        let (Some(as_csv), Some(as_ndjson)) = (&links[0], &links[1]) else {
            panic!("{query}: {links:?}");
        };
        let file = stand.get(as_csv.strip_prefix("/board").unwrap()).await;
        assert_eq!(file.status, StatusCode::OK, "{}", file.text);
        assert_eq!(file.header("content-disposition"), "attachment; filename=\"audit.csv\"");
        assert!(file.header("content-type").starts_with("text/csv"));
        let ids: Vec<_> = csv(&file.text).iter().skip(1).map(|line| line[0].clone()).collect();
        assert_eq!(ids, expected, "{query}");
        let file = stand.get(as_ndjson.strip_prefix("/board").unwrap()).await;
        assert_eq!(file.header("content-disposition"), "attachment; filename=\"audit.ndjson\"");
        let record = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let ids: Vec<_> = file.text.lines().map(|line| record(line)["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids, expected, "{query}");
    }
    for query in ["limit=1", "cursor=x", "event=x&event=y"] {
        assert_eq!(stand.get(&format!("/audit/export.csv?{query}")).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
    stand.drop().await;
}

#[tokio::test]
async fn who_may_only_look_takes_no_file_away() {
    let stand = Stand::seen_by("audit_read_only", Viewer::read_only("bob")).await;
    fill(&stand, 3).await;
    for path in ["/audit/export.csv", "/audit/export.ndjson"] {
        let answer = stand.get(path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.header("content-type"), "application/problem+json; charset=utf-8");
    }
    assert_eq!(stand.looked.count().await, 0);
    let page = stand.get("/audit").await;
    assert!(page.status == StatusCode::OK && !page.text.contains("export."), "no dead button");
    stand.drop().await;
}

#[tokio::test]
async fn a_file_that_breaks_off_does_not_look_whole() {
    let stand = Stand::new("audit_broken").await;
    fill(&stand, 1_000).await;
    for path in ["/board/audit/export.csv", "/board/audit/export.ndjson"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let mut body = stand.app.clone().oneshot(request).await.unwrap().into_body();
        assert!(body.frame().await.unwrap().is_ok());
        stand.run("ALTER TABLE \"@\" RENAME TO \"@_away\"").await;
        assert!(body.collect().await.is_err(), "{path}");
        // What cannot even begin is an answer.
        assert_eq!(stand.get(path.strip_prefix("/board").unwrap()).await.status, StatusCode::SERVICE_UNAVAILABLE);
        stand.run("ALTER TABLE \"@_away\" RENAME TO \"@\"").await;
    }
    stand.drop().await;
}
