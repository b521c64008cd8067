//! However a request ends, it is one row.

use std::{convert::Infallible, io, panic::AssertUnwindSafe, time::Duration};

use axum::http::StatusCode;
use futures_util::{FutureExt as _, StreamExt as _, poll, stream};
use http_body_util::BodyExt as _;
use tower::{Layer as _, service_fn};

use super::*;

#[tokio::test]
async fn who_goes_away_is_told_as_499() {
    let endless =
        || async { Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>("more")).chain(stream::pending())) };
    let app = api().route("/never", get(std::future::pending::<()>)).route("/endless", get(endless));
    let (site, app) = Site::serving("ends_away", app, |builder| builder).await;
    let mut answer = Box::pin(app.clone().oneshot(request("/never?x=1").body(Body::empty()).unwrap()));
    assert!(poll!(&mut answer).is_pending());
    assert!(site.rows("id").await.is_empty());
    drop(answer);
    let mut answer = app.clone().oneshot(request("/endless").body(Body::empty()).unwrap()).await.unwrap();
    answer.body_mut().frame().await.unwrap().unwrap();
    drop(answer);
    let columns = "status_code, route, original_url, duration_us >= 0, ended_at >= started_at";
    let rows = ["499 /never /never?x=1 true true", "499 /endless /endless true true"];
    assert_eq!(site.rows(columns).await, rows);
    site.drop().await;
}

/// Without a line on stderr.
async fn panicking() -> &'static str {
    std::panic::resume_unwind(Box::new("at work"))
}

#[tokio::test]
async fn what_breaks_is_told_as_500_and_breaks_as_before() {
    let broken = || async { Body::from_stream(stream::once(async { Err::<&str, _>(io::Error::other("no more")) })) };
    let app = Router::new()
        .route("/panic", get(panicking))
        .route("/broken", get(broken))
        .route("/fails", get(|| async { StatusCode::SERVICE_UNAVAILABLE }));
    let (site, app) = Site::serving("ends_broken", app, |builder| builder).await;
    let ask_it = |uri| app.clone().oneshot(request(uri).body(Body::empty()).unwrap());
    let panic = AssertUnwindSafe(ask_it("/panic")).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"at work"));
    assert!(ask_it("/broken").await.unwrap().into_body().collect().await.is_err());
    assert_eq!(ask(&app, request("/fails")).await.status(), 503);

    // A service that answers with an error.
    let service = service_fn(|_| async { Err::<Response<Body>, _>(io::Error::other("out of order")) });
    let service = site.traffic.layer().layer(service);
    assert!(service.oneshot(Request::new(Body::empty())).await.is_err());
    let rows = ["500 /panic", "500 /broken", "503 /fails", "500 /"];
    assert_eq!(site.rows("status_code, route").await, rows);
    site.drop().await;
}

#[tokio::test]
async fn bodies_are_waited_for_and_events_of_the_server_are_not() {
    let late = || async {
        Body::from_stream(stream::once(async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            Ok::<_, Infallible>("late")
        }))
    };
    let events = || async {
        ([("content-type", "text/event-stream")], Body::from_stream(stream::pending::<io::Result<&str>>()))
    };
    let app =
        Router::new().route("/late", get(late)).route("/events", get(events)).route("/head", get(|| async { "x" }));
    let (site, app) = Site::serving("ends_bodies", app, |builder| builder).await;
    get_all(&app, &["/late"]).await;
    let events = app.clone().oneshot(request("/events").body(Body::empty()).unwrap()).await.unwrap();
    ask(&app, request("/head").method("HEAD")).await;
    assert_eq!(site.rows("method, status_code, route").await, ["GET 200 /late", "GET 200 /events", "HEAD 200 /head"]);
    assert!(site.one::<bool>("SELECT duration_ms >= 150 FROM \"@\" WHERE route = '/late'").await);
    drop(events);
    assert_eq!(site.rows("id").await.len(), 3);
    site.drop().await;
}

/// After the close requests go on, and are counted as dropped.
#[tokio::test]
async fn a_full_queue_and_a_close_cost_a_counter() {
    let (site, app) = Site::serving("ends_full", api(), |builder| {
        builder.queue_capacity(5).linger(Duration::from_secs(60)).debug(true)
    })
    .await;
    // Without a pause in which the writer would run.
    for _ in 0..9 {
        let answered = ask(&app, request("/products")).now_or_never().expect("nothing waits");
        assert_eq!(answered.status(), 200);
    }
    let stats = site.traffic.stats();
    assert_eq!((stats.accepted, stats.dropped), (5, 4));
    site.traffic.close(Duration::from_secs(10)).await;
    assert_eq!(ask(&app, request("/products")).await.status(), 200);
    let stats = site.traffic.stats();
    assert_eq!((stats.stored, stats.dropped), (5, 5));
    assert_eq!(site.rows("id").await.len(), 5);
    site.drop().await;
}
