//! One record.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{
    ask::{AuditAsk, AuditAsked},
    change::Change,
    explorer::Audit,
    json, page,
    qualifier::Qualifier,
    row::Shown,
    view::View,
};
use crate::{
    dashboard::{
        problem::Problem,
        shell::{self, Shell, Tab},
        site::Site,
        visit::Visit,
    },
    query::AuditRecord,
    traffic::RequestDetail,
};

#[derive(Template)]
#[template(path = "audit_detail.html")]
struct Detail {
    shell: Shell,
    record: AuditRecord,
    occurred_at: Shown,
    created_at: Shown,
    change: Option<Change>,
    /// In lines, where they do not say what changed.
    data: Option<String>,
    meta: Option<String>,
    raw: String,
    related: Vec<Related>,
    /// None: they could not be read.
    requests: Option<Vec<RequestDetail>>,
    list: String,
}

/// What leads to other records.
struct Related {
    name: &'static str,
    value: String,
    href: String,
}

pub(super) async fn show(
    State(site): State<Arc<Site>>,
    visit: Visit,
    id: Option<Path<String>>,
    asked: Result<AuditAsked, Problem>,
) -> Response {
    let made = async {
        let audit = Audit::of(&site)?;
        let Path(id) = id.ok_or_else(Problem::not_found)?;
        // The list that it stands in.
        let list = AuditAsk::of(asked?)?;
        let record = audit.record(&visit.viewer, View::Detail, &id).await?;
        Detail::of(&site, &visit, &list, record).await
    };
    match made.await {
        Ok(detail) => shell::show(&detail),
        Err(problem) => page::failed(&site, &visit, problem),
    }
}

impl Detail {
    async fn of(site: &Arc<Site>, visit: &Visit, list: &AuditAsk, record: AuditRecord) -> Result<Self, Problem> {
        let unreadable = |_| Problem::new(http::StatusCode::INTERNAL_SERVER_ERROR, "the record could not be written");
        let raw = json::pretty(&serde_json::to_string(&record).map_err(unreadable)?);
        let change = record.data.as_ref().and_then(|data| Change::of(data.as_str()));
        let data = record.data.as_ref().filter(|_| change.is_none());
        let shell = page::shell_of_record(site, visit, &list.asked, &record.event);
        Ok(Self {
            occurred_at: Shown::whole(record.occurred_at),
            created_at: Shown::whole(record.created_at),
            data: data.map(|data| json::pretty(data.as_str())),
            meta: record.meta.as_ref().map(|meta| json::pretty(meta.as_str())),
            raw,
            related: related(&record, &visit.base)?,
            requests: requests(site, &record).await,
            list: format!("{}/audit{}", visit.base, list.first()),
            change,
            shell,
            record,
        })
    }
}

/// The traffic that the record is of: without it, the record is shown all the same.
async fn requests(site: &Site, record: &AuditRecord) -> Option<Vec<RequestDetail>> {
    let Some(request_id) = &record.request_id else { return Some(Vec::new()) };
    let found = site.traffic.requests_of(request_id, record.occurred_at).await;
    found.inspect_err(|error| tracing::warn!(%error, "the requests of an audit event could not be read")).ok()
}

fn related(record: &AuditRecord, base: &str) -> Result<Vec<Related>, Problem> {
    let nothing = AuditAsk::of(AuditAsked::default())?;
    let mut related = Vec::new();
    let mut offer =
        |name, path: &str, by: Qualifier, value: &Option<String>, kind: Option<(Qualifier, &Option<String>)>| {
            let Some(value) = value.clone() else { return };
            let mut conditions = vec![(by, Some(value.as_str()))];
            conditions.extend(kind.map(|(by, kind)| (by, kind.as_deref())));
            let href = format!("{base}/audit{path}{}", nothing.with(&conditions));
            related.push(Related { name, value, href });
        };
    offer("Same request", "", Qualifier::Request, &record.request_id, None);
    offer("Same correlation", "", Qualifier::Correlation, &record.correlation_id, None);
    let kind = Some((Qualifier::ActorType, &record.actor_type));
    offer("Timeline of the actor", "/actor", Qualifier::Actor, &record.actor_id, kind);
    let kind = Some((Qualifier::TargetType, &record.target_type));
    offer("History of the target", "/target", Qualifier::Target, &record.target_id, kind);
    offer("Same event", "", Qualifier::Event, &Some(record.event.clone()), None);
    Ok(related)
}
