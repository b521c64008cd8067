//! Every way in which an exchange can end, by a service in memory: one event each.

use std::{
    convert::Infallible,
    io,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tracevault::http::{Ending, RequestBody};

use super::stand::{Stand, fault};

type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;
type Asked = Request<RequestBody<Empty<Bytes>>>;

fn boxed<B>(body: B) -> UnsyncBoxBody<Bytes, io::Error>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    body.map_err(|never| match never {}).boxed_unsync()
}

/// A body that gives these pieces, one a poll, and does not know its end.
fn pieces(pieces: Vec<io::Result<&'static str>>) -> UnsyncBoxBody<Bytes, io::Error> {
    let frames = pieces.into_iter().map(|piece| piece.map(|text| Frame::data(Bytes::from_static(text.as_bytes()))));
    StreamBody::new(futures_util::stream::iter(frames.collect::<Vec<_>>())).boxed_unsync()
}

fn ask(method: Method) -> Request<Empty<Bytes>> {
    Request::builder().method(method).uri("/thing?a=1").body(Empty::new()).unwrap()
}

/// Asks once and drops what comes.
async fn answer(
    stand: &Stand,
    method: Method,
    make: impl Fn() -> Answer,
) -> Response<tracevault::http::ResponseBody<UnsyncBoxBody<Bytes, io::Error>>> {
    let service = stand.layer.layer(service_fn(|_: Asked| std::future::ready(Ok::<_, Infallible>(make()))));
    service.oneshot(ask(method)).await.unwrap()
}

#[tokio::test]
async fn a_body_that_is_read_to_its_end_completes_the_exchange_once() {
    let mut stand = Stand::new("http_end").await;
    for body in [|| boxed(Full::from("seven b")), || pieces(vec![Ok("seven"), Ok(" b")])] {
        let response = answer(&stand, Method::GET, || Response::new(body())).await;
        assert_eq!(response.headers()["x-request-id"].len(), 36);
        stand.nothing_ended();
        let mut body = response.into_body();
        let collected = (&mut body).collect().await.unwrap().to_bytes();
        assert_eq!(collected, "seven b");
        let ended = stand.ended();
        assert_eq!((&ended.ending, ended.status, ended.response_bytes), (&Ending::Complete, Some(200), 7));
        assert!(ended.ttfb.unwrap() <= ended.latency);
        drop(body);
        stand.nothing_ended();
    }
    assert_eq!((stand.layer.stats().captured, stand.layer.stats().lost), (2, 0));
    stand.stored(&[("http.GET./thing", 200), ("http.GET./thing", 200)]).await;
}

#[tokio::test]
async fn who_sees_the_end_after_a_frame_does_not_ask_again() {
    let mut stand = Stand::new("http_last").await;
    let response = answer(&stand, Method::GET, || Response::new(boxed(Full::from("all")))).await;
    let mut body = response.into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.data_ref().unwrap(), "all");
    assert!(body.is_end_stream());
    assert_eq!(stand.ended().ending, Ending::Complete);
    stand.stored(&[("http.GET./thing", 200)]).await;
}

#[tokio::test]
async fn an_answer_without_a_body_ends_at_its_head() {
    let mut stand = Stand::new("http_headonly").await;
    let made = |status: u16| Response::builder().status(status).body(pieces(vec![Ok("never read")])).unwrap();
    for (method, status) in [(Method::HEAD, 200), (Method::GET, 204), (Method::GET, 304)] {
        let response = answer(&stand, method, || made(status)).await;
        let ended = stand.ended();
        assert_eq!((ended.ending, ended.status, ended.response_bytes), (Ending::Complete, Some(status), 0));
        drop(response);
    }
    let response = answer(&stand, Method::GET, || Response::new(boxed(Empty::new()))).await;
    assert_eq!(stand.ended().ending, Ending::Complete);
    drop(response);
    stand.nothing_ended();
    let name = "http.GET./thing";
    stand.stored(&[("http.HEAD./thing", 200), (name, 204), (name, 304), (name, 200)]).await;
}

#[tokio::test]
async fn upgrades_and_events_of_the_server_end_at_the_head() {
    let mut stand = Stand::new("http_upgrade").await;
    let upgrade = || Response::builder().status(101).body(boxed(Empty::new())).unwrap();
    let events = || {
        let head = Response::builder().header(header::CONTENT_TYPE, "Text/Event-Stream; charset=utf-8");
        head.body(pieces(vec![Ok("data: 1\n\n")])).unwrap()
    };
    let tunnel = || Response::new(pieces(vec![Ok("x")]));
    for (method, make) in
        [(Method::GET, &upgrade as &dyn Fn() -> Answer), (Method::GET, &events), (Method::CONNECT, &tunnel)]
    {
        let response = answer(&stand, method, make).await;
        let ended = stand.ended();
        assert_eq!(
            (&ended.ending, Some(ended.latency)),
            (&Ending::AtHead, ended.ttfb.map(|ttfb| ended.latency.max(ttfb)))
        );
        assert!(response.into_body().collect().await.is_ok(), "the body passes all the same");
        stand.nothing_ended();
    }
    stand.stored(&[("http.GET./thing", 101), ("http.GET./thing", 200), ("http.CONNECT./thing", 200)]).await;
}

#[tokio::test]
async fn a_body_that_is_dropped_was_aborted_unless_all_of_it_was_sent() {
    let mut stand = Stand::new("http_dropped").await;
    let make = || Response::new(pieces(vec![Ok("one"), Ok("two")]));
    let announced = || {
        let head = Response::builder().header(header::CONTENT_LENGTH, "6");
        head.body(pieces(vec![Ok("one"), Ok("two")])).unwrap()
    };
    let aborted = (Ending::AbortedInBody, Some(200));
    for (make, frames, expected) in [
        (&make as &dyn Fn() -> Answer, 0, &aborted),
        (&make, 1, &aborted),
        (&make, 2, &aborted),
        (&announced, 1, &aborted),
        (&announced, 2, &(Ending::Complete, Some(200))),
    ] {
        let mut body = answer(&stand, Method::GET, make).await.into_body();
        for _ in 0..frames {
            body.frame().await.unwrap().unwrap();
        }
        stand.nothing_ended();
        drop(body);
        let ended = stand.ended();
        assert_eq!((&ended.ending, ended.status, ended.response_bytes), (&expected.0, expected.1, frames * 3));
    }
    let name = "http.GET./thing";
    stand.stored(&[(name, 499), (name, 499), (name, 499), (name, 499), (name, 200)]).await;
}

#[tokio::test]
async fn a_future_that_is_dropped_was_aborted_before_the_head() {
    let mut stand = Stand::new("http_gone").await;
    let service = stand.layer.layer(service_fn(|_: Asked| std::future::pending::<io::Result<Answer>>()));
    let mut unpolled = service.clone();
    drop(unpolled.call(ask(Method::GET)));
    let ended = stand.ended();
    assert_eq!((ended.ending, ended.status, ended.ttfb), (Ending::AbortedBeforeHead, None, None));
    assert!(service.oneshot(ask(Method::PUT)).now_or_never().is_none());
    assert_eq!(stand.ended().ending, Ending::AbortedBeforeHead);
    stand.stored(&[("http.GET./thing", 499), ("http.PUT./thing", 499)]).await;
}

#[tokio::test]
async fn an_error_of_the_service_or_of_a_body_is_told_and_passed_on() {
    let mut stand = Stand::new("http_error").await;
    let failing = |_: Asked| std::future::ready(Err::<Answer, _>(io::Error::other("no handler")));
    let error = stand.layer.layer(service_fn(failing)).oneshot(ask(Method::GET)).await.err().unwrap();
    assert_eq!(error.to_string(), "no handler");
    let ended = stand.ended();
    assert_eq!((fault(&ended.ending), ended.status), (("Error", "no handler"), None));
    assert!(matches!(ended.ending, Ending::ServiceError(_)));

    let make = || Response::new(pieces(vec![Ok("half"), Err(io::Error::other("disk gone"))]));
    let mut body = answer(&stand, Method::POST, make).await.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap_err().to_string(), "disk gone");
    let ended = stand.ended();
    assert!(matches!(ended.ending, Ending::BodyError(_)));
    assert_eq!((fault(&ended.ending), ended.status, ended.response_bytes), (("Error", "disk gone"), Some(200), 4));
    drop(body);
    stand.nothing_ended();
    stand.stored(&[("http.GET./thing", 500), ("http.POST./thing", 500)]).await;
}

/// Panics where it is asked for a frame.
struct Trap;

impl Body for Trap {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("in the body");
    }
}

#[tokio::test]
async fn a_panic_is_told_and_goes_on_with_its_payload() {
    #[derive(Debug, PartialEq)]
    struct Payload(u8);
    let mut stand = Stand::new("http_panic").await;
    let at_once = service_fn(|_: Asked| -> std::future::Ready<io::Result<Answer>> { panic!("at once") });
    let caught = AssertUnwindSafe(stand.layer.layer(at_once).oneshot(ask(Method::GET))).catch_unwind().await;
    assert_eq!(*caught.err().unwrap().downcast_ref::<&str>().unwrap(), "at once");
    assert_eq!(fault(&stand.ended().ending), ("panic", "at once"));

    let later = service_fn(|_: Asked| async {
        tokio::task::yield_now().await;
        if true {
            std::panic::panic_any(Payload(7));
        }
        io::Result::Ok(Response::new(boxed(Empty::new())))
    });
    let caught = AssertUnwindSafe(stand.layer.layer(later).oneshot(ask(Method::PUT))).catch_unwind().await;
    assert_eq!(caught.err().unwrap().downcast_ref(), Some(&Payload(7)));
    let ended = stand.ended();
    assert!(matches!(ended.ending, Ending::Panic(_)));
    assert_eq!((fault(&ended.ending).0, ended.status), ("panic", None));

    let body = answer(&stand, Method::POST, || Response::new(boxed(Trap))).await.into_body();
    let caught = AssertUnwindSafe(body.collect()).catch_unwind().await;
    assert_eq!(*caught.err().unwrap().downcast_ref::<&str>().unwrap(), "in the body");
    assert_eq!(fault(&stand.ended().ending), ("panic", "in the body"));
    stand.stored(&[("http.GET./thing", 500), ("http.PUT./thing", 500), ("http.POST./thing", 500)]).await;
}

#[tokio::test]
async fn a_timeout_inside_answers_and_one_outside_aborts() {
    let mut stand = Stand::new("http_timeout").await;
    let never = || service_fn(|_: Asked| std::future::pending::<io::Result<Answer>>());
    let soon = tower::timeout::TimeoutLayer::new(std::time::Duration::from_millis(5));
    let inside = stand.layer.layer(soon.layer(never()));
    assert!(inside.oneshot(ask(Method::GET)).await.is_err());
    assert!(matches!(stand.ended().ending, Ending::ServiceError(_)));
    let outside = soon.layer(stand.layer.layer(never()));
    assert!(outside.oneshot(ask(Method::GET)).await.is_err());
    assert_eq!(stand.ended().ending, Ending::AbortedBeforeHead);
    stand.stored(&[("http.GET./thing", 500), ("http.GET./thing", 499)]).await;
}

#[tokio::test]
async fn hints_and_trailers_pass_unchanged() {
    let mut stand = Stand::new("http_trailers").await;
    let response = answer(&stand, Method::GET, || Response::new(boxed(Full::from("12345")))).await;
    assert_eq!(response.body().size_hint().exact(), Some(5));
    assert!(!response.body().is_end_stream());
    drop(response);
    assert_eq!(stand.ended().ending, Ending::AbortedInBody);

    let with_trailers = || {
        let trailers = http::HeaderMap::from_iter([(header::ETAG, "\"x\"".parse().unwrap())]);
        let frames = [Frame::data(Bytes::from_static(b"abc")), Frame::trailers(trailers)];
        Response::new(StreamBody::new(futures_util::stream::iter(frames.map(Ok))).boxed_unsync())
    };
    let response = answer(&stand, Method::GET, with_trailers).await;
    assert_eq!(response.body().size_hint().upper(), SizeHint::new().upper());
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()[header::ETAG], "\"x\"");
    let ended = stand.ended();
    assert_eq!((ended.ending, ended.response_bytes), (Ending::Complete, 3));
    // A server asks for no more once it has the trailers.
    let mut body = answer(&stand, Method::GET, with_trailers).await.into_body();
    while !body.frame().await.unwrap().unwrap().is_trailers() {}
    assert_eq!(stand.ended().ending, Ending::Complete);
    drop(body);
    stand.stored(&[("http.GET./thing", 499), ("http.GET./thing", 200), ("http.GET./thing", 200)]).await;
}

#[tokio::test]
async fn a_head_of_the_handler_keeps_its_status_and_gets_our_id() {
    let mut stand = Stand::new("http_id").await;
    let head = || Response::builder().status(StatusCode::IM_A_TEAPOT).header("x-request-id", "the handler's own");
    let make = || head().body(boxed(Empty::new())).unwrap();
    let service = stand.layer.layer(service_fn(|asked: Asked| {
        assert!(asked.extensions().get::<tracevault::http::RequestId>().is_some());
        std::future::ready(Ok::<_, Infallible>(make()))
    }));
    let mut request = ask(Method::GET);
    request.headers_mut().insert("x-request-id", "req-7".parse().unwrap());
    request.headers_mut().insert("x-correlation-id", "cor-7".parse().unwrap());
    let response = service.oneshot(request).await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["x-request-id"]), (418, &"req-7".parse().unwrap()));
    assert_eq!(response.headers().get_all("x-request-id").iter().count(), 1);
    let ended = stand.ended();
    assert_eq!((ended.request_id.as_str(), ended.correlation_id.as_deref()), ("req-7", Some("cor-7")));
    stand.flush().await;
    let rows = stand.table.select("request_id, correlation_id", "", &[]).await;
    assert_eq!((rows[0].get::<_, &str>(0), rows[0].get::<_, &str>(1)), ("req-7", "cor-7"));
    stand.stored(&[("http.GET./thing", 418)]).await;
}
