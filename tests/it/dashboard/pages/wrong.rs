//! What is shown where there is nothing, or something is wrong.

use axum::Router;
use http::StatusCode;

use super::page;
use crate::{
    dashboard::kit::{board, get},
    traffic::Site,
};

#[tokio::test]
async fn a_page_says_what_is_wrong_with_its_url() {
    let (site, app) = board("page_wrong").await;
    for (path, status, text) in [
        ("/board?range=7", StatusCode::BAD_REQUEST, "`range`"),
        ("/board/routes?sort=colour", StatusCode::BAD_REQUEST, "`sort`"),
        ("/board/routes?cursor=x", StatusCode::BAD_REQUEST, "`cursor`"),
        ("/board/users?limit=0", StatusCode::BAD_REQUEST, "`limit`"),
        ("/board/live?status=9", StatusCode::BAD_REQUEST, "`status`"),
        ("/board/errors?shoe=9", StatusCode::BAD_REQUEST, "`shoe`"),
        ("/board/route?method=GET", StatusCode::BAD_REQUEST, "`route`"),
        ("/board/users/nobody", StatusCode::NOT_FOUND, "no request of this user"),
        ("/board/users/%FF", StatusCode::NOT_FOUND, "no request of this user"),
        ("/board/requests/0", StatusCode::NOT_FOUND, "no such request"),
        ("/board/requests/abc", StatusCode::NOT_FOUND, "no such request"),
        ("/board/nothing", StatusCode::NOT_FOUND, "there is nothing here"),
    ] {
        let answer = get(&app, path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(
            answer.text.contains("data-testid=\"failed-panel\"") && answer.text.contains(text),
            "{path}: {}",
            answer.text
        );
        assert!(answer.header("content-type").starts_with("text/html"), "{path}");
        // It would be as wrong in two seconds.
        assert!(!answer.text.contains("data-refresh"), "{path}");
    }
    site.drop().await;
}

#[tokio::test]
async fn without_its_tables_every_page_says_what_to_do() {
    let (site, app) = board("page_gone").await;
    site.run("ALTER TABLE \"@_state\" RENAME TO \"@_away\"").await;
    for path in [
        "/board",
        "/board/live",
        "/board/routes",
        "/board/users",
        "/board/users/u3",
        "/board/errors",
        "/board/requests/1",
    ] {
        let answer = get(&app, path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(
            answer.text.contains("failed-panel") && answer.text.contains("ensure_schema"),
            "{path}: {}",
            answer.text
        );
        // It comes by itself once it can; the rest of the page is there.
        assert!(answer.text.contains("data-refresh"), "{path}");
        assert!(
            answer.text.contains("data-testid=\"tabs\"") && answer.text.contains("data-testid=\"dropped\""),
            "{path}"
        );
    }
    site.run("ALTER TABLE \"@_away\" RENAME TO \"@_state\"").await;
    page(&app, "/board").await;
    site.drop().await;
}

#[tokio::test]
async fn without_a_database_every_page_says_so() {
    let pool = crate::traffic::pool_at("host=127.0.0.1 port=1 user=nobody connect_timeout=1", "gone");
    let traffic = tracevault::traffic::Traffic::builder(pool).roll_up(false).build().unwrap();
    let app = Router::new().nest_service("/board", traffic.dashboard().insecure_no_auth().build().unwrap());
    for path in ["/board", "/board/users", "/board/route?method=GET&route=x"] {
        let answer = get(&app, path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.text.contains("data-testid=\"failed-panel\""), "{path}");
        assert!(!answer.text.contains("nobody"), "{}", answer.text);
    }
}

#[tokio::test]
async fn an_empty_table_explains_the_next_step() {
    let site = Site::new("page_empty").await;
    let app = Router::new().nest_service("/board", site.traffic.dashboard().insecure_no_auth().build().unwrap());
    let shown = page(&app, "/board").await;
    for text in ["data-testid=\"empty\"", "ensure_schema()", "layer(traffic.layer())"] {
        assert!(shown.text.contains(text), "{text}");
    }
    assert!(!shown.text.contains("kpi-requests"));
    for path in ["/board/live", "/board/routes", "/board/users", "/board/errors"] {
        page(&app, path).await;
    }
    site.drop().await;
}
