//! `GET api/requests/{id}`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};

use super::asking::{Asking, Nothing};
use crate::{
    dashboard::{problem::Problem, site::Site},
    traffic::RequestDetail,
};

/// All of one request.
#[utoipa::path(get, path = "/requests/{id}",
    params(("id" = i64, Path, description = "The id of its row"), Asking<Nothing>),
    responses((status = 200, body = RequestDetail), (status = 404, body = Problem,
        content_type = "application/problem+json", description = "There is none, or it was dropped by now")))]
pub(super) async fn request(
    State(site): State<Arc<Site>>,
    id: Result<Path<i64>, PathRejection>,
    _: Asking<Nothing>,
) -> Result<Json<RequestDetail>, Problem> {
    let Path(id) = id.map_err(|_| Problem::parameter("id", "must be the id of a row"))?;
    let request = site.traffic.request(id).await?;
    request.map(Json).ok_or_else(Problem::not_found)
}
