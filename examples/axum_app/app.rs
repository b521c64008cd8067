//! The service: its routes, what each of them audits, and the correlation id that every answer carries.

use std::collections::HashMap;

use axum::{
    Extension, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderValue, StatusCode},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use serde_json::json;
use tracevault::{Event, Tracevault, resolve_correlation_id};

/// What ties the events of one request together.
#[derive(Clone)]
struct CorrelationId(String);

pub(crate) fn router(audit: Tracevault) -> Router {
    Router::new().route("/orders/{id}", get(view).post(place)).layer(middleware::from_fn(correlate)).with_state(audit)
}

/// Takes the caller's correlation id or makes one, hands it to the handlers, and answers with it.
async fn correlate(mut request: Request, next: Next) -> Response {
    let id = resolve_correlation_id(|name| request.headers().get(name)?.to_str().ok());
    request.extensions_mut().insert(CorrelationId(id.clone()));
    let mut response = next.run(request).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-correlation-id", id);
    }
    response
}

/// An order without its record must not be: the answer waits for the commit, and is an error without one.
async fn place(
    State(audit): State<Tracevault>,
    Extension(CorrelationId(correlation_id)): Extension<CorrelationId>,
    Path(id): Path<String>,
    Query(form): Query<HashMap<String, String>>,
) -> StatusCode {
    let total: Option<u32> = form.get("total").and_then(|total| total.parse().ok());
    let (status, data) = match total {
        Some(total) => (StatusCode::CREATED, json!({ "outcome": "success", "total": total, "card": "4242 4242" })),
        None => (
            StatusCode::UNPROCESSABLE_ENTITY,
            json!({ "outcome": "failure", "error": { "code": "ORDER_TOTAL_INVALID" } }),
        ),
    };
    let event = Event::new("order.placed").actor("ann", "user").target(id, "order");
    match audit.emit(event.data(data).correlation_id(correlation_id)).await {
        Ok(_) => status,
        Err(error) if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A view is worth no waiting: into the queue, and when that is full, the answer goes out all the same.
async fn view(
    State(audit): State<Tracevault>,
    Extension(CorrelationId(correlation_id)): Extension<CorrelationId>,
    Path(id): Path<String>,
) -> String {
    let event = Event::new("order.viewed").actor("ann", "user").target(&*id, "order").correlation_id(correlation_id);
    if let Err(error) = audit.try_emit(event) {
        tracing::warn!(%error, "a view was not audited");
    }
    format!("order {id}\n")
}
