//! The REST API: the structs that pages show, as JSON. Errors are problem details (RFC 9457); lists that have another page
//! name it in a `Link` header (RFC 8288). `openapi.json` tells all of it, and is made from the handlers themselves.

mod asking;
mod config;
mod errors;
mod live;
mod openapi;
mod overview;
mod paging;
mod requests;
mod route_list;
mod users;

use std::sync::Arc;

use axum::{Router, routing::get};

pub(super) use self::asking::{Asking, Takes};
use super::{problem::Problem, site::Site};

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/config", get(config::config))
        .route("/errors", get(errors::errors))
        .route("/live", get(live::live))
        .route("/openapi.json", get(openapi::openapi))
        .route("/overview", get(overview::overview))
        .route("/requests/{id}", get(requests::request))
        .route("/routes", get(route_list::routes))
        .route("/users", get(users::users))
        .route("/users/{id}", get(users::user))
}

/// What a route does not take.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(http::StatusCode::METHOD_NOT_ALLOWED, "this can only be read, by GET")
}
