//! The API: what the seed's example app has.

use std::time::Duration;

use axum::{
    Extension, Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Html,
    routing::get,
};
use serde_json::{Value, json};
use tracevault::{Event, Tracevault, http::RequestId};

pub fn routes(audit: Tracevault) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/api/products", get(products))
        .route("/api/slow", get(slow))
        .route("/api/error", get(error))
        .route("/api/users/{id}", get(user))
        .with_state(audit)
}

async fn home() -> Html<&'static str> {
    Html(
        "<!doctype html><title>A shop</title><p>Try <a href=/api/products>products</a>, <a href=/api/slow>a slow one</a>, \
         <a href=/api/error>an error</a>, <a href=/api/users/42>a user</a>; then look at the \
         <a href=/traffic-dashboard/>dashboard</a>.",
    )
}

async fn products() -> Json<Value> {
    Json(json!([{ "id": 1, "name": "Teapot", "price": 120 }, { "id": 2, "name": "Lamp", "price": 85 }]))
}

async fn slow() -> Json<Value> {
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    Json(json!({ "slow": true }))
}

async fn error() -> (StatusCode, Json<Value>) {
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": "out of stock, and out of luck" })))
}

/// Whoever looks at a user is told of, by an event with the id of the request.
async fn user(
    State(audit): State<Tracevault>,
    Path(id): Path<String>,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    let who = headers.get("x-user-id").and_then(|id| id.to_str().ok()).unwrap_or("a stranger");
    let seen = Event::new("user.viewed").actor(who, "user").target(id.as_str(), "user");
    audit.emit(seen.request_id(request.to_string())).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json(json!({ "id": id, "name": "Somebody" })))
}
