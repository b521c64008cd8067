//! The audit explorer: what the audit table holds, to look at. Whoever looks is told of.
//!
//! `GET /audit` is the list, `/audit/{id}` one record, `/audit/actor` and `/audit/target` what one actor did and what was
//! done to one target, `/audit/export.csv` and `/audit/export.ndjson` all that a filter finds. Ids are parameters rather
//! than steps of a path: they may hold slashes. All take the same parameters, see [`ask`].
//!
//! A page is read first, then it is told who looks, and only when that is committed the page is shown. So a list never
//! begins with its own telling, and nobody sees what nobody hears of. What is told is `tracevault.dashboard.viewed`, of a
//! file `tracevault.dashboard.exported`: its actor is the viewer, of type `dashboard_viewer`, its target the record that is
//! looked at alone, of type `audit_record`, and its data say which page it is, and what it was filtered by.

mod api;
mod ask;
mod change;
mod csv;
mod detail;
mod explorer;
mod export;
mod json;
mod list;
mod page;
mod place;
mod qualifier;
mod row;
mod view;
mod words;

use std::sync::Arc;

use axum::{Router, routing::get};

pub(super) use self::{api::AuditApi, explorer::Audit};
use super::site::Site;

/// The pages.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/audit", get(list::everything))
        .route("/audit/actor", get(list::actor))
        .route("/audit/target", get(list::target))
        .route("/audit/export.csv", get(export::csv))
        .route("/audit/export.ndjson", get(export::ndjson))
        .route("/audit/{id}", get(detail::show))
}

/// The same as JSON, to stand under `/api`.
pub(super) fn api_routes() -> Router<Arc<Site>> {
    Router::new().route("/audit", get(api::list)).route("/audit/{id}", get(api::record))
}
