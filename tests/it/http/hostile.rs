//! What a client may send over a socket to do harm: either the server refuses it, or it is stored; no panic, nothing lost.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    middleware::{Next, from_fn},
};
use http::{HeaderValue, Version, header::USER_AGENT};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt as _;
use tracevault::{
    ScopeOverrides,
    http::{CaptureLayer, TrustedProxies},
};

use crate::kit::Table;

const MEGABYTE: usize = 1 << 20;

/// Answers whatever it is asked, and counts what reached it outside of the capture.
fn app(capture: CaptureLayer, heard: &Arc<AtomicUsize>) -> Router {
    let heard = Arc::clone(heard);
    let hear = move |request: Request, next: Next| {
        heard.fetch_add(1, Ordering::Relaxed);
        next.run(request)
    };
    Router::new().fallback(|| async { "well" }).layer(capture).layer(from_fn(hear))
}

/// With axum's own limits.
async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, service).await.unwrap() });
    address
}

/// With room for headers of megabytes.
async fn serve_the_large(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, peer) = listener.accept().await.unwrap();
            let app = app.clone();
            let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                let app = app.clone();
                async move { Ok::<_, Infallible>(app.oneshot(request).await.unwrap()) }
            });
            let mut server = auto::Builder::new(TokioExecutor::new());
            server.http1().max_buf_size(8 * MEGABYTE);
            server.http2().max_header_list_size(8 << 20);
            tokio::spawn(async move { drop(server.serve_connection(TokioIo::new(socket), service).await) });
        }
    });
    address
}

/// The head of the answer, where there is one.
async fn send(address: SocketAddr, request: &[u8]) -> Option<String> {
    let (mut answers, mut requests) = TcpStream::connect(address).await.unwrap().into_split();
    // A server that refuses does not read on.
    let ((), answer) = tokio::join!(async { drop(requests.write_all(request).await) }, async {
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(answers.read_u8().await.ok()?);
        }
        Some(answer)
    });
    answer.map(|answer| String::from_utf8(answer).unwrap())
}

fn get(path: &[u8], header: &[u8]) -> Vec<u8> {
    [b"GET ", path, b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n", header, b"\r\n\r\n"].concat()
}

fn of(name: &str, value: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b": ", value].concat()
}

/// Requests, each with the id that is to be inherited, if any.
fn requests() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let large = vec![b'a'; MEGABYTE];
    let medium = vec![b'a'; 300 << 10];
    let mut requests = vec![
        (get(b"/plain", b"x-request-id: plain"), Some("plain")),
        // What ends a line ends the header, and is no part of the id.
        (get(b"/crlf", b"x-request-id: one\r\nset-cookie: a=b"), Some("one")),
        (get(b"/two", b"x-request-id: one\r\nx-request-id: two"), None),
        (get(b"/", &b"x-y: z\r\n".repeat(99)), None),
        (get(b"/", &b"x-y: z\r\n".repeat(200)), None),
        (b"OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), None),
        (b"GET http://evil.example/\xe2\x80\xae HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), None),
        (b"CONNECT evil.example:1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), None),
        (b"GET / HTTP/1.0\r\n\r\n".to_vec(), None),
        (b"\r\n\r\nGET / HTTP/1.1\r\nconnection: close\r\n\r\n".to_vec(), None),
        ([&large[..], b" / HTTP/1.1\r\n\r\n"].concat(), None),
    ];
    for text in [
        &b""[..],
        b"\xff\xfe",
        b"\xc3\x28",
        b"a\0b",
        b"a\rb",
        b"a\nb",
        b"a\r\n b",
        b"\x1b[2J",
        "\u{202e}gnp.exe".as_bytes(),
        "\u{2066}\u{2028}".as_bytes(),
        b"%00%0d%0aset-cookie:%20a=b%ff%fe%e2%80%ae",
        b"';DROP TABLE audit;--",
        &large[..60_000],
        &medium,
        &large,
    ] {
        for name in ["x-request-id", "x-correlation-id", "user-agent", "x-forwarded-for", "forwarded", "cookie"] {
            requests.push((get(b"/header", &of(name, text)), None));
        }
        requests.push((get(&[b"/path/", text].concat(), b"a: b"), None));
        requests.push((get(&[b"/query?a=", text, b"&", text, b"=b"].concat(), b"a: b"), None));
    }
    requests
}

#[tokio::test]
async fn what_the_server_takes_is_stored_and_what_it_refuses_is_not() {
    for large in [false, true] {
        let table = Table::new("http_hostile").await;
        let audit = table.audit();
        let layer = CaptureLayer::new(audit.scope(ScopeOverrides::new()).unwrap());
        let heard = Arc::new(AtomicUsize::new(0));
        let app = app(layer.clone(), &heard);
        let address = if large { serve_the_large(app).await } else { serve(app).await };
        let (mut taken, mut refused, mut inherited) = (Vec::new(), 0, Vec::new());
        for (request, id) in requests() {
            let shown = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
            let before = heard.load(Ordering::Relaxed);
            let answer = send(address, &request).await;
            if heard.load(Ordering::Relaxed) == before {
                let answer = answer.unwrap_or_default();
                let told =
                    ["HTTP/1.1 400 ", "HTTP/1.1 414 ", "HTTP/1.1 431 "].iter().any(|head| answer.starts_with(head));
                assert!(answer.is_empty() || told, "{shown}: {answer}");
                assert!(!large || !shown.contains(": aaaa"), "{shown}: there is room for a header of a megabyte");
                refused += 1;
                continue;
            }
            let answer = answer.unwrap_or_else(|| panic!("{shown}: no answer"));
            assert!(answer.contains(" 200 OK\r\n"), "{shown}: {answer}");
            assert!(!answer.contains("set-cookie"), "{shown}: {answer}");
            let ids: Vec<_> = answer.lines().filter_map(|line| line.strip_prefix("x-request-id: ")).collect();
            let [said] = ids[..] else { panic!("{shown}: {answer}") };
            if let Some(id) = id {
                assert_eq!(said, id, "{shown}");
                inherited.push(said.to_owned());
            } else {
                assert_eq!(said.len(), 36, "{shown}: {said}");
            }
            taken.push(said.to_owned());
        }
        assert_eq!(taken.len(), heard.load(Ordering::Relaxed));
        assert!(taken.len() > 50 && refused > 10, "{large}: {} taken, {refused} refused", taken.len());
        audit.close().await.unwrap();
        let mut stored: Vec<String> = table.column("request_id").await;
        taken.sort_unstable();
        stored.sort_unstable();
        assert_eq!(stored, taken, "{large}");
        assert_eq!(inherited, ["plain", "one"]);
        let stats = layer.stats();
        assert_eq!((stats.captured, stats.lost, stats.panics), (taken.len() as u64, 0, 0), "{large}");
        let names: BTreeSet<String> = table.column("event").await.into_iter().collect();
        let unfit = |letter: char| letter.is_control() || matches!(letter, '\u{202e}' | '\u{2066}' | '\u{2028}');
        assert!(names.iter().all(|name| name.chars().count() <= 255 && !name.contains(unfit)), "{names:?}");
        let longest: i32 = table.select("max(octet_length(data::text))", "", &[]).await[0].get(0);
        assert!(longest < 16_000, "{longest}");
        // Nobody is trusted, so nobody is believed.
        let addresses: Vec<String> = table.column("data #>> '{context,ip}'").await;
        assert!(addresses.iter().all(|address| address == "127.0.0.1"), "{addresses:?}");
        table.drop().await;
    }
}

#[tokio::test]
async fn over_http_2_as_well() {
    let table = Table::new("http_hostile2").await;
    let audit = table.audit();
    let layer = CaptureLayer::new(audit.scope(ScopeOverrides::new()).unwrap());
    let heard = Arc::new(AtomicUsize::new(0));
    let app = app(layer.clone(), &heard);
    let mut answered = 0;
    for address in [serve(app.clone()).await, serve_the_large(app).await] {
        for value in
            [&b"\xff\xfe"[..], "\u{202e}".as_bytes(), b"", b"a\tb", &vec![b'a'; 5 << 10], &vec![b'a'; MEGABYTE]]
        {
            let value = HeaderValue::from_bytes(value).unwrap();
            let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
            let request = http::Request::get(format!("http://{address}/%ff%00?%ff=%00")).version(Version::HTTP_2);
            let request = request.header("x-request-id", &value).header(USER_AGENT, &value);
            let before = heard.load(Ordering::Relaxed);
            let answer = client.request(request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap()).await;
            if heard.load(Ordering::Relaxed) > before {
                assert_eq!(answer.unwrap().headers()["x-request-id"].len(), 36);
                answered += 1;
            } else {
                // The connection breaks, or the server says that it is too much.
                assert_eq!(value.len(), MEGABYTE);
                assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 431));
            }
        }
    }
    assert!(answered >= 10, "{answered}");
    audit.close().await.unwrap();
    assert_eq!((table.count().await, layer.stats().captured), (answered, heard.load(Ordering::Relaxed) as u64));
    assert_eq!((layer.stats().lost, layer.stats().panics), (0, 0));
    table.drop().await;
}

#[tokio::test]
async fn a_forged_address_counts_as_little_as_it_is_worth() {
    for (trusted, lines, client) in [
        (&[][..], "x-forwarded-for: 6.6.6.6\r\nforwarded: for=6.6.6.6", "127.0.0.1"),
        (&["10.0.0.0/8"], "x-forwarded-for: 6.6.6.6", "127.0.0.1"),
        // The proxy at 127.0.0.1 has appended what it saw.
        (&["127.0.0.0/8"], "x-forwarded-for: 6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (&["127.0.0.0/8"], "x-forwarded-for: 6.6.6.6\r\nx-forwarded-for: 203.0.113.9", "203.0.113.9"),
        (&["127.0.0.0/8"], "forwarded: for=\"6.6.6.6\r\nforwarded: for=203.0.113.9", "203.0.113.9"),
        (&["127.0.0.0/8"], "x-forwarded-for: \u{202e}6.6.6.6, unknown", "127.0.0.1"),
    ] {
        let table = Table::new("http_forged").await;
        let audit = table.audit();
        let proxies = TrustedProxies::new(trusted).unwrap();
        let layer = CaptureLayer::new(audit.scope(ScopeOverrides::new()).unwrap()).trusted_proxies(proxies);
        let address = serve(app(layer, &Arc::default())).await;
        assert!(send(address, &get(b"/", lines.as_bytes())).await.unwrap().starts_with("HTTP/1.1 200 OK"));
        audit.close().await.unwrap();
        let stored: Vec<String> = table.column("data #>> '{context,ip}'").await;
        assert_eq!(stored, [client], "{lines}");
        table.drop().await;
    }
}
