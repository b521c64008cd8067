//! `GET api/config`: what a page needs to know of the server.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;

use super::asking::{Asking, Nothing};
use crate::dashboard::{site::Site, visit::Visit};

/// How new requests come to be known.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// `poll`, `sse`, `sse-pg` or `custom`.
    live_mode: &'static str,
    /// How often to ask, where nothing is sent.
    poll_interval_ms: u64,
    /// Where new requests are sent from; not in mode `poll`.
    #[serde(skip_serializing_if = "Option::is_none")]
    socket: Option<Socket>,
}

/// Where new requests are sent from.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Socket {
    /// The address, from the root of the host.
    path: String,
    /// By what: `sse`.
    transports: [&'static str; 1],
}

/// How new requests come to be known. It is answered without asking the database.
#[utoipa::path(get, path = "/config", params(Asking<Nothing>), responses((status = 200, body = Config)))]
pub(super) async fn config(State(site): State<Arc<Site>>, visit: Visit, _: Asking<Nothing>) -> Json<Config> {
    let socket = Socket { path: format!("{}/api/stream", visit.base), transports: ["sse"] };
    Json(Config {
        live_mode: site.live_mode.name(),
        poll_interval_ms: u64::try_from(site.poll_interval.as_millis()).unwrap_or(u64::MAX),
        socket: site.live_mode.is_live().then_some(socket),
    })
}
