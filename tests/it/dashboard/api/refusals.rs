//! What is not answered, and why.

use axum::body::Body;
use http::{Request, StatusCode, header};

use super::{
    super::kit::{Answer, board, board_with, get, send},
    paths,
};

fn is_problem(answer: &Answer, status: StatusCode, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json; charset=utf-8", "{what}");
    let problem = answer.json();
    assert_eq!(problem["status"], status.as_u16(), "{what}");
    assert_eq!((problem["type"].as_str(), problem["title"].as_str()), (Some("about:blank"), status.canonical_reason()));
}

#[tokio::test]
async fn a_parameter_that_would_not_be_heeded_is_refused() {
    let (site, app) = board("api_unused").await;
    for (path, parameter) in [
        ("config", "range=24h"),
        ("openapi.json", "q=x"),
        ("overview", "limit=5"),
        ("overview", "status=5xx"),
        ("overview", "tz=local"),
        ("live", "range=24h"),
        ("live", "q=x"),
        ("routes", "status=404"),
        ("routes", "after=1"),
        ("users", "method=GET"),
        ("users/u1", "limit=5"),
        ("requests/1", "range=24h"),
        ("errors", "sort=count"),
        ("errors", "nonsense=1"),
        ("stream", "route=%2Fa"),
    ] {
        let answer = get(&app, &format!("/board/api/{path}?{parameter}")).await;
        is_problem(&answer, StatusCode::BAD_REQUEST, path);
        let name = parameter.split('=').next().unwrap();
        assert_eq!(answer.json()["parameter"], name, "{path}");
    }
    // What is empty was not given.
    assert_eq!(get(&app, "/board/api/config?range=").await.status, StatusCode::OK);
    site.drop().await;
}

#[tokio::test]
async fn a_value_that_cannot_be_used_is_named() {
    let (site, app) = board("api_values").await;
    for (path, parameter) in [
        ("overview?range=7", "range"),
        ("overview?from=2026-05-07T12:00:00Z", "to"),
        ("overview?cmp=x", "cmp"),
        ("live?limit=0", "limit"),
        ("live?limit=501", "limit"),
        ("live?after=x", "after"),
        ("live?status=abc", "status"),
        ("live?slow=maybe", "slow"),
        ("routes?sort=name%3B", "sort"),
        ("routes?cursor=x", "cursor"),
        ("users?sort=maxMs", "sort"),
        ("users?cursor=%5B1%5D", "cursor"),
        ("users?q=%00", "q"),
        ("errors?limit=1e3", "limit"),
        ("users/%FF", "id"),
        ("requests/x", "id"),
        ("requests/9223372036854775808", "id"),
    ] {
        let answer = get(&app, &format!("/board/api/{path}")).await;
        is_problem(&answer, StatusCode::BAD_REQUEST, path);
        assert_eq!(answer.json()["parameter"], parameter, "{path}");
    }
    site.drop().await;
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_taken_are_problems() {
    let (site, app) = board("api_methods").await;
    for path in ["nothing", "users/a/b", "requests", "overview/"] {
        is_problem(&get(&app, &format!("/board/api/{path}")).await, StatusCode::NOT_FOUND, path);
    }
    for path in paths(site.one("SELECT max(id) FROM \"@\"").await) {
        for method in ["POST", "DELETE", "PUT"] {
            let request = Request::builder().method(method).uri(&path).header(header::HOST, "localhost");
            let answer = send(&app, request.body(Body::empty()).unwrap()).await;
            is_problem(&answer, StatusCode::METHOD_NOT_ALLOWED, &path);
            assert!(answer.header("allow").contains("GET"), "{path}: {}", answer.header("allow"));
        }
        let request = Request::head(&path).header(header::HOST, "localhost").body(Body::empty()).unwrap();
        let answer = send(&app, request).await;
        assert!(answer.text.is_empty() && answer.status.is_success(), "{path}: {}", answer.status);
    }
    is_problem(&get(&app, "/board/api/stream").await, StatusCode::NOT_FOUND, "stream, in poll mode");
    site.drop().await;
}

#[tokio::test]
async fn nobody_is_let_in_anywhere_without_credentials() {
    let (site, app) = board_with("api_door", |builder| builder.basic_auth("admin", "secret")).await;
    let mut all = paths(1);
    all.push("/board/api/stream".to_owned());
    all.push("/board/api/nothing".to_owned());
    for path in all {
        for wrong in ["", "Basic YWRtaW46c2VjcmV0cw=="] {
            let request = Request::get(&path).header(header::AUTHORIZATION, wrong).body(Body::empty()).unwrap();
            let answer = send(&app, request).await;
            is_problem(&answer, StatusCode::UNAUTHORIZED, &path);
            assert!(answer.header("www-authenticate").starts_with("Basic "), "{path}");
        }
    }
    site.drop().await;
}

#[tokio::test]
async fn no_number_is_too_large_for_an_answer() {
    let (site, app) = crate::dashboard::kit::board("api_extremes").await;
    for path in [
        "live?after=-9223372036854775808",
        "live?after=9223372036854775807",
        "live?after=-1&limit=500",
        "overview?from=0000-01-01T00:00:00Z&to=0000-01-02T00:00:00Z",
        "overview?from=9999-12-30T00:00:00Z&to=9999-12-31T23:59:59Z",
        "routes?from=0000-01-01T00:00:00Z&to=0009-01-02T00:00:00Z&sort=lastSeen",
        "users?from=9999-12-30T00:00:00Z&to=9999-12-31T23:59:59Z",
        "errors?from=9999-12-30T00:00:00Z&to=9999-12-31T23:59:59Z",
        "errors?range=3653d&status=999",
        "overview?range=3653d",
        "routes?cursor=%5B9218868437227405312%2C%22%22%2C%22%22%5D",
        "users?cursor=%5B18442240474082181120%2C%22%22%2C%22%22%5D",
        "routes?cursor=%5B9214364837600034815%2C%22%22%2C%22%22%5D&sort=averageDurationMs",
    ] {
        let status = get(&app, &format!("/board/api/{path}")).await.status;
        assert!(status.is_success() || status == StatusCode::BAD_REQUEST, "{path}: {status}");
        let page = path.split('?').next().unwrap().replace("overview", "");
        let page = get(&app, &format!("/board/{page}?{}", path.split_once('?').unwrap().1)).await;
        assert!(page.status.is_success() || page.status == StatusCode::BAD_REQUEST, "{path}: {}", page.text);
    }
    for path in [
        "/board/api/requests/-9223372036854775808",
        "/board/api/requests/9223372036854775808",
        "/board/api/users/%00",
        "/board/users/%00",
        "/board/api/users/%2E%2E",
        "/board/requests/9223372036854775807",
        "/board/api/%2F%2F",
        "/board//",
        "/board/%2F",
    ] {
        let status = get(&app, path).await.status;
        assert!(!status.is_server_error(), "{path}: {status}");
    }
    site.drop().await;
}
