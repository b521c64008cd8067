//! The pages of traffic.

mod overview;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    ask::{Ask, Asked},
    problem::Problem,
    shell::{self, Tab},
    site::Site,
    visit::Visit,
};

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new().route("/", get(overview::show))
}

/// What no route has.
pub(super) async fn fallback(State(site): State<Arc<Site>>, visit: Visit, ask: Result<Ask, Problem>) -> Response {
    if matches!(visit.path.as_str(), "/" | "") {
        return overview::show(State(site), visit, ask).await;
    }
    let problem = Problem::not_found();
    if visit.path.starts_with("/api/") || visit.path.starts_with("/assets/") {
        return problem.into_response();
    }
    shell::failed(&site, &visit, &Asked::default(), Tab::Overview, problem)
}
