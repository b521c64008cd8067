//! What an event is named after, by where the layer stands in an axum application.

use std::net::SocketAddr;

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    http::Method,
    routing::{get, post},
};
use tower::{Layer as _, ServiceExt as _};
use tracevault::http::CaptureLayer;

use super::stand::{Kept, Stand};

async fn ask(app: &Router, method: Method, uri: &str) -> u16 {
    let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    status
}

fn api() -> Router {
    let users = Router::new().route("/{id}", get(|| async { "a user" })).route("/", post(|| async { "made" }));
    let other = Router::new().route("/inside/{x}", get(|| async { "a service" }));
    let api = Router::new().nest("/users", users);
    Router::new().route("/plain", get(|| async { "plain" })).nest("/api", api).nest_service("/service", other)
}

#[tokio::test]
async fn inside_of_the_router_events_are_named_by_the_full_pattern() {
    let mut stand = Stand::new("http_routes").await;
    let app = api().layer(stand.layer.clone());
    for (method, uri, status, route) in [
        (Method::GET, "/plain?x=1", 200, Some("/plain")),
        (Method::GET, "/api/users/7", 200, Some("/api/users/{id}")),
        (Method::DELETE, "/api/users/7", 405, Some("/api/users/{id}")),
        (Method::GET, "/nowhere/7", 404, None),
        (Method::GET, "/service/inside/7", 200, None),
    ] {
        assert_eq!(ask(&app, method, uri).await, status);
        let ended = stand.ended();
        let path = uri.split('?').next().unwrap();
        assert_eq!((ended.route.as_deref(), ended.path.as_str(), ended.status), (route, path, Some(status)));
    }
    let rows = [
        ("http.GET./plain", 200),
        ("http.GET./api/users/{id}", 200),
        ("http.DELETE./api/users/{id}", 405),
        ("http.GET./nowhere/7", 404),
        ("http.GET./service/inside/7", 200),
    ];
    stand.stored(&rows).await;
}

#[tokio::test]
async fn a_layer_on_a_nested_router_knows_the_path_as_it_was_asked_for() {
    let mut stand = Stand::new("http_nested").await;
    let users = Router::new().route("/{id}", get(|| async { "a user" })).layer(stand.layer.clone());
    let app = Router::new().nest("/api", Router::new().nest("/users", users)).fallback(|| async { "not ours" });
    assert_eq!(ask(&app, Method::GET, "/api/users/7?q=1").await, 200);
    let ended = stand.ended();
    assert_eq!((ended.route.as_deref(), ended.path.as_str()), (Some("/api/users/{id}"), "/api/users/7"));
    ask(&app, Method::GET, "/elsewhere").await;
    stand.nothing_ended();
    stand.stored(&[("http.GET./api/users/{id}", 200)]).await;
}

#[tokio::test]
async fn outside_of_the_router_a_resolver_finds_the_pattern() {
    let kept = Kept::default();
    let layer = CaptureLayer::with_sink(kept.clone())
        .route(|parts| parts.uri.path().starts_with("/api/users/").then(|| "/api/users/{id}".to_owned()));
    let app = layer.layer(api());
    for uri in ["/api/users/7", "/plain"] {
        let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap();
    }
    let routes: Vec<_> = kept.take().into_iter().map(|exchange| exchange.route).collect();
    assert_eq!(routes, [Some("/api/users/{id}".to_owned()), None]);
}

#[tokio::test]
async fn the_peer_is_axums_unless_a_resolver_knows_better() {
    let kept = Kept::default();
    let layer = CaptureLayer::with_sink(kept.clone());
    let resolved = layer.clone().peer(|parts| parts.headers.get("x-peer")?.to_str().ok()?.parse().ok());
    let request = |header: Option<&str>| {
        let mut request = Request::builder().uri("/plain").body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 80))));
        if let Some(header) = header {
            request.headers_mut().insert("x-peer", header.parse().unwrap());
        }
        request
    };
    for (layer, header) in [(&layer, None), (&resolved, Some("2001:db8::1")), (&resolved, Some("nonsense"))] {
        api().layer(layer.clone()).oneshot(request(header)).await.unwrap();
    }
    api().layer(layer.client_ip(false)).oneshot(request(None)).await.unwrap();
    let clients: Vec<_> = kept.take().into_iter().map(|exchange| exchange.client_ip.map(|ip| ip.to_string())).collect();
    let expected = [Some("192.0.2.7"), Some("2001:db8::1"), Some("192.0.2.7"), None];
    assert_eq!(clients, expected.map(|ip| ip.map(ToOwned::to_owned)));
}

#[tokio::test]
async fn what_is_left_out_is_served_all_the_same() {
    let mut stand = Stand::new("http_skipped").await;
    let layer = stand.layer.clone().ignore("/api/users/{id}");
    let app = api().route("/health", get(|| async { "well" })).layer(layer.clone());
    for uri in ["/health", "/api/users/7"] {
        let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers().contains_key("x-request-id")), (200, true));
    }
    stand.nothing_ended();
    assert_eq!((layer.stats().skipped, layer.stats().captured), (2, 0));
    ask(&api().layer(stand.layer.clone().include("/plain")), Method::GET, "/api/users/7").await;
    stand.nothing_ended();
    ask(&api().layer(stand.layer.clone().include("/plain")), Method::GET, "/plain").await;
    stand.ended();
    stand.stored(&[("http.GET./plain", 200)]).await;
}
