//! Where the database is away: an exchange costs a counter, and a request only where it was asked for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Body, extract::Request, http::StatusCode, routing::get};
use futures_util::FutureExt as _;
use tower::{Layer as _, ServiceExt as _};
use tracevault::{
    Config, Error, ScopeOverrides, Tracevault,
    http::{Admission, AuditSink, Busy, CaptureLayer, Ending, Exchange, Sink},
};

use super::stand::{Stand, panicking};
use crate::kit::Table;

fn request(uri: &str) -> Request {
    Request::builder().uri(uri).body(Body::empty()).unwrap()
}

/// A service that counts how often its handler ran.
fn counted<S: Sink>(layer: CaptureLayer<S>) -> (Router, Arc<AtomicU64>) {
    let ran = Arc::<AtomicU64>::default();
    let handler = Arc::clone(&ran);
    let work = move || async move {
        handler.fetch_add(1, Ordering::Relaxed);
        StatusCode::CREATED
    };
    (Router::new().route("/", get(work)).layer(layer), ran)
}

/// Waits until so many were captured.
async fn captured(stand: &Stand, count: u64) {
    let all = async {
        while stand.layer.stats().captured < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all).await.unwrap();
}

#[tokio::test]
async fn a_stopped_database_and_a_full_queue_cost_a_counter_and_no_request() {
    let config = Config::new("postgres://127.0.0.1:1/none").queue_capacity(2).close_timeout(Duration::from_millis(50));
    let audit = Tracevault::new(config.on_error(|_, _| {})).unwrap();
    let layer = CaptureLayer::new(audit.scope(ScopeOverrides::new()).unwrap());
    let (app, ran) = counted(layer.clone());
    let start = Instant::now();
    for _ in 0..5 {
        assert_eq!(app.clone().oneshot(request("/")).await.unwrap().status(), 201);
    }
    assert!(start.elapsed() < Duration::from_millis(500));
    assert_eq!((layer.stats().captured, layer.stats().lost, ran.load(Ordering::Relaxed)), (2, 3, 5));
    audit.close().await.unwrap();
    assert_eq!(app.oneshot(request("/")).await.unwrap().status(), 201);
    assert_eq!((layer.stats().captured, layer.stats().lost), (2, 4));
}

#[tokio::test]
async fn fail_closed_the_head_waits_for_the_commit() {
    let stand = Stand::with("http_closed", |sink| sink.fail_closed(true)).await;
    let (app, ran) = counted(stand.layer.clone());
    stand.table.sql.batch_execute(&format!("BEGIN; LOCK TABLE \"{}\"", stand.table.name)).await.unwrap();
    let mut answer = Box::pin(app.oneshot(request("/")));
    tokio::select! {
        _ = &mut answer => panic!("the head went out before the commit"),
        () = tokio::time::sleep(Duration::from_millis(200)) => {}
    }
    assert_eq!((ran.load(Ordering::Relaxed), stand.layer.stats().captured), (1, 0));
    stand.table.sql.batch_execute("COMMIT").await.unwrap();
    let response = answer.await.unwrap();
    assert_eq!((response.status(), response.headers().contains_key("x-request-id")), (StatusCode::CREATED, true));
    assert_eq!(stand.table.count().await, 1, "stored when the head is there");
    assert_eq!(stand.layer.stats().captured, 1);
    drop(response);
    stand.stored(&[("http.GET./", 201)]).await;
}

/// Two at once, and one place: the second does not run, though nothing is queued yet.
#[tokio::test]
async fn fail_closed_a_place_is_held_from_before_the_handler_runs() {
    let table = Table::new("http_closed").await;
    let audit = Tracevault::new(table.config().queue_capacity(1)).unwrap();
    let layer = CaptureLayer::new(audit.scope(ScopeOverrides::new()).unwrap()).fail_closed(true);
    let (goes_on, waits) = (Arc::new(tokio::sync::Notify::new()), Arc::new(AtomicU64::new(0)));
    let (gate, seen) = (Arc::clone(&goes_on), Arc::clone(&waits));
    let work = move || async move {
        seen.fetch_add(1, Ordering::Relaxed);
        gate.notified().await;
        StatusCode::CREATED
    };
    let app = Router::new().route("/", get(work)).layer(layer.clone());
    let first = tokio::spawn(app.clone().oneshot(request("/")));
    while waits.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(app.clone().oneshot(request("/")).await.unwrap().status(), 503);
    goes_on.notify_one();
    assert_eq!(first.await.unwrap().unwrap().status(), 201);
    goes_on.notify_one();
    assert_eq!(app.oneshot(request("/")).await.unwrap().status(), 201, "the place was given back");
    assert_eq!((waits.load(Ordering::Relaxed), layer.stats().busy, table.count().await), (2, 1, 2));
    table.drop().await;
}

#[tokio::test]
async fn fail_closed_a_failed_commit_answers_503() {
    let table = Table::missing("http_closed").await;
    let audit = table.audit();
    let layer = CaptureLayer::new(audit.scope(ScopeOverrides::new()).unwrap()).fail_closed(true);
    let (app, ran) = counted(layer.clone());
    let response = app.oneshot(request("/")).await.unwrap();
    assert_eq!(
        (response.status(), response.headers().contains_key("x-request-id")),
        (StatusCode::SERVICE_UNAVAILABLE, true)
    );
    assert!(axum::body::to_bytes(response.into_body(), 1).await.unwrap().is_empty());
    assert_eq!(ran.load(Ordering::Relaxed), 1, "what the handler did stands");
    assert_eq!((layer.stats().lost, layer.stats().captured), (1, 0));
    audit.close().await.unwrap();
}

/// Sync without fail closed: the head waits, and goes out all the same.
#[tokio::test]
async fn a_commit_that_is_only_waited_for_is_counted_as_lost() {
    let table = Table::missing("http_closed").await;
    let audit = table.audit();
    let layer = CaptureLayer::new(audit.scope(ScopeOverrides::new()).unwrap()).mode(tracevault::Mode::Sync);
    let (app, ran) = counted(layer.clone());
    assert_eq!(app.oneshot(request("/")).await.unwrap().status(), StatusCode::CREATED);
    let stats = layer.stats();
    assert_eq!((ran.load(Ordering::Relaxed), stats.captured, stats.lost), (1, 0, 1));
    audit.close().await.unwrap();
}

/// It panics before there is anything to wait for.
struct Hasty;

impl Sink for Hasty {
    fn admit(&self) -> Result<Option<Admission>, Busy> {
        Ok(Some(Admission::new(|_| -> std::future::Ready<Result<(), Error>> { panic!("on purpose") })))
    }

    fn capture(&self, _: Exchange) -> Result<(), Error> {
        unreachable!("it was admitted")
    }

    fn scope(&self) -> Option<&tracevault::Scope> {
        None
    }
}

#[tokio::test]
async fn fail_closed_a_commit_that_panics_answers_503() {
    let layer = CaptureLayer::with_sink(Hasty);
    let (app, ran) = counted(layer.clone());
    assert_eq!(app.oneshot(request("/")).await.unwrap().status(), 503);
    let stats = layer.stats();
    assert_eq!((ran.load(Ordering::Relaxed), stats.lost, stats.panics, stats.captured), (1, 1, 1, 0));
}

#[tokio::test]
async fn fail_closed_an_exchange_without_an_answer_is_stored_too() {
    let mut stand = Stand::with("http_closed", |sink| sink.fail_closed(true)).await;
    let app = Router::new().route("/gone", get(std::future::pending::<()>)).route("/panic", get(panicking));
    let app = app.layer(stand.layer.clone());
    assert!(app.clone().oneshot(request("/gone")).now_or_never().is_none());
    assert_eq!(stand.ended().ending, Ending::AbortedBeforeHead);
    let caught = std::panic::AssertUnwindSafe(app.oneshot(request("/panic"))).catch_unwind().await;
    assert_eq!(*caught.unwrap_err().downcast_ref::<&str>().unwrap(), "at work");
    let service = tower::service_fn(|_| std::future::ready(Err::<axum::response::Response, _>("no answer")));
    let error = stand.layer.layer(service).oneshot(request("/error")).await.err().unwrap();
    assert_eq!(error, "no answer");
    captured(&stand, 3).await;
    stand.stored(&[("http.GET./gone", 499), ("http.GET./panic", 500), ("http.GET./error", 500)]).await;
}

#[tokio::test]
async fn fail_closed_what_a_handler_skips_goes_out_at_once() {
    let table = Table::missing("http_closed").await;
    let audit = table.audit();
    let layer = CaptureLayer::new(audit.scope(ScopeOverrides::new()).unwrap()).fail_closed(true);
    let quiet =
        |handle: tracevault::http::RequestAudit| async move { handle.skip().request_id().as_str().len().to_string() };
    let app = Router::new().route("/quiet", get(quiet)).route("/health", get(|| async {})).layer(layer.clone());
    for uri in ["/quiet", "/health"] {
        assert_eq!(app.clone().oneshot(request(uri)).await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!((layer.stats().skipped, layer.stats().lost), (2, 0));
}

#[tokio::test]
async fn fail_closed_a_client_that_does_not_wait_for_the_commit_changes_nothing() {
    let mut stand = Stand::with("http_closed", |sink| sink.fail_closed(true)).await;
    let (app, _) = counted(stand.layer.clone());
    stand.table.sql.batch_execute(&format!("BEGIN; LOCK TABLE \"{}\"", stand.table.name)).await.unwrap();
    assert!(app.oneshot(request("/")).now_or_never().is_none());
    let ended = stand.ended();
    assert_eq!((ended.ending, ended.status), (Ending::AtHead, Some(201)));
    stand.table.sql.batch_execute("COMMIT").await.unwrap();
    captured(&stand, 1).await;
    stand.stored(&[("http.GET./", 201)]).await;
}

/// Has no room, or panics.
struct Broken(bool);

impl Sink for Broken {
    fn admit(&self) -> Result<Option<Admission>, Busy> {
        if self.0 { Err(Busy) } else { Ok(None) }
    }

    fn capture(&self, _: Exchange) -> Result<(), Error> {
        panic!("a sink of the user's");
    }
}

#[tokio::test]
async fn a_sink_without_room_answers_503_before_the_handler_runs() {
    let layer = CaptureLayer::with_sink(Broken(true));
    let (app, ran) = counted(layer.clone());
    let mut asked = request("/");
    asked.headers_mut().insert("x-request-id", "req-9".parse().unwrap());
    let response = app.oneshot(asked).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["x-request-id"], "req-9");
    assert_eq!((ran.load(Ordering::Relaxed), layer.stats().busy), (0, 1));
}

#[tokio::test]
async fn a_sink_that_panics_costs_a_counter() {
    let layer = CaptureLayer::with_sink(Broken(false));
    let (app, ran) = counted(layer.clone());
    assert_eq!(app.oneshot(request("/")).await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(ran.load(Ordering::Relaxed), 1);
    let stats = layer.stats();
    assert_eq!((stats.captured, stats.lost, stats.panics), (0, 1, 1));
}

#[tokio::test]
async fn the_audit_sink_can_be_told_by_hand() {
    let stand = Stand::new("http_sink").await;
    let sink = AuditSink::new(stand.audit.scope(ScopeOverrides::new()).unwrap());
    let (app, _) = counted(CaptureLayer::with_sink(sink));
    app.oneshot(request("/")).await.unwrap();
    stand.stored(&[("http.GET./", 201)]).await;
}
