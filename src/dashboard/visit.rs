//! What the door leaves in a request for those behind it.

use std::time::Instant;

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::{access::Viewer, problem::Problem};

/// Who looks, from where links begin, and what was asked for.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) viewer: Viewer,
    /// Without a slash at its end.
    pub(super) base: String,
    /// The path behind the base.
    pub(super) path: String,
    /// When it came in.
    pub(super) since: Instant,
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthorized)
    }
}
