//! A server that is stopped, and comes back.

use std::time::{Duration, Instant};

use axum::Router;
use http::StatusCode;
use tracevault::{dashboard::LiveMode, deadpool_postgres::Pool, traffic::Traffic};

use super::{super::kit::get, paths};
use crate::{
    kit,
    support::{Cluster, Options, Purpose, server_binaries},
    traffic::pool_at,
};

#[tokio::test]
async fn without_postgresql_all_but_the_configuration_says_so_and_everything_resumes() {
    // It watches the log.
    kit::url();
    let mut cluster =
        Cluster::start(Options { tcp: true, ..Options::new(server_binaries(Purpose::Tests).unwrap()) }).unwrap();
    let pool: Pool = pool_at(&cluster.connection_string(), "outage");
    let traffic = Traffic::builder(pool).table_name("outage").query_timeout(Duration::from_secs(1)).build().unwrap();
    traffic.ensure_schema().await.unwrap();
    let router = traffic.dashboard().insecure_no_auth().live_mode(LiveMode::Sse).build().unwrap();
    let app = Router::new().nest_service("/board", router);
    let answers = |expected: StatusCode| {
        let app = &app;
        async move {
            for path in paths(1) {
                let start = Instant::now();
                let answer = get(app, &path).await;
                assert!(start.elapsed() < Duration::from_secs(8), "{path} took {:?}", start.elapsed());
                let always = path.ends_with("/config") || path.ends_with("/openapi.json");
                let none = path.ends_with("/u1") || path.ends_with("/1");
                let expected = match (always, none, expected) {
                    (true, ..) => StatusCode::OK,
                    (_, true, StatusCode::OK) => StatusCode::NOT_FOUND,
                    _ => expected,
                };
                assert_eq!(answer.status, expected, "{path}: {}", answer.text);
                if expected == StatusCode::SERVICE_UNAVAILABLE {
                    assert_eq!(answer.header("content-type"), "application/problem+json; charset=utf-8", "{path}");
                    assert!(
                        answer.json()["detail"].as_str().unwrap().contains("PostgreSQL"),
                        "{path}: {}",
                        answer.text
                    );
                }
            }
        }
    };
    answers(StatusCode::OK).await;
    cluster.stop().unwrap();
    answers(StatusCode::SERVICE_UNAVAILABLE).await;
    let stream = get(&app, "/board/api/stream?after=1").await;
    assert_eq!((stream.status, stream.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"));
    cluster.start_again().unwrap();
    answers(StatusCode::OK).await;
}
