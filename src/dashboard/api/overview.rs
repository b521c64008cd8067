//! `GET api/overview`.

use std::sync::Arc;

use axum::{Json, extract::State};

use crate::{
    dashboard::{ask::Ask, problem::Problem, site::Site},
    traffic::{Overview, OverviewQuery},
};

pub(super) async fn overview(State(site): State<Arc<Site>>, ask: Ask) -> Result<Json<Overview>, Problem> {
    let query = OverviewQuery::new(ask.range).compare(ask.compare);
    Ok(Json(site.traffic.overview(&query).await?))
}
