//! Live updates: streams over real sockets, of one process and of two.

mod bus;
mod cluster;
mod sse;

use std::time::Duration;

use axum::Router;
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};
use tracevault::{
    dashboard::DashboardBuilder,
    time::OffsetDateTime,
    traffic::{Seen, Traffic, UserDetails},
};

/// A process, but for the process: an app with a dashboard at `/board`, on a socket.
struct App {
    address: String,
    traffic: Traffic,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl App {
    async fn start(traffic: &Traffic, options: impl FnOnce(DashboardBuilder) -> DashboardBuilder) -> Self {
        let router = options(traffic.dashboard().insecure_no_auth()).build().unwrap();
        let app = Router::new().nest_service("/board", router);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/board/api", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let serve = axum::serve(listener, app).with_graceful_shutdown(async { drop(stopped.await) });
        let served = tokio::spawn(async { serve.await.unwrap() });
        Self { address, traffic: traffic.clone(), stop: Some(stop), served }
    }

    /// Stores a request, and answers the id of its row.
    async fn request(&self, path: &str) -> i64 {
        let mut rows = self.traffic.subscribe();
        assert!(self.traffic.record(seen(path)));
        self.traffic.flush().await;
        rows.recv().await.unwrap()[0].id
    }

    async fn get(&self, path: &str, last: Option<i64>) -> reqwest::Response {
        let mut request = reqwest::Client::new().get(format!("{}{path}", self.address));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        request.send().await.unwrap()
    }

    /// A stream, greeted.
    async fn stream(&self, path: &str, last: Option<i64>) -> Events {
        let response = self.get(path, last).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut events = Events { response, text: String::new() };
        assert_eq!(events.next().await.unwrap(), Told { retry: Some(3_000), ..Told::default() });
        events
    }
}

/// What one event says.
#[derive(Debug, Default, PartialEq)]
struct Told {
    event: String,
    id: Option<i64>,
    retry: Option<u64>,
    data: Value,
}

/// The events of a stream; comments are left out.
struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    /// The next, within ten seconds; `None` after the last.
    async fn next(&mut self) -> Option<Told> {
        let next = async {
            loop {
                if let Some(end) = self.text.find("\n\n") {
                    let told = read(&self.text[..end]);
                    self.text.drain(..end + 2);
                    match told {
                        Some(told) => return Some(told),
                        None => continue,
                    }
                }
                let chunk = self.response.chunk().await.unwrap()?;
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        };
        timeout(Duration::from_secs(10), next).await.expect("an event, or the end")
    }

    /// The next, which is a new request; its id.
    async fn id(&mut self) -> i64 {
        let told = self.next().await.expect("an event");
        assert_eq!((told.event.as_str(), told.id), ("traffic:new-request", told.data["id"].as_i64()), "{told:?}");
        told.id.unwrap()
    }
}

fn read(text: &str) -> Option<Told> {
    let mut told = Told::default();
    let mut empty = true;
    for (name, value) in text.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| !name.is_empty()) {
        let value = value.trim_start();
        empty = false;
        match name {
            "event" => value.clone_into(&mut told.event),
            "id" => told.id = Some(value.parse().unwrap()),
            "retry" => told.retry = Some(value.parse().unwrap()),
            "data" => told.data = serde_json::from_str(value).unwrap(),
            other => panic!("{other} is no field"),
        }
    }
    (!empty).then_some(told)
}

fn seen(path: &str) -> Seen<'_> {
    Seen {
        started_at: OffsetDateTime::now_utc(),
        duration: Duration::from_millis(12),
        method: "GET",
        pattern: Some("/live"),
        path,
        query: None,
        status: 200,
        user: UserDetails { id: Some("ann".into()), ..UserDetails::default() },
        session_id: Some("s1"),
        ip: None,
        user_agent: None,
        request_id: None,
    }
}
