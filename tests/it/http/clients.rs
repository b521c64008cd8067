//! Ids and bodies pass unchanged through clients that people use: reqwest and curl, by HTTP/1.1 and HTTP/2.

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::SocketAddr,
    process::{Command, Stdio},
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderMap, HeaderValue, Version, header::DATE},
    response::IntoResponse,
    routing::post,
};
use bytes::Bytes;
use futures_util::stream;
use tokio::net::TcpListener;
use tracevault::{
    ScopeOverrides, Tracevault,
    http::{CaptureLayer, RequestId},
    uuid::Uuid,
};

use crate::{endurance::Random, kit::Table};

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// Says back what it is told, and by which id.
async fn echo(id: Option<axum::Extension<RequestId>>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let mut back = HeaderMap::new();
    let handlers = id.map(|id| HeaderValue::from_str(id.as_str()).unwrap());
    for (name, value) in [("x-handlers", handlers.as_ref()), ("x-came", headers.get("x-request-id"))] {
        value.map(|value| back.insert(name, value.clone()));
    }
    back.insert("x-bytes", HeaderValue::from_bytes(b"\xe2\x80\xae \xff").unwrap());
    (back, body)
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    address
}

/// A service without the layer, the same with it, and where it stores.
struct Pair {
    table: Table,
    audit: Tracevault,
    bare: SocketAddr,
    captured: SocketAddr,
}

impl Pair {
    async fn new() -> Self {
        let table = Table::new("http_clients").await;
        let audit = table.audit();
        let app = Router::new().route("/echo", post(echo)).layer(DefaultBodyLimit::disable());
        let layer = CaptureLayer::new(audit.scope(ScopeOverrides::new()).unwrap());
        let (bare, captured) = (serve(app.clone()).await, serve(app.layer(layer)).await);
        Self { table, audit, bare, captured }
    }

    /// The rows have these ids, and no others.
    async fn stored(self, mut ids: Vec<String>) {
        self.audit.close().await.unwrap();
        let mut stored: Vec<String> = self.table.column("request_id").await;
        stored.sort_unstable();
        ids.sort_unstable();
        assert_eq!(stored, ids);
        let statuses: Vec<String> = self.table.column("data #>> '{metrics,statusCode}'").await;
        assert!(statuses.iter().all(|status| status == "200"), "{statuses:?}");
        self.table.drop().await;
    }
}

/// Bytes of every kind, as many as are asked for.
fn bytes(length: usize) -> Vec<u8> {
    let mut random = Random(length as u64);
    (0..length).map(|_| u8::try_from(random.below(256)).unwrap()).collect()
}

const LENGTHS: [usize; 4] = [0, 1, 70_000, 3 << 20];
const IDS: [Option<&str>; 2] = [Some("Req_9:a/b+c=d-e.f"), None];

struct Answer {
    version: String,
    headers: BTreeMap<String, Vec<u8>>,
    body: Vec<u8>,
}

/// What the layer adds to an answer is the id, and nothing else. Returns the id.
fn compare(what: &str, id: Option<&str>, sent: &[u8], bare: Answer, mut captured: Answer) -> String {
    let said = captured.headers.remove("x-request-id").unwrap_or_else(|| panic!("{what}: no id"));
    assert_eq!(captured.headers.remove("x-handlers").as_ref(), Some(&said), "{what}");
    assert_eq!((captured.version, captured.headers), (bare.version, bare.headers), "{what}");
    assert!(captured.body == sent && bare.body == sent, "{what}: the body was changed");
    let said = String::from_utf8(said).unwrap();
    match id {
        Some(id) => assert_eq!(said, id, "{what}"),
        None => assert_eq!(said.parse::<Uuid>().unwrap().get_version_num(), 7, "{what}"),
    }
    said
}

async fn by_reqwest(address: SocketAddr, version: Version, id: Option<&str>, body: &[u8], chunked: bool) -> Answer {
    let client = reqwest::Client::builder();
    let client = if version == Version::HTTP_2 { client.http2_prior_knowledge() } else { client.http1_only() };
    let mut request = client.build().unwrap().post(format!("http://{address}/echo"));
    if let Some(id) = id {
        request = request.header("X-Request-Id", id);
    }
    request = if chunked {
        let pieces: Vec<_> = body.chunks(10_000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
        request.body(reqwest::Body::wrap_stream(stream::iter(pieces)))
    } else {
        request.body(body.to_vec())
    };
    let answer = request.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
    let told = answer.headers().iter().filter(|(name, _)| *name != DATE);
    let headers = told.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    Answer { version: format!("{version:?}"), headers, body: answer.bytes().await.unwrap().to_vec() }
}

#[tokio::test]
async fn reqwest_sees_its_id_and_its_body() {
    let pair = Pair::new().await;
    let mut ids = Vec::new();
    for version in VERSIONS {
        for (length, id, chunked) in every() {
            let sent = bytes(length);
            let what = format!("reqwest, {version:?}, {length} bytes, {id:?}, {chunked}");
            let bare = by_reqwest(pair.bare, version, id, &sent, chunked).await;
            let captured = by_reqwest(pair.captured, version, id, &sent, chunked).await;
            ids.push(compare(&what, id, &sent, bare, captured));
        }
    }
    pair.stored(ids).await;
}

/// Each length with each id, in one piece and in chunks.
fn every() -> impl Iterator<Item = (usize, Option<&'static str>, bool)> {
    let ids = LENGTHS.into_iter().flat_map(|length| IDS.map(|id| (length, id)));
    ids.flat_map(|(length, id)| [false, true].map(|chunked| (length, id, chunked)))
}

fn by_curl(address: SocketAddr, version: Version, id: Option<&str>, body: &[u8], chunked: bool) -> Answer {
    let mut curl = Command::new("curl");
    // Without a file of its own, which could say anything; heads go before the body, that of `100 Continue` too.
    curl.args(["--disable", "--silent", "--show-error", "--include", "--noproxy", "*", "--request", "POST"]);
    curl.arg(if version == Version::HTTP_2 { "--http2-prior-knowledge" } else { "--http1.1" });
    curl.args(if chunked { ["--upload-file", "-"] } else { ["--data-binary", "@-"] });
    if let Some(id) = id {
        curl.arg("--header").arg(format!("X-Request-Id: {id}"));
    }
    curl.arg(format!("http://{address}/echo")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = curl.spawn().unwrap_or_else(|error| panic!("needs curl ({error}): apt-get install --yes curl"));
    running.stdin.take().unwrap().write_all(body).unwrap();
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut rest = &output.stdout[..];
    loop {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let (head, behind) = (&rest[..end], &rest[end + 4..]);
        rest = behind;
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        let first = String::from_utf8(lines.next().unwrap().to_vec()).unwrap();
        if first.ends_with("100 Continue") || first.trim_end().ends_with(" 100") {
            continue;
        }
        let pairs = lines.map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').unwrap();
            (String::from_utf8(line[..colon].to_ascii_lowercase()).unwrap(), line[colon + 2..].to_vec())
        });
        let headers = pairs.filter(|(name, _)| name != "date").collect();
        return Answer { version: first, headers, body: rest.to_vec() };
    }
}

#[tokio::test]
async fn curl_sees_its_id_and_its_body() {
    let pair = Pair::new().await;
    let (bare, captured) = (pair.bare, pair.captured);
    let asking = tokio::task::spawn_blocking(move || {
        let mut ids = Vec::new();
        for version in VERSIONS {
            for (length, id, chunked) in every() {
                let sent = bytes(length);
                let what = format!("curl, {version:?}, {length} bytes, {id:?}, {chunked}");
                let ask = |address| by_curl(address, version, id, &sent, chunked);
                let (bare, captured) = (ask(bare), ask(captured));
                let line = if version == Version::HTTP_2 { "HTTP/2 200" } else { "HTTP/1.1 200 OK" };
                assert_eq!(captured.version.trim_end(), line, "{what}");
                ids.push(compare(&what, id, &sent, bare, captured));
            }
        }
        ids
    });
    pair.stored(asking.await.unwrap()).await;
}
