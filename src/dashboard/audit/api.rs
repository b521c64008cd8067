//! The same as JSON.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ask::{AuditAsk, AuditAsked},
    explorer::Audit,
    view::View,
};
use crate::{
    dashboard::{problem::Problem, site::Site, visit::Visit},
    query::AuditRecord,
};

/// The part of the API's document that is about audit events.
#[derive(utoipa::OpenApi)]
#[openapi(
    paths(list, record),
    components(schemas(AuditPage, AuditRecordSchema)),
    tags((name = "audit", description = "Audit events. Each answer is told of by an audit event, tracevault.dashboard.viewed."))
)]
pub(in crate::dashboard) struct AuditApi;

/// Some audit events, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditPage {
    #[schema(value_type = Vec<AuditRecordSchema>)]
    records: Vec<AuditRecord>,
    /// The parameter `cursor` of the next page; null: this is the last.
    next: Option<String>,
}

/// An audit event, as it is stored.
#[derive(ToSchema)]
#[schema(as = AuditRecord, rename_all = "camelCase")]
#[expect(dead_code, reason = "the schema of a type that knows no OpenAPI")]
struct AuditRecordSchema {
    #[schema(format = "uuid")]
    id: String,
    event: String,
    actor_id: Option<String>,
    actor_type: Option<String>,
    target_id: Option<String>,
    target_type: Option<String>,
    /// The payload, to the letter: numbers may have more digits than a double holds.
    data: Option<serde_json::Map<String, serde_json::Value>>,
    /// The circumstances, to the letter.
    meta: Option<serde_json::Map<String, serde_json::Value>>,
    /// `sync` or `async`.
    mode: String,
    #[schema(format = "date-time")]
    occurred_at: String,
    #[schema(format = "date-time")]
    created_at: String,
    correlation_id: Option<String>,
    request_id: Option<String>,
    environment: Option<String>,
    outcome: Option<String>,
    error_code: Option<String>,
    severity: Option<String>,
}

/// Audit events by conditions that must all hold; who asks is told of.
#[utoipa::path(
    get,
    path = "/audit",
    tag = "audit",
    params(
        ("q" = Option<String>, Query, description = "Conditions as `actor:ann event:\"order paid\"`, in place of single parameters"),
        ("event" = Option<String>, Query, description = "Events of this name"),
        ("actor" = Option<String>, Query, description = "By this actor"),
        ("actor-type" = Option<String>, Query, description = "By actors of this type"),
        ("target" = Option<String>, Query, description = "On this target"),
        ("target-type" = Option<String>, Query, description = "On targets of this type"),
        ("request" = Option<String>, Query, description = "Of this request"),
        ("correlation" = Option<String>, Query, description = "With this correlation id"),
        ("environment" = Option<String>, Query, description = "Of this environment"),
        ("mode" = Option<String>, Query, description = "`sync` or `async`"),
        ("outcome" = Option<String>, Query, description = "With this `data.outcome`"),
        ("severity" = Option<String>, Query, description = "With this `data.severity`"),
        ("after" = Option<String>, Query, description = "At this time (RFC 3339) or day (UTC), or later"),
        ("before" = Option<String>, Query, description = "Before this time (RFC 3339) or day (UTC)"),
        ("range" = Option<String>, Query, description = "So long, up to now: `15m`, `24h`, `30d`. Default: all of the time"),
        ("from" = Option<String>, Query, description = "As `after`, a time; together with `to`, in place of `range`"),
        ("to" = Option<String>, Query, description = "As `before`, a time; together with `from`"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before, with the same conditions"),
        ("limit" = Option<u32>, Query, description = "1 to 500. Default: 50"),
    ),
    responses(
        (status = 200, description = "A page of them", body = AuditPage,
            headers(("Link" = Option<String>, description = "The next page, as `<address>; rel=\"next\"`"))),
        (status = 400, description = "A parameter that cannot be used", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The dashboard has no audit table", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database did not answer, or who asks could not be told", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    visit: Visit,
    asked: Result<AuditAsked, Problem>,
) -> Result<Response, Problem> {
    let audit = Audit::of(&site)?;
    let ask = AuditAsk::of(asked?)?;
    let page = audit.page(&visit.viewer, View::ApiList, &ask).await?;
    let link =
        page.next.clone().map(|next| format!("<{}{}{}>; rel=\"next\"", visit.base, visit.path, ask.behind(next)));
    let next = page.next.map(|cursor| ask.place(cursor));
    let mut response = Json(AuditPage { records: page.records, next }).into_response();
    if let Some(Ok(link)) = link.map(HeaderValue::try_from) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// An audit event; who asks is told of.
#[utoipa::path(
    get,
    path = "/audit/{id}",
    tag = "audit",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The event", body = AuditRecordSchema),
        (status = 404, description = "There is none with this id", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database did not answer, or who asks could not be told", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn record(
    State(site): State<Arc<Site>>,
    visit: Visit,
    id: Option<Path<String>>,
) -> Result<Json<AuditRecord>, Problem> {
    let audit = Audit::of(&site)?;
    let Path(id) = id.ok_or_else(Problem::not_found)?;
    Ok(Json(audit.record(&visit.viewer, View::ApiRecord, &id).await?))
}

#[cfg(test)]
mod tests {
    use utoipa::OpenApi as _;

    use super::*;
    use crate::dashboard::audit::qualifier::Qualifier;

    #[test]
    fn every_condition_stands_in_the_document() {
        let document = serde_json::to_value(AuditApi::openapi()).unwrap();
        let list = &document["paths"]["/audit"]["get"];
        let named = |name: &str| list["parameters"].as_array().unwrap().iter().any(|one| one["name"] == name);
        for qualifier in Qualifier::ALL {
            assert!(named(qualifier.name()), "{}", qualifier.name());
        }
        assert!(document["paths"]["/audit/{id}"]["get"].is_object());
        let page = &document["components"]["schemas"]["AuditPage"]["properties"]["records"];
        assert_eq!(page["items"]["$ref"], "#/components/schemas/AuditRecord");
        assert!(document["components"]["schemas"]["AuditRecord"]["properties"]["occurredAt"].is_object());
    }
}
