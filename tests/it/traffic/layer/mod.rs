//! The layer: what it is told, and what is in the table then.

mod beside;
mod crowd;
mod endings;
mod kept;
mod modes;
mod outage;
mod told;
mod which;
mod who;

use std::net::{IpAddr, SocketAddr};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request},
    http::request,
    response::Response,
    routing::{get, post},
};
use tower::ServiceExt as _;
use tracevault::traffic::TrafficBuilder;

use super::Site;

/// An API with a nested router, and a health check.
fn api() -> Router {
    let users = Router::new().route("/{id}", get(|| async { "a user" })).route("/", post(|| async { "made" }));
    Router::new()
        .route("/", get(|| async { "home" }))
        .route("/health", get(|| async { "well" }))
        .route("/products", get(|| async { "products" }))
        .nest("/api", Router::new().nest("/users", users))
}

fn request(uri: &str) -> request::Builder {
    Request::builder().uri(uri)
}

/// From this address.
fn from(peer: &str, uri: &str) -> request::Builder {
    let peer: IpAddr = peer.parse().unwrap();
    request(uri).extension(ConnectInfo(SocketAddr::new(peer, 4711)))
}

/// Asks, and reads the answer to its end.
async fn ask(app: &Router, request: request::Builder) -> Response<()> {
    let (parts, body) = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().into_parts();
    to_bytes(body, usize::MAX).await.unwrap();
    Response::from_parts(parts, ())
}

async fn get_all(app: &Router, uris: &[&str]) {
    for uri in uris {
        ask(app, request(uri)).await;
    }
}

impl Site {
    /// An application whose requests are recorded by these options.
    async fn serving(
        theme: &str,
        app: Router,
        options: impl FnOnce(TrafficBuilder) -> TrafficBuilder,
    ) -> (Self, Router) {
        let site = Self::with(theme, options).await;
        let app = app.layer(site.traffic.layer());
        (site, app)
    }

    /// What is stored of these columns, a row a line, in the order in which it came.
    async fn rows(&self, columns: &str) -> Vec<String> {
        self.traffic.flush().await;
        let columns: Vec<_> = columns.split(", ").map(|column| format!("coalesce(({column})::text, '-')")).collect();
        let sql =
            format!("SELECT concat_ws(' ', {}) FROM \"{}\" ORDER BY started_at, id", columns.join(", "), self.name);
        self.sql.query(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }
}
