//! A layer is idle once every exchange was handed over, by whatever way it ended.

use std::{
    convert::Infallible,
    future::{pending, ready},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body_util::Full;
use tokio::sync::Notify;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tracevault::{
    Error,
    http::{Admission, Busy, CaptureLayer, Exchange, RequestBody, Sink},
};

use super::stand::Stand;

type Body = Full<Bytes>;
type Asked = Request<RequestBody<Body>>;

fn request(path: &str) -> Request<Body> {
    Request::get(path).body(Body::default()).unwrap()
}

#[tokio::test]
async fn an_exchange_runs_from_its_request_to_the_end_of_its_body() {
    let stand = Stand::new("http_idle").await;
    let layer = stand.layer.clone();
    assert!(layer.idle().now_or_never().is_some(), "nothing has run yet");
    let service = layer.layer(service_fn(|request: Asked| async move {
        match request.uri().path() {
            "/never" => pending::<()>().await,
            "/health" => {}
            _ => return Ok::<_, Infallible>(Response::new(Body::from("all of it"))),
        }
        Ok(Response::new(Body::default()))
    }));

    let answered = service.clone().oneshot(request("/body")).await.unwrap();
    let mut waiting = Box::pin(service.clone().oneshot(request("/never")));
    assert!((&mut waiting).now_or_never().is_none());
    service.oneshot(request("/health")).await.unwrap();
    assert_eq!((layer.stats().running, layer.stats().captured, layer.stats().skipped), (2, 0, 1));
    let idle = tokio::spawn({
        let layer = layer.clone();
        async move {
            layer.idle().await;
            layer.stats()
        }
    });
    tokio::task::yield_now().await;
    drop(answered);
    tokio::task::yield_now().await;
    assert!(!idle.is_finished(), "the other one runs");
    drop(waiting);
    let stats = idle.await.unwrap();
    assert_eq!((stats.running, stats.captured, stats.lost), (0, 2, 0), "it is counted before it is over");
    stand.stored(&[("http.GET./body", 499), ("http.GET./never", 499)]).await;
}

/// Whose commits wait for a word.
struct Slow(Arc<Notify>);

impl Sink for Slow {
    fn admit(&self) -> Result<Option<Admission>, Busy> {
        let word = Arc::clone(&self.0);
        Ok(Some(Admission::new(|_| async move {
            word.notified().await;
            Ok(())
        })))
    }

    fn capture(&self, _: Exchange) -> Result<(), Error> {
        unreachable!("it was admitted")
    }
}

#[tokio::test]
async fn a_commit_runs_on_where_the_client_is_gone() {
    let word = Arc::new(Notify::new());
    let layer = CaptureLayer::with_sink(Slow(Arc::clone(&word)));
    let service = layer.layer(service_fn(|_: Asked| ready(Ok::<_, Infallible>(Response::new(Body::from("done"))))));
    let mut asked = Box::pin(service.oneshot(request("/")));
    assert!((&mut asked).now_or_never().is_none(), "the head waits for the commit");
    drop(asked);
    assert_eq!((layer.stats().running, layer.stats().captured), (1, 0));
    assert!(layer.idle().now_or_never().is_none());
    word.notify_one();
    layer.idle().await;
    assert_eq!((layer.stats().running, layer.stats().captured, layer.stats().lost), (0, 1, 0));
}

/// Nothing that it is given survives.
struct Broken;

impl Sink for Broken {
    fn capture(&self, _: Exchange) -> Result<(), Error> {
        panic!("on purpose")
    }
}

#[tokio::test]
async fn an_exchange_whose_sink_panics_is_over_too() {
    let layer = CaptureLayer::with_sink(Broken);
    let service = layer.layer(service_fn(|_: Asked| ready(Ok::<_, Infallible>(Response::new(Body::default())))));
    service.oneshot(request("/")).await.unwrap();
    assert!(layer.idle().now_or_never().is_some());
    assert_eq!((layer.stats().running, layer.stats().lost, layer.stats().panics), (0, 1, 1));
}
