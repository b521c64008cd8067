//! How pages come to know of new requests.
//!
//! A stream is told by a `broadcast`, which never waits for a reader: one that lags is told how much it missed. What was
//! stored while a viewer was away is read from the table. Everything is bounded: streams, what waits for each, what is
//! sent again, and how long a stream lasts.

mod bus;
mod cluster;
mod feed;
mod hub;
mod mode;
mod replay;
pub(super) mod stream;

use std::sync::Arc;

use axum::{Router, routing::get};

pub(super) use self::hub::Hub;
pub use self::{bus::LiveBus, mode::LiveMode};
use super::site::Site;

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new().route("/stream", get(stream::stream))
}
