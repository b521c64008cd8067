//! Bodies far larger than memory should be, in a process of its own, since the other tests take memory too.

use std::{convert::Infallible, env, fs, net::SocketAddr, process::Command};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, Version},
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt as _;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tracevault::{ScopeOverrides, http::CaptureLayer};

use crate::{
    endurance::{long, say},
    kit::{self, Table},
    support::needs,
};

const TABLE: &str = "TRACEVAULT_TEST_FLOOD_TABLE";
static PIECE: [u8; 64 << 10] = [0; 64 << 10];
/// In KiB. The buffers of sockets and of HTTP/2 are some hundreds.
const MOST: u64 = 16 << 10;

fn size() -> usize {
    if long() { 1 << 30 } else { 256 << 20 }
}

/// SHA-256 of that many zeros, as `sha256sum` has it.
fn hash() -> &'static str {
    if long() {
        "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14"
    } else {
        "a6d72ac7690f53be6ae46ba88506bd97302a093f7108472bd9efc3cefda06484"
    }
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Zeros in pieces, of a length that nobody announces.
fn zeros(size: usize) -> Body {
    let pieces = (0..size / PIECE.len()).map(|_| Ok::<_, Infallible>(Bytes::from_static(&PIECE)));
    Body::from_stream(stream::iter(pieces))
}

/// Reads all, and keeps nothing.
async fn drain<B>(mut body: B) -> usize
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug> + Unpin,
{
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().data_ref().map_or(0, Bytes::len);
    }
    length
}

async fn flood(address: SocketAddr, version: Version, size: usize) {
    let client = Client::builder(TokioExecutor::new()).http2_only(version == Version::HTTP_2).build_http::<Body>();
    let request = Request::post(format!("http://{address}/drain")).body(zeros(size)).unwrap();
    let answer = client.request(request).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::INTERNAL_SERVER_ERROR, version));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), size.to_string());
    let request = Request::get(format!("http://{address}/pour/{size}")).body(Body::empty()).unwrap();
    assert_eq!(drain(client.request(request).await.unwrap().into_body()).await, size);
}

#[tokio::test]
async fn bodies_of_any_size_take_constant_memory() {
    let linux = fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("VmHWM:"));
    if !needs("/proc/self/status", linux, "run on Linux") {
        return;
    }
    let table = Table::new("http_flood").await;
    let mut flooded = Command::new(env::current_exe().unwrap());
    flooded.args(["--ignored", "--exact", "--nocapture", "http::flood::is_flooded_in_a_process_of_its_own"]);
    flooded.env("TRACEVAULT_TEST_DATABASE_URL", kit::url()).env(TABLE, &table.name);
    let output = tokio::task::spawn_blocking(move || flooded.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    said.lines().filter(|line| line.starts_with("flood:")).for_each(say);
    table.drop().await;
}

#[tokio::test]
#[ignore = "run by the test of memory, which makes its table"]
async fn is_flooded_in_a_process_of_its_own() {
    // Whoever runs all ignored tests at once gets here without a table.
    let Ok(name) = env::var(TABLE) else { return };
    let table = Table { name, sql: kit::client().await };
    let audit = table.audit();
    let layer = CaptureLayer::new(audit.scope(ScopeOverrides::new()).unwrap());
    let pour = |axum::extract::Path(size): axum::extract::Path<usize>| async move { zeros(size) };
    // An error, so that the hash is kept.
    let drained = |body: Body| async { (StatusCode::INTERNAL_SERVER_ERROR, drain(body).await.to_string()) };
    let app = Router::new().route("/drain", post(drained)).route("/pour/{size}", get(pour)).layer(layer.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });

    for version in [Version::HTTP_11, Version::HTTP_2] {
        flood(address, version, 1 << 20).await;
    }
    let before = peak();
    // HTTP/2 is slower, as it writes a line of the log for each frame.
    for (version, size) in [(Version::HTTP_11, size()), (Version::HTTP_2, size() / 8)] {
        let begun = std::time::Instant::now();
        flood(address, version, size).await;
        say(&format!(
            "flood: {} MiB each way by {version:?} in {:?}, {} KiB more",
            size >> 20,
            begun.elapsed(),
            peak() - before
        ));
    }
    let grown = peak() - before;
    assert!(grown < MOST, "grew by {grown} KiB");

    audit.close().await.unwrap();
    assert_eq!((layer.stats().captured, layer.stats().lost), (8, 0));
    let rows = table.select("data #>> '{error,requestBodyHash}'", "WHERE event = 'http.POST./drain'", &[]).await;
    let hashes: Vec<Option<String>> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(hashes.iter().flatten().filter(|hashed| *hashed == hash()).count(), 1, "{hashes:?}");
    let statuses = "count(*) FILTER (WHERE data #>> '{metrics,statusCode}' = '200')";
    let poured: i64 = table.select(statuses, "WHERE event = 'http.GET./pour/{size}'", &[]).await[0].get(0);
    assert_eq!(poured, 4);
}
