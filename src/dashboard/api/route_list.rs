//! `GET api/routes`.

use std::sync::Arc;

use axum::extract::State;

use super::{
    asking::{Asking, Takes},
    paging::Page,
};
use crate::{
    dashboard::{problem::Problem, site::Site, visit::Visit},
    traffic::{RouteRow, RoutesQuery},
};

pub(super) enum Taken {}

impl Takes for Taken {
    const NAMES: &'static [&'static str] = &["range", "from", "to", "method", "q", "sort", "limit", "cursor"];
}

/// Routes with their counts. The next page is told by the header `Link`.
#[utoipa::path(get, path = "/routes", params(Asking<Taken>), responses((status = 200, body = [RouteRow],
    headers(("Link" = Option<String>, description = "The next page, as `<address>; rel=\"next\"`")))))]
pub(super) async fn routes(
    State(site): State<Arc<Site>>,
    visit: Visit,
    Asking { ask, .. }: Asking<Taken>,
) -> Result<Page<RouteRow>, Problem> {
    let mut query = RoutesQuery::new(ask.range);
    if let Some(sort) = &ask.asked.sort {
        query.sort = sort.parse()?;
    }
    query.limit = ask.limit.unwrap_or(query.limit);
    query.cursor.clone_from(&ask.asked.cursor);
    query.search.clone_from(&ask.asked.q);
    query.method = ask.filter.method;
    let routes = site.traffic.routes(&query).await?;
    Ok(Page::new(routes.routes, routes.next, &visit, &ask.asked, &routes.range))
}
