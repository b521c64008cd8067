//! The audit explorer: what the audit table holds, to look at. Whoever looks is told of.

use std::sync::Arc;

use axum::Router;

use super::site::Site;
use crate::{Scope, query::Query};

/// What is shown, and where it is told who looked.
#[derive(Debug)]
pub(super) struct Audit {
    query: Query,
    access: Scope,
}

impl Audit {
    pub(super) fn new(query: Query, access: Scope) -> Self {
        Self { query, access }
    }
}

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
}
