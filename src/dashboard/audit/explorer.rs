//! What is shown, and where it is told who looked.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Serialize;
use uuid::Uuid;

use super::{ask::AuditAsk, view::View};
use crate::{
    Event, Mode, Scope,
    dashboard::{access::Viewer, problem::Problem, site::Site},
    query::{AuditRecord, Page, Query},
};

#[derive(Debug)]
pub(in crate::dashboard) struct Audit {
    pub(super) query: Query,
    access: Scope,
}

/// The data of an event that tells who looked.
#[derive(Serialize)]
struct Looked<'l> {
    /// The name of the view.
    page: &'static str,
    /// What was filtered by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    filter: BTreeMap<&'l str, &'l str>,
}

impl Audit {
    pub(in crate::dashboard) fn new(query: Query, access: Scope) -> Self {
        Self { query, access }
    }

    /// That of a dashboard which has one.
    pub(super) fn of(site: &Site) -> Result<&Self, Problem> {
        site.audit.as_ref().ok_or_else(Problem::not_found)
    }

    /// A page of a list, after it was told of.
    pub(super) async fn page(&self, viewer: &Viewer, view: View, ask: &AuditAsk) -> Result<Page, Problem> {
        let page = self.query.page(ask.filters.clone(), ask.cursor.as_ref()).await?;
        self.tell(viewer, view, ask.told(), None).await?;
        Ok(page)
    }

    /// A record, after it was told of. One that is not there is not looked at.
    pub(super) async fn record(&self, viewer: &Viewer, view: View, id: &str) -> Result<AuditRecord, Problem> {
        let id: Uuid = id.parse().map_err(|_| Problem::not_found())?;
        let record = self.query.find_by_id(id).await?.ok_or_else(Problem::not_found)?;
        self.tell(viewer, view, BTreeMap::new(), Some(id)).await?;
        Ok(record)
    }

    /// Tells who looks at what; the event's id. It is committed when this is ready.
    pub(super) async fn tell(
        &self,
        viewer: &Viewer,
        view: View,
        filter: BTreeMap<&str, &str>,
        record: Option<Uuid>,
    ) -> Result<Uuid, Problem> {
        let mut event = Event::new(view.event())
            .actor(&viewer.name, "dashboard_viewer")
            .mode(Mode::Sync)
            .data(Looked { page: view.name(), filter });
        if let Some(id) = record {
            event = event.target(id.to_string(), "audit_record");
        }
        let receipt = self.access.emit(event).await.map_err(|error| {
            tracing::warn!(%error, "it could not be told who looks at audit events: nothing is shown");
            let detail = format!("who looks could not be stored, so nothing is shown: {error}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        })?;
        Ok(receipt.id)
    }
}
