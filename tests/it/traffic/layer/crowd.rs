//! Two thousand requests over sockets, some of them cut: one row for each whose head arrived.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    http::StatusCode,
    middleware::{Next, from_fn},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::*;
use crate::endurance::Random;

const REQUESTS: usize = 2_000;
const CLIENTS: usize = 16;
const WAYS: [(&str, i16); 4] = [("/answer", 200), ("/late", 200), ("/fail", 500), ("/stream/7", 200)];

type Heard = Arc<Mutex<Vec<String>>>;

fn app(site: &Site, heard: &Heard) -> Router {
    let heard = Arc::clone(heard);
    // Outside of the layer: what the server has read.
    let hear = move |request: Request, next: Next| {
        heard.lock().unwrap().push(request.headers()["x-request-id"].to_str().unwrap().to_owned());
        next.run(request)
    };
    let pieces = || async {
        Body::from_stream(stream::iter(0..4).then(|_| async {
            sleep(Duration::from_millis(1)).await;
            Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 4 << 10]))
        }))
    };
    Router::new()
        .route("/answer", get(|| async { "answer" }))
        .route("/late", get(|| sleep(Duration::from_millis(2))))
        .route("/fail", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/stream/{n}", get(pieces))
        .layer(site.traffic.layer())
        .layer(from_fn(hear))
}

/// Asks once; `None`: it was cut. Else whether it was answered to the end.
async fn ask_or_cut(address: SocketAddr, id: &str, way: usize, random: &mut Random) -> Option<StatusCode> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(TcpStream::connect(address).await.unwrap())).await.unwrap();
    let connection = tokio::spawn(connection);
    let asked = request(WAYS[way].0).header("host", "crowd").header("x-request-id", id);
    let answer = sender.send_request(asked.body(Empty::<Bytes>::new()).unwrap());
    let cut = random.below(5) == 0;
    let told = if cut {
        let _ = timeout(Duration::from_micros(random.below(3_000) as u64), answer).await;
        None
    } else {
        let answer = answer.await.unwrap();
        let status = answer.status();
        answer.into_body().collect().await.unwrap();
        Some(status)
    };
    connection.abort();
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_requests_some_of_them_cut_are_a_row_each() {
    let site = Site::with("crowd", |builder| builder.linger(Duration::from_millis(5))).await;
    let heard = Heard::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app(&site, &heard);
    let server = tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(async move {
            let mut random = Random(client as u64);
            let mut asked = Vec::new();
            for number in 0..REQUESTS / CLIENTS {
                let (id, way) = (format!("crowd-{client}-{number}"), random.below(WAYS.len()));
                let told = ask_or_cut(address, &id, way, &mut random).await;
                asked.push((id, (way, told)));
            }
            asked
        });
    }
    let asked: HashMap<_, _> = clients.join_all().await.into_iter().flatten().collect();
    assert_eq!(asked.len(), REQUESTS);
    // Those that are cut end when the server sees it.
    let heard_now = || heard.lock().unwrap().len();
    let begun = std::time::Instant::now();
    loop {
        let before = heard_now();
        sleep(Duration::from_millis(100)).await;
        let stats = site.traffic.stats();
        if heard_now() == before && stats.accepted == before as u64 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{before} were heard: {stats:?}");
    }
    server.abort();
    site.traffic.flush().await;
    let mut expected = heard.lock().unwrap().clone();
    expected.sort();
    let rows =
        site.sql.query(&format!("SELECT request_id, route, status_code FROM \"{}\"", site.name), &[]).await.unwrap();
    let rows: Vec<(String, String, i16)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let mut ids: Vec<_> = rows.iter().map(|(id, ..)| id.clone()).collect();
    ids.sort();
    assert_eq!(ids, expected, "each once");
    let mut statuses = BTreeMap::new();
    for (id, route, status) in &rows {
        let (way, told) = asked[id];
        assert_eq!(*route, WAYS[way].0.replace('7', "{n}"));
        match told {
            Some(told) => assert_eq!((told.as_u16().cast_signed(), *status), (*status, WAYS[way].1), "{id}"),
            None => assert!([499, WAYS[way].1].contains(status), "{id}: {status}"),
        }
        *statuses.entry(*status).or_insert(0) += 1;
    }
    let whole = asked.values().filter(|(_, told)| told.is_some()).count();
    assert!(rows.len() >= whole && whole > REQUESTS * 3 / 5 && statuses[&499] > 0, "{statuses:?} {whole}");
    let stats = site.traffic.stats();
    assert_eq!((stats.stored, stats.dropped, stats.failed, stats.unknown), (rows.len() as u64, 0, 0, 0));
    site.drop().await;
}
