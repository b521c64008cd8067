//! The same service thrice.

use std::net::SocketAddr;

use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tower_http::{
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    trace::TraceLayer,
};

use crate::{Outcome, storage::Storage};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    /// Nothing but the handler.
    Bare,
    /// With a request id and log lines.
    TowerHttp,
    /// With a request id and an event of each exchange.
    Tracevault,
}

impl Service {
    pub const ALL: [Self; 3] = [Self::Bare, Self::TowerHttp, Self::Tracevault];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::TowerHttp => "tower-http",
            Self::Tracevault => "tracevault",
        }
    }

    pub fn router(self, storage: &Storage) -> Router {
        let hello = Router::new().route("/hello", get(|| async { "hello" }));
        match self {
            Self::Bare => hello,
            // The layer added last runs first.
            Self::TowerHttp => hello
                .layer(PropagateRequestIdLayer::x_request_id())
                .layer(TraceLayer::new_for_http())
                .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid)),
            Self::Tracevault => hello.layer(storage.capture.clone()),
        }
    }
}

/// Serves on a port of its own.
pub async fn serve(app: Router) -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(address)
}
