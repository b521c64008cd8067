//! How pages come to know of new requests.

mod mode;

use std::sync::Arc;

use axum::Router;

pub use self::mode::LiveMode;
use super::site::Site;

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
}
