//! `GET api/overview`.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::asking::{Asking, Takes};
use crate::{
    dashboard::{problem::Problem, site::Site},
    traffic::{Overview, OverviewQuery},
};

pub(super) enum Taken {}

impl Takes for Taken {
    const NAMES: &'static [&'static str] = &["range", "from", "to", "cmp"];
}

/// Everything at a glance.
#[utoipa::path(get, path = "/overview", params(Asking<Taken>), responses((status = 200, body = Overview)))]
pub(super) async fn overview(
    State(site): State<Arc<Site>>,
    Asking { ask, .. }: Asking<Taken>,
) -> Result<Json<Overview>, Problem> {
    let query = OverviewQuery::new(ask.range).compare(ask.compare);
    Ok(Json(site.traffic.overview(&query).await?))
}
