//! What handlers and resolvers say, and what becomes of it.

use axum::{Router, body::Body, extract::Request, http::StatusCode, middleware, response::Response, routing::get};
use serde_json::json;
use tower::ServiceExt as _;
use tracevault::{
    Event,
    http::{CaptureLayer, CapturedError, RequestAudit, RequestId},
};

use super::stand::{Kept, Stand};

async fn ask(app: Router, uri: &str) -> Response {
    let request = Request::builder().uri(uri).header("x-correlation-id", "cor-1");
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Response::from_parts(parts, body.into())
}

#[tokio::test]
async fn a_handler_names_its_event_and_emits_more_that_join_it() {
    let mut stand = Stand::new("http_handle").await;
    let checkout = |audit: RequestAudit, id: RequestId| async move {
        assert_eq!(&id, audit.request_id());
        audit.event_name("payment.checkout.initiated").actor("ann", "user").target("o-9", "order").session("s-1");
        audit.data(json!({ "total": 12, "items": 1 })).data(json!({ "items": 2 })).data("no object");
        audit.emit(Event::new("stock.reserved")).await.unwrap();
        audit.emit(Event::new("stock.moved").request_id("its own").correlation_id("its own")).await.unwrap();
        "paid"
    };
    let app = Router::new().route("/checkout", get(checkout)).layer(stand.layer.clone());
    ask(app, "/checkout").await;
    let ended = stand.ended();
    assert_eq!(ended.event_name.as_deref(), Some("payment.checkout.initiated"));
    assert_eq!(ended.session_id.as_deref(), Some("s-1"));
    assert_eq!(serde_json::Value::from(ended.data.clone()), json!({ "total": 12, "items": 2 }));
    let id = ended.request_id.as_str();
    stand.audit.close().await.unwrap();
    let rows =
        stand.table.select("event, request_id, correlation_id, actor_id, target_id", "ORDER BY event", &[]).await;
    let rows: Vec<[Option<&str>; 5]> = rows.iter().map(|row| std::array::from_fn(|at| row.get(at))).collect();
    let (own, cor) = (Some("its own"), Some("cor-1"));
    assert_eq!(rows[0], [Some("payment.checkout.initiated"), Some(id), cor, Some("ann"), Some("o-9")]);
    assert_eq!(rows[1], [Some("stock.moved"), own, own, None, None]);
    assert_eq!(rows[2], [Some("stock.reserved"), Some(id), cor, None, None]);
    assert_eq!(rows.len(), 3);
    stand.table.drop().await;
}

#[tokio::test]
async fn an_error_is_told_by_the_handle_or_by_the_response() {
    let mut stand = Stand::new("http_told").await;
    let by_handle = |audit: RequestAudit| async move {
        audit.error("CardDeclined", "insufficient funds");
        StatusCode::PAYMENT_REQUIRED
    };
    let by_response = || async {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response.extensions_mut().insert(CapturedError::new("Upstream", "no answer"));
        response
    };
    let app = Router::new().route("/a", get(by_handle)).route("/b", get(by_response)).layer(stand.layer.clone());
    for (uri, expected) in [("/a", ("CardDeclined", "insufficient funds")), ("/b", ("Upstream", "no answer"))] {
        ask(app.clone(), uri).await;
        assert_eq!(stand.ended().error, Some(CapturedError::new(expected.0, expected.1)));
    }
    stand.stored(&[("http.GET./a", 402), ("http.GET./b", 502)]).await;
}

#[tokio::test]
async fn a_handler_that_skips_is_not_captured_but_its_events_are() {
    let mut stand = Stand::new("http_skip").await;
    let quiet = |audit: RequestAudit| async move {
        audit.skip().emit("poll.seen").await.unwrap();
    };
    let app = Router::new().route("/poll", get(quiet)).layer(stand.layer.clone());
    assert!(ask(app, "/poll").await.headers().contains_key("x-request-id"));
    stand.nothing_ended();
    assert_eq!((stand.layer.stats().skipped, stand.layer.stats().captured), (1, 0));
    stand.audit.close().await.unwrap();
    assert_eq!(stand.table.column::<String>("event").await, ["poll.seen"]);
    stand.table.drop().await;
}

#[tokio::test]
async fn auth_inside_says_who_it_was_and_resolvers_say_what_is_known_outside() {
    let kept = Kept::default();
    let header = |parts: &http::request::Parts, name: &str| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
    let layer = CaptureLayer::with_sink(kept.clone())
        .actor(move |parts| Some((header(parts, "x-user")?, "user".to_owned())))
        .target(|parts| Some((parts.uri.path().to_owned(), "path".to_owned())))
        .session(move |parts| header(parts, "x-session"));
    let auth = async |request: Request, next: middleware::Next| {
        if request.uri().path() == "/known" {
            request.extensions().get::<RequestAudit>().unwrap().actor("ann", "user");
        }
        next.run(request).await
    };
    let app = Router::new()
        .route("/known", get(|| async {}))
        .route("/other", get(|| async {}))
        .layer(middleware::from_fn(auth))
        .layer(layer);
    for uri in ["/known", "/other"] {
        let request = Request::builder().uri(uri).header("x-user", "bob").header("x-session", "s-2");
        app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    }
    let exchanges = kept.take();
    let actors: Vec<_> = exchanges.iter().map(|exchange| exchange.actor.as_ref().unwrap().id.as_str()).collect();
    assert_eq!(actors, ["ann", "bob"]);
    assert_eq!(exchanges[1].target.as_ref().unwrap().id, "/other");
    assert_eq!(exchanges[1].session_id.as_deref(), Some("s-2"));
}

#[tokio::test]
async fn a_resolver_that_panics_finds_nothing() {
    let mut stand = Stand::new("http_resolver").await;
    let layer = stand.layer.clone().actor(|_| panic!("no actor")).route(|_| panic!("no route"));
    let app = Router::new().route("/{x}", get(|| async { "well" })).layer(layer.clone());
    assert_eq!(ask(app, "/a").await.status(), 200);
    let ended = stand.ended();
    assert!(ended.actor.is_none());
    assert_eq!(layer.stats().panics, 2);
    stand.stored(&[("http.GET./{x}", 200)]).await;
}

#[tokio::test]
async fn two_layers_hear_the_same_handler() {
    let mut stand = Stand::new("http_two").await;
    let kept = Kept::default();
    let handler = |audit: RequestAudit| async move {
        audit.event_name("said.once");
        audit.emit("further").await.unwrap();
    };
    let app =
        Router::new().route("/", get(handler)).layer(stand.layer.clone()).layer(CaptureLayer::with_sink(kept.clone()));
    let response = ask(app, "/").await;
    let (inner, outer) = (stand.ended(), kept.take().remove(0));
    assert_eq!((inner.event_name.as_deref(), outer.event_name.as_deref()), (Some("said.once"), Some("said.once")));
    assert_eq!((inner.request_id.as_str(), outer.request_id.as_str()), {
        let id = response.headers()["x-request-id"].to_str().unwrap();
        (id, id)
    });
    stand.audit.close().await.unwrap();
    assert_eq!(stand.table.count().await, 2);
    stand.table.drop().await;
}

#[tokio::test]
async fn without_a_layer_or_a_scope_the_caller_is_told() {
    let needy = |_: RequestAudit| async {};
    let modest = |audit: Option<RequestAudit>| async move { audit.is_none().to_string() };
    let app = Router::new().route("/needy", get(needy)).route("/modest", get(modest));
    assert_eq!(ask(app.clone(), "/needy").await.status(), 500);
    assert_eq!(axum::body::to_bytes(ask(app, "/modest").await.into_body(), 9).await.unwrap(), "true");
    let emitting = |audit: RequestAudit| async move { audit.emit("a.b").await.unwrap_err().to_string() };
    let app = Router::new().route("/", get(emitting)).layer(CaptureLayer::with_sink(Kept::default()));
    let said = axum::body::to_bytes(ask(app, "/").await.into_body(), 999).await.unwrap();
    assert_eq!(said, "configuration: `scope` is missing: the capture layer's sink has none to emit to");
}

/// A secret that a cut would halve, so that its pattern no longer knew it.
#[tokio::test]
async fn the_words_of_an_error_are_masked_before_they_are_cut() {
    let table = crate::kit::Table::new("http_cut").await;
    let pattern = tracevault::regex::Regex::new(r"eyJ\w+\.\w+\.\w+").unwrap();
    let audit = tracevault::Tracevault::new(table.config().mask_patterns([pattern])).unwrap();
    let scope = audit.scope(tracevault::ScopeOverrides::new()).unwrap();
    let layer = tracevault::http::CaptureLayer::new(scope.clone());
    let words = format!("{} eyJ{}.claims.signature", "x".repeat(1_900), "h".repeat(200));
    let service = tower::service_fn(move |_: http::Request<tracevault::http::RequestBody<axum::body::Body>>| {
        std::future::ready(Err::<http::Response<axum::body::Body>, _>(words.clone()))
    });
    let request = http::Request::new(axum::body::Body::empty());
    assert!(tower::ServiceExt::oneshot(tower::Layer::layer(&layer, service), request).await.is_err());
    scope.flush().await.unwrap();
    let said = table.column::<String>("data #>> '{error,exceptionMessage}'").await.remove(0);
    assert!(said.ends_with("x [REDACTED]"), "{said}");
    table.drop().await;
}
