//! The shop. Its handlers say what only they know: what it is called, to what it was done, and why it failed.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    extract::{Path, Request},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures_util::stream;
use serde_json::json;
use tracevault::{
    Error, Event,
    http::{CaptureLayer, RequestAudit},
};

pub(crate) fn router(capture: CaptureLayer) -> Router {
    Router::new()
        .route("/health", get(|| async { "up" }))
        .route("/orders/{id}", get(|Path(id): Path<String>| async move { format!("order {id}\n") }))
        .route("/orders/{id}/checkout", post(checkout))
        .route("/orders/{id}/invoice", get(invoice))
        .layer(middleware::from_fn(authenticate))
        // Last, so that it stands outside of all: a request that is turned away has its event too.
        .layer(capture)
}

/// Whoever says a name is believed: it is a small shop.
async fn authenticate(audit: RequestAudit, request: Request, next: Next) -> Response {
    let customer = request.headers().get("x-customer").and_then(|name| name.to_str().ok());
    match customer.filter(|name| !name.is_empty()) {
        Some(name) => drop(audit.actor(name, "customer")),
        None if request.uri().path() != "/health" => return StatusCode::UNAUTHORIZED.into_response(),
        None => {}
    }
    next.run(request).await
}

async fn checkout(audit: RequestAudit, Path(id): Path<String>) -> Response {
    audit.event_name("payment.checkout.initiated").target(&*id, "order");
    match sell(&audit, &id).await {
        Ok(true) => StatusCode::CREATED.into_response(),
        Ok(false) => {
            audit.error("OutOfStock", "the last lamp is sold");
            StatusCode::CONFLICT.into_response()
        }
        Err(error) if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// There is one lamp. That it is reserved is an event of the shop's own, committed before the answer goes out.
async fn sell(audit: &RequestAudit, order: &str) -> Result<bool, Error> {
    if order != "7" {
        return Ok(false);
    }
    let reserved = Event::new("stock.reserved").target("lamp", "product").data(json!({ "order": order, "left": 0 }));
    audit.emit(reserved).await?;
    Ok(true)
}

/// Longer than anybody's patience.
async fn invoice(audit: RequestAudit) -> Response {
    audit.event_name("invoice.downloaded").data(json!({ "format": "pdf" }));
    Body::from_stream(stream::repeat(Ok::<_, Infallible>(vec![b' '; 1 << 14]))).into_response()
}
