//! `GET api/errors`.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::asking::{Asking, Takes};
use crate::{
    dashboard::{problem::Problem, site::Site},
    traffic::{Errors, ErrorsQuery},
};

pub(super) enum Taken {}

impl Takes for Taken {
    const NAMES: &'static [&'static str] =
        &["range", "from", "to", "method", "status", "route", "user", "slow", "limit"];
}

/// What went wrong: by route and status, and the latest one by one. `user` and `slow` hold for the latest only.
#[utoipa::path(get, path = "/errors", params(Asking<Taken>), responses((status = 200, body = Errors)))]
pub(super) async fn errors(
    State(site): State<Arc<Site>>,
    Asking { ask, .. }: Asking<Taken>,
) -> Result<Json<Errors>, Problem> {
    let mut query = ErrorsQuery::new(ask.range);
    query.filter = ask.filter;
    query.limit = ask.limit.unwrap_or(query.limit);
    Ok(Json(site.traffic.errors(&query).await?))
}
