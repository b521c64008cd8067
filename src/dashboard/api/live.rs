//! `GET api/live`.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::asking::{Asking, Takes};
use crate::{
    dashboard::{problem::Problem, site::Site},
    traffic::{Live, LiveQuery},
};

pub(super) enum Taken {}

impl Takes for Taken {
    const NAMES: &'static [&'static str] = &["method", "status", "route", "user", "slow", "after", "limit"];
}

/// The latest requests, the newest first; with `after`, those behind it, the oldest first. Behind a cursor, those of the
/// five seconds before its row come again: ids tell them.
#[utoipa::path(get, path = "/live", params(Asking<Taken>), responses((status = 200, body = Live)))]
pub(super) async fn live(
    State(site): State<Arc<Site>>,
    Asking { ask, .. }: Asking<Taken>,
) -> Result<Json<Live>, Problem> {
    let mut query = LiveQuery::new().filter(ask.filter);
    query.after = ask.after;
    query.limit = ask.limit.unwrap_or(query.limit);
    Ok(Json(site.traffic.live(&query).await?))
}
