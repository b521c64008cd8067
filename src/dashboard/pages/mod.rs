//! The pages of traffic: what [`Traffic`](crate::traffic::Traffic) answers, as lists, charts and single numbers.

mod cell;
mod chart;
mod csv;
mod errors;
pub(super) mod figures;
mod heat;
mod kpi;
mod live;
mod overview;
mod panel;
mod request;
mod route;
mod routes;
mod user;
mod users;

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};

use self::panel::Panel;
use super::{
    access::Access,
    ask::{Ask, Asked},
    problem::Problem,
    shell::{self, Tab},
    site::Site,
    visit::Visit,
};

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/", get(overview::show))
        .route("/live", get(live::show))
        .route("/routes", get(routes::show))
        .route("/route", get(route::show))
        .route("/users", get(users::show))
        .route("/users/{id}", get(user::show))
        .route("/errors", get(errors::show))
        .route("/requests/{id}", get(request::show))
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
    // Whoever asked chose this path, and links to `//somewhere` would lead there.
    let visit = Visit { path: "/".to_owned(), ..visit };
    shell::failed(&site, &visit, &Asked::default(), Tab::Overview, problem)
}

/// A page with lists.
trait Page: Template {
    fn panels(&self) -> Vec<&Panel>;
}

/// A page, or one of its lists as a file.
async fn answer<P: Page>(
    site: &Site,
    visit: &Visit,
    ask: Result<Ask, Problem>,
    tab: Tab,
    make: impl AsyncFnOnce(&Ask) -> Result<P, Problem>,
) -> Response {
    let ask = match ask {
        Ok(ask) if ask.asked.format.is_some() => ask,
        ask => return shell::page(site, visit, ask, tab, make).await,
    };
    if visit.viewer.access != Access::Full {
        return Problem::forbidden("lists may be looked at, and not taken away").into_response();
    }
    match make(&ask).await {
        Err(problem) => problem.into_response(),
        Ok(page) => {
            let found = page.panels().into_iter().find(|panel| Some(panel.id) == ask.asked.panel.as_deref());
            found.map_or_else(|| Problem::parameter("panel", "is no list of this page").into_response(), csv::answer)
        }
    }
}
