//! Ten thousand requests over sockets, a fifth of them cut at random moments: one event for each whose head arrived.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::SocketAddr,
    panic,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::StatusCode,
    middleware::{Next, from_fn},
    routing::post,
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use tracevault::{ScopeOverrides, http::CaptureLayer};

use crate::{
    endurance::{Random, say},
    kit::Table,
};

const REQUESTS: usize = 10_000;
const CLIENTS: usize = 64;
const PIECES: usize = 8;
const PIECE: usize = 4 << 10;
const MOMENT: Duration = Duration::from_millis(2);

/// What the handlers do, and the status that is told of it where nothing is cut.
const WAYS: [(&str, i64); 8] = [
    ("answer", 200),
    ("late", 200),
    ("echo", 200),
    ("fail", 500),
    ("panic", 500),
    ("stream", 200),
    ("hang-up", 500),
    ("panic-late", 500),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Nowhere,
    InHead,
    InRequest,
    BeforeAnswer,
    InAnswer,
}

/// The ids of all requests whose heads the server has read, as something outside of the capture saw them.
type Heard = Arc<Mutex<Vec<String>>>;

/// Without a line on stderr for each of thousands.
async fn panicking() -> &'static str {
    panic::resume_unwind(Box::new("at work"))
}

fn app(capture: CaptureLayer, heard: &Heard) -> Router {
    let heard = Arc::clone(heard);
    let hear = move |request: Request, next: Next| {
        heard.lock().unwrap().push(request.headers()["x-request-id"].to_str().unwrap().to_owned());
        next.run(request)
    };
    let pieces = || {
        stream::iter(0..PIECES).then(|piece| async move {
            sleep(Duration::from_millis(1)).await;
            Ok::<_, io::Error>(Bytes::from(vec![u8::try_from(piece).unwrap(); PIECE]))
        })
    };
    let late = || async {
        sleep(MOMENT / 2).await;
        "late"
    };
    let hang_up = move || async move {
        let cut = stream::once(async { Err(io::Error::other("no more")) });
        Body::from_stream(pieces().take(2).chain(cut))
    };
    let panic_late = move || async move {
        let at_last = stream::once(async { panicking().await }).map(|text| Ok(Bytes::from(text)));
        Body::from_stream(pieces().take(2).chain(at_last))
    };
    Router::new()
        .route("/answer", post(|| async { "answer" }))
        .route("/late", post(late))
        .route("/echo", post(|body: Bytes| async { body }))
        .route("/fail", post(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "failed") }))
        .route("/panic", post(panicking))
        .route("/stream", post(move || async move { Body::from_stream(pieces()) }))
        .route("/hang-up", post(hang_up))
        .route("/panic-late", post(panic_late))
        .layer(capture)
        .layer(from_fn(hear))
}

/// One of many clients, with a connection that it keeps for as long as nothing breaks it.
struct Asker {
    address: SocketAddr,
    random: Random,
    kept: Option<(SendRequest<Full<Bytes>>, JoinHandle<()>)>,
}

/// What a client knows of a request.
struct Asked {
    id: String,
    way: usize,
    cut: Cut,
    /// Whether the head of an answer came.
    answered: bool,
}

impl Asker {
    async fn ask(&mut self, id: String) -> Asked {
        let way = self.random.below(WAYS.len());
        let cut = match self.random.below(20) {
            0 => Cut::InHead,
            1 => Cut::InRequest,
            2 => Cut::BeforeAnswer,
            3 => Cut::InAnswer,
            _ => Cut::Nowhere,
        };
        let answered = match cut {
            Cut::InHead | Cut::InRequest => self.ask_in_part(&id, WAYS[way].0, cut).await,
            _ => self.ask_whole(&id, WAYS[way].0, cut).await,
        };
        Asked { id, way, cut, answered }
    }

    /// Writes some of a request, and goes away.
    async fn ask_in_part(&mut self, id: &str, path: &str, cut: Cut) -> bool {
        const BODY: usize = 64 << 10;
        let head =
            format!("POST /{path} HTTP/1.1\r\nhost: crowd\r\nx-request-id: {id}\r\ncontent-length: {BODY}\r\n\r\n");
        let mut text = head.into_bytes();
        let end = text.len();
        text.resize(end + BODY, b'x');
        let written = if cut == Cut::InHead { self.random.below(end) } else { end + self.random.below(BODY) };
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        // Where the server answers before it has all, it may close first.
        let _ = socket.write_all(&text[..written]).await;
        sleep(self.random.pause(MOMENT)).await;
        false
    }

    async fn ask_whole(&mut self, id: &str, path: &str, cut: Cut) -> bool {
        let (mut sender, connection) = match self.kept.take() {
            Some(kept) => kept,
            None => self.connect().await,
        };
        sender.ready().await.unwrap();
        let size = self.random.below(20_000);
        let body = Bytes::from(id.repeat(1 + size / id.len()));
        let request = Request::post(format!("/{path}")).header("host", "crowd").header("x-request-id", id);
        let answer = sender.send_request(request.body(Full::from(body.clone())).unwrap());
        if cut == Cut::BeforeAnswer {
            let pause = self.random.pause(MOMENT);
            let answered = tokio::time::timeout(pause, answer).await.is_ok_and(|answer| answer.is_ok());
            connection.abort();
            return answered;
        }
        let Ok(mut answer) = answer.await else {
            assert_eq!(path, "panic", "{id} has no answer");
            return false;
        };
        assert_eq!(answer.headers()["x-request-id"], id);
        if cut == Cut::InAnswer {
            for _ in 0..self.random.below(3) {
                let _ = answer.frame().await;
            }
            connection.abort();
            return true;
        }
        let Ok(received) = answer.into_body().collect().await else {
            assert!(["hang-up", "panic-late"].contains(&path), "{id}: the answer broke off");
            return true;
        };
        let received = received.to_bytes();
        match path {
            "echo" => assert_eq!(received, body, "{id}"),
            "stream" => assert_eq!(received.len(), PIECES * PIECE, "{id}"),
            _ => assert!(!received.is_empty(), "{id}"),
        }
        if !sender.is_closed() {
            self.kept = Some((sender, connection));
        }
        true
    }

    async fn connect(&self) -> (SendRequest<Full<Bytes>>, JoinHandle<()>) {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await.unwrap();
        // It ends with an error where it is cut, which is what is wanted here.
        (sender, tokio::spawn(async { drop(connection.await) }))
    }
}

async fn ask_all(address: SocketAddr, seed: u64) -> Vec<Asked> {
    let mut askers = JoinSet::new();
    for client in 0..CLIENTS {
        let mut asker = Asker { address, random: Random(seed.wrapping_add(client as u64)), kept: None };
        askers.spawn(async move {
            let mut all = Vec::new();
            for number in (client..REQUESTS).step_by(CLIENTS) {
                all.push(asker.ask(format!("r{number}")).await);
            }
            all
        });
    }
    askers.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_ten_thousand_requests_each_that_arrived_is_stored_once() {
    let seed = Random::seeded().0;
    say(&format!("crowd: seed {seed}"));
    let table = Table::new("http_crowd").await;
    let audit = table.audit();
    let layer = CaptureLayer::new(audit.scope(ScopeOverrides::new()).unwrap());
    let heard = Heard::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving =
        axum::serve(listener, app(layer.clone(), &heard)).with_graceful_shutdown(async { drop(stopped.await) });
    let server = tokio::spawn(serving.into_future());

    let begun = Instant::now();
    let asked = ask_all(address, seed).await;
    // The server says so before it drops its last connections: it is over when every exchange is.
    drop(stop);
    server.await.unwrap().unwrap();
    layer.idle().await;
    let took = begun.elapsed();
    audit.close().await.unwrap();

    let columns =
        "request_id, event, (data #>> '{metrics,statusCode}')::bigint, count(*) OVER (PARTITION BY request_id)";
    let rows = table.select(columns, "", &[]).await;
    let stored: HashMap<String, (String, i64)> =
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    let twice: Vec<String> = rows.iter().filter(|row| row.get::<_, i64>(3) > 1).map(|row| row.get(0)).collect();
    assert!(twice.is_empty(), "stored more than once: {twice:?}; seed {seed}");
    let heard = heard.lock().unwrap().clone();
    let missed: Vec<_> = heard.iter().filter(|id| !stored.contains_key(*id)).collect();
    assert!(missed.is_empty(), "heard and not stored: {missed:?}; seed {seed}");
    assert_eq!(stored.len(), heard.len(), "stored and not heard; seed {seed}");
    let stats = layer.stats();
    assert_eq!((stats.captured, stats.lost, stats.busy), (heard.len() as u64, 0, 0), "seed {seed}");
    assert_eq!((stats.skipped, stats.panics), (0, 0), "seed {seed}");

    let mut told: BTreeMap<(Cut, Option<i64>), usize> = BTreeMap::new();
    for Asked { id, way, cut, answered } in &asked {
        let (path, whole) = WAYS[*way];
        let event = stored.get(id);
        *told.entry((*cut, event.map(|(_, said)| *said))).or_default() += 1;
        let Some((name, said)) = event else {
            assert!(*cut != Cut::Nowhere && !answered, "{id}, {path}, {cut:?} is not stored; seed {seed}");
            continue;
        };
        assert_ne!(*cut, Cut::InHead, "{id} never arrived; seed {seed}");
        assert_eq!(*name, format!("http.POST./{path}"), "{id}; seed {seed}");
        let cut_short = *cut != Cut::Nowhere && (*said == 499 || (path == "echo" && *said == 400));
        assert!(*said == whole || cut_short, "{id}, {path}, {cut:?} is told as {said}; seed {seed}");
    }
    say(&format!("crowd: {} of {REQUESTS} heard in {took:?}: {told:?}", heard.len()));
    let cuts = asked.iter().filter(|asked| asked.cut != Cut::Nowhere).count();
    assert!((REQUESTS / 6..REQUESTS / 4).contains(&cuts), "{cuts}; seed {seed}");
    for cut in [Cut::InRequest, Cut::BeforeAnswer, Cut::InAnswer] {
        assert!(told.contains_key(&(cut, Some(499))), "{cut:?} was seen; seed {seed}");
    }
    table.drop().await;
}
