//! `GET api/users` and `GET api/users/{id}`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};

use super::{
    asking::{Asking, Takes},
    paging::Page,
};
use crate::{
    dashboard::{problem::Problem, site::Site, visit::Visit},
    traffic::{UserDetail, UserRow, UsersQuery},
};

pub(super) enum Taken {}

impl Takes for Taken {
    const NAMES: &'static [&'static str] = &["range", "from", "to", "q", "sort", "limit", "cursor"];
}

/// Users with their counts; everybody without an id is one of them. The next page is told by the header `Link`.
#[utoipa::path(get, path = "/users", params(Asking<Taken>), responses((status = 200, body = [UserRow],
    headers(("Link" = Option<String>, description = "The next page, as `<address>; rel=\"next\"`")))))]
pub(super) async fn users(
    State(site): State<Arc<Site>>,
    visit: Visit,
    Asking { ask, .. }: Asking<Taken>,
) -> Result<Page<UserRow>, Problem> {
    let mut query = UsersQuery::new(ask.range);
    if let Some(sort) = &ask.asked.sort {
        query.sort = sort.parse()?;
    }
    query.limit = ask.limit.unwrap_or(query.limit);
    query.cursor.clone_from(&ask.asked.cursor);
    query.search.clone_from(&ask.asked.q);
    let users = site.traffic.users(&query).await?;
    Ok(Page::new(users.users, users.next, &visit, &ask.asked, &users.range))
}

pub(super) enum TakenOfOne {}

impl Takes for TakenOfOne {
    const NAMES: &'static [&'static str] = &["range", "from", "to"];
}

/// One user: what they asked, with what, from where.
#[utoipa::path(get, path = "/users/{id}",
    params(("id" = String, Path, description = "The id, percent-encoded"), Asking<TakenOfOne>),
    responses((status = 200, body = UserDetail), (status = 404, body = Problem,
        content_type = "application/problem+json", description = "There is nothing of them at all")))]
pub(super) async fn user(
    State(site): State<Arc<Site>>,
    id: Result<Path<String>, PathRejection>,
    Asking { ask, .. }: Asking<TakenOfOne>,
) -> Result<Json<UserDetail>, Problem> {
    let Path(id) = id.map_err(|_| Problem::parameter("id", "is not UTF-8"))?;
    let user = site.traffic.user(&id, ask.range).await?;
    user.map(Json).ok_or_else(Problem::not_found)
}
