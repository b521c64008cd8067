//! Over real sockets, by HTTP/1.1 and HTTP/2: an axum service, and hyper's client.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::WebSocketUpgrade,
    http::{Method, Request, Response, Uri, Version},
    response::sse::{Event, Sse},
    routing::{any, get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tracevault::http::Ending;

use super::stand::{Stand, panicking};

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, service).await.unwrap() });
    address
}

type Asking = Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>;

fn client(version: Version) -> Asking {
    Client::builder(TokioExecutor::new()).http2_only(version == Version::HTTP_2).build_http()
}

const BOTH: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

async fn ask(
    client: &Asking,
    address: SocketAddr,
    method: Method,
    path: &str,
    body: &'static [u8],
) -> Response<Incoming> {
    let uri: Uri = format!("http://{address}{path}").parse().unwrap();
    let request = Request::builder().method(method).uri(uri).header("x-request-id", "from-outside");
    client.request(request.body(Full::from(body)).unwrap()).await.unwrap()
}

/// A megabyte in pieces.
fn megabyte() -> Body {
    let pieces = stream::iter(0..64_u8).map(|piece| Ok::<_, Infallible>(Bytes::from(vec![piece; 16 << 10])));
    Body::from_stream(pieces)
}

#[tokio::test]
async fn bodies_and_ids_pass_and_each_exchange_is_stored_once() {
    let mut stand = Stand::new("http_sockets").await;
    let app = Router::new()
        .route("/echo/{n}", post(|body: Bytes| async { body }))
        .route("/large", get(|| async { megabyte() }))
        .route("/small", get(|| async { "small" }))
        .layer(stand.layer.clone());
    let address = serve(app).await;
    let mut expected = Vec::new();
    for version in BOTH {
        let client = client(version);
        for (method, path, body, status, length) in [
            (Method::POST, "/echo/7", &b"hello world"[..], 200, 11),
            (Method::GET, "/large", b"", 200, 1 << 20),
            (Method::GET, "/small", b"", 200, 5),
            (Method::HEAD, "/small", b"", 200, 0),
            (Method::GET, "/nowhere", b"", 404, 0),
            (Method::PUT, "/small", b"not read", 405, 0),
        ] {
            let response = ask(&client, address, method.clone(), path, body).await;
            assert_eq!((response.version(), response.status().as_u16()), (version, status));
            assert_eq!(response.headers()["x-request-id"], "from-outside");
            let received = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(received.len(), length, "{method} {path}");
            let ended = stand.next().await;
            assert_eq!(
                (&ended.ending, ended.response_bytes),
                (&Ending::Complete, length as u64),
                "{version:?} {method} {path}"
            );
            assert_eq!((ended.version, ended.client_ip.unwrap().is_loopback()), (version, true));
            if method == Method::POST {
                assert_eq!((ended.request_bytes, &received[..]), (11, body));
            }
            let route = if path == "/echo/7" { "/echo/{n}" } else { path };
            expected.push((format!("http.{method}.{route}"), i64::from(status)));
        }
    }
    let expected: Vec<_> = expected.iter().map(|(name, status)| (name.as_str(), *status)).collect();
    stand.stored(&expected).await;
}

#[tokio::test]
async fn a_client_that_goes_away_is_told_of() {
    let mut stand = Stand::new("http_away").await;
    let started = Arc::new(Notify::new());
    let signal = Arc::clone(&started);
    let slow = move || async move {
        signal.notify_one();
        std::future::pending::<()>().await;
    };
    let endless =
        || async { Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from(vec![0; 1 << 16])))) };
    let app = Router::new().route("/slow", get(slow)).route("/endless", get(endless)).layer(stand.layer.clone());
    let address = serve(app).await;
    for version in BOTH {
        let client = client(version);
        tokio::select! {
            _ = ask(&client, address, Method::GET, "/slow", b"") => panic!("it never answers"),
            () = started.notified() => {}
        }
        drop(client);
        let ended = stand.next().await;
        assert_eq!((&ended.ending, ended.status), (&Ending::AbortedBeforeHead, None), "{version:?}");

        let mut response = ask(&self::client(version), address, Method::GET, "/endless", b"").await;
        response.body_mut().frame().await.unwrap().unwrap();
        drop(response);
        let ended = stand.next().await;
        assert_eq!((&ended.ending, ended.status), (&Ending::AbortedInBody, Some(200)), "{version:?}");
        assert!(ended.response_bytes > 0);
    }
    let (slow, endless) = (("http.GET./slow", 499), ("http.GET./endless", 499));
    stand.stored(&[slow, endless, slow, endless]).await;
}

#[tokio::test]
async fn a_handler_that_panics_is_told_and_the_server_goes_on() {
    let mut stand = Stand::new("http_panics").await;
    let app = Router::new().route("/panic", get(panicking)).route("/well", get(|| async {})).layer(stand.layer.clone());
    let address = serve(app).await;
    for version in BOTH {
        let uri: Uri = format!("http://{address}/panic").parse().unwrap();
        let asked = client(version).request(Request::builder().uri(uri).body(Full::default()).unwrap()).await;
        assert!(asked.is_err());
        assert!(matches!(stand.next().await.ending, Ending::Panic(_)));
        assert_eq!(ask(&client(version), address, Method::GET, "/well", b"").await.status(), 200);
        assert_eq!(stand.next().await.ending, Ending::Complete);
    }
    let (panic, well) = (("http.GET./panic", 500), ("http.GET./well", 200));
    stand.stored(&[panic, well, panic, well]).await;
}

#[tokio::test]
async fn a_second_and_a_half_is_told_as_such_and_the_first_byte_beside_it() {
    const LONG: Duration = Duration::from_millis(1_500);
    let mut stand = Stand::new("http_time").await;
    let late_head = || async {
        tokio::time::sleep(LONG).await;
        "late"
    };
    let late_body = || async {
        Body::from_stream(stream::once(async {
            tokio::time::sleep(LONG).await;
            Ok::<_, Infallible>("late")
        }))
    };
    let app = Router::new().route("/head", get(late_head)).route("/body", get(late_body)).layer(stand.layer.clone());
    let address = serve(app).await;
    let client = client(Version::HTTP_11);
    let about = LONG..LONG + Duration::from_secs(1);
    for path in ["/head", "/body"] {
        ask(&client, address, Method::GET, path, b"").await.into_body().collect().await.unwrap();
        let ended = stand.next().await;
        assert!(about.contains(&ended.latency), "{:?}", ended.latency);
        assert_eq!(about.contains(&ended.ttfb.unwrap()), path == "/head", "{:?}", ended.ttfb);
    }
    stand.flush().await;
    let rows = stand.table.select("(data #>> '{metrics,latencyMs}')::float8", "", &[]).await;
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert!((1_500.0..2_500.0).contains(&row.get::<_, f64>(0)));
    }
    stand.stored(&[("http.GET./head", 200), ("http.GET./body", 200)]).await;
}

#[tokio::test]
async fn an_upgrade_and_events_of_the_server_are_told_at_the_head_and_go_on() {
    let mut stand = Stand::new("http_ws").await;
    let echo = |upgrade: WebSocketUpgrade| async {
        upgrade.on_upgrade(|mut socket| async move {
            while let Some(Ok(message)) = socket.recv().await {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
        })
    };
    let ticks = || async {
        let first = stream::once(async { Ok::<_, Infallible>(Event::default().data("first")) });
        Sse::new(first.chain(stream::pending()))
    };
    let app = Router::new().route("/ws", any(echo)).route("/events", get(ticks)).layer(stand.layer.clone());
    let address = serve(app).await;

    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let ended = stand.next().await;
    assert_eq!((ended.ending, ended.status), (Ending::AtHead, Some(101)));
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.read_u8().await.unwrap());
    }
    assert!(String::from_utf8(answer).unwrap().contains("x-request-id: "));
    // A text of two letters, masked by zeros, and its echo.
    socket.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    let mut echoed = [0; 4];
    socket.read_exact(&mut echoed).await.unwrap();
    assert_eq!(echoed, [0x81, 2, b'h', b'i']);
    drop(socket);

    let mut response = ask(&client(Version::HTTP_2), address, Method::GET, "/events", b"").await;
    let ended = stand.next().await;
    assert_eq!((ended.ending, ended.status), (Ending::AtHead, Some(200)));
    let first = response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(first.data_ref().unwrap(), "data: first\n\n");
    stand.stored(&[("http.GET./ws", 101), ("http.GET./events", 200)]).await;
}
