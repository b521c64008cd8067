//! The REST API: the structs that pages show, as JSON.

mod overview;

use std::sync::Arc;

use axum::{Router, routing::get};

use super::site::Site;

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new().route("/overview", get(overview::overview))
}
