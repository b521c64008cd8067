//! Who asks, and in which session.

use axum::response::IntoResponse as _;
use axum::{
    Extension, Router,
    extract::Request,
    middleware::{Next, from_fn},
    routing::get,
};
use serde_json::json;
use tracevault::{
    http::{CaptureLayer, RequestAudit},
    traffic::{UserDetails, from_cookie, from_header},
};

use super::*;

const WHO: &str = "user_id, user_name, user_email, session_id";

fn named(id: Option<&str>, name: Option<&str>, email: Option<&str>) -> UserDetails {
    UserDetails { id: id.map(Into::into), name: name.map(Into::into), email: email.map(Into::into) }
}

#[tokio::test]
async fn nobody_is_known_unless_a_resolver_finds_somebody() {
    let (site, app) = Site::serving("who_nobody", api(), |builder| builder).await;
    ask(
        &app,
        request("/products").header("x-user", "u1").header("x-session-id", "s1").header("cookie", "sessionId=c1"),
    )
    .await;
    assert_eq!(site.rows(WHO).await, ["- - - -"]);
    site.drop().await;
}

#[tokio::test]
async fn an_id_and_a_session_are_found_in_headers_and_cookies() {
    let (site, app) = Site::serving("who_header", api(), |builder| {
        let (cookie, header) = (from_cookie("sessionId"), from_header("x-session-id"));
        builder.user_id(from_header("x-user")).session_id(move |parts| cookie(parts).or_else(|| header(parts)))
    })
    .await;
    let users = || request("/api/users/7");
    ask(&app, users().header("x-user", "u1").header("x-session-id", "s1")).await;
    ask(&app, users().header("x-session-id", "s1").header("cookie", "a=b; sessionId=s%3A2")).await;
    ask(&app, users().header("x-user", " ")).await;
    assert_eq!(site.rows(WHO).await, ["u1 - - s1", "- - - s:2", "- - - -"]);
    site.drop().await;
}

#[tokio::test]
async fn details_win_over_the_id_and_have_every_spelling() {
    let (site, app) = Site::serving("who_details", api(), |builder| {
        let details = from_header("x-details");
        builder
            .user_details(move |parts| serde_json::from_str(&details(parts)?).ok())
            .user_id(|parts| Some(parts.headers.get("x-user")?.to_str().ok()?.to_owned()))
    })
    .await;
    for details in [
        json!({ "id": "u1", "name": "Ann", "email": "ann@example.com" }),
        json!({ "userId": "u2", "userName": "Bob", "userEmail": "bob@example.com" }),
        json!({ "user_id": "u3", "user_name": null, "unknown": 7 }),
        json!({ "name": "Eve" }),
        json!(null),
    ] {
        ask(&app, request("/").header("x-user", "plain").header("x-details", details.to_string())).await;
    }
    let rows = ["u1 Ann ann@example.com -", "u2 Bob bob@example.com -", "u3 - - -", "plain Eve - -", "plain - - -"];
    assert_eq!(site.rows(WHO).await, rows);
    site.drop().await;
}

/// What auth outside has left in the extensions is there; what auth inside knows is said through the handle.
#[tokio::test]
async fn auth_may_stand_outside_or_inside() {
    #[derive(Clone)]
    struct Outer(&'static str);
    let actor = |audit: RequestAudit| async move {
        audit.actor("inner", "user").session("inner session");
    };
    let details = |audit: RequestAudit| async move {
        audit.actor("actor", "user").keep(named(Some("kept"), Some("Kept"), None));
    };
    let same = |audit: RequestAudit| async move {
        audit.keep(named(Some("outer"), Some("Same"), None));
    };
    let app = Router::new()
        .route("/plain", get(|| async {}))
        .route("/actor", get(actor))
        .route("/details", get(details))
        .route("/same", get(same));
    let (site, app) = Site::serving("who_inside", app.clone(), |builder| {
        builder
            .user_details(|parts| {
                let outer = parts.extensions.get::<Outer>()?;
                Some(named(Some(outer.0), None, Some("outer@example.com")))
            })
            .session_id(|_| Some("outer session".into()))
    })
    .await;
    get_all(&app, &["/plain", "/actor", "/details"]).await;
    let app = app.layer(Extension(Outer("outer")));
    get_all(&app, &["/plain", "/actor", "/details", "/same"]).await;
    let rows = [
        "- - - outer session",
        "inner - - inner session",
        "kept Kept - outer session",
        "outer - outer@example.com outer session",
        // An actor counts only where nobody was found.
        "outer - outer@example.com inner session",
        // The address of one is not that of another.
        "kept Kept - outer session",
        "outer Same outer@example.com outer session",
    ];
    assert_eq!(site.rows(WHO).await, rows);
    site.drop().await;
}

/// Auth is often a middleware of its own, between the layer and the handlers.
#[tokio::test]
async fn a_middleware_inside_says_who_asks_also_where_it_refuses() {
    let auth = |request: Request, next: Next| async {
        let audit = request.extensions().get::<RequestAudit>().unwrap().clone();
        audit.actor("u9", "user");
        let refused = request.uri().path() == "/api/users/7";
        if refused { axum::http::StatusCode::FORBIDDEN.into_response() } else { next.run(request).await }
    };
    let (site, app) = Site::serving("who_auth", api().layer(from_fn(auth)), |builder| builder).await;
    get_all(&app, &["/products", "/api/users/7"]).await;
    assert_eq!(site.rows("status_code, user_id").await, ["200 u9", "403 u9"]);
    site.drop().await;
}

#[tokio::test]
async fn a_resolver_that_panics_has_found_nothing_and_is_counted() {
    fn no<T>(_: &request::Parts) -> Option<T> {
        std::panic::resume_unwind(Box::new("no"))
    }
    let (site, app) = Site::serving("who_panics", api(), |builder| {
        builder.user_details(no).user_id(no).session_id(no).route(no).peer(no).track_ip(true).debug(true)
    })
    .await;
    assert_eq!(ask(&app, from("192.0.2.1", "/products")).await.status(), 200);
    let stats = site.traffic.stats();
    assert_eq!((stats.panics, stats.accepted), (5, 1));
    assert_eq!(site.rows("route, user_id, session_id, ip").await, ["/products - - 192.0.2.1"]);
    site.drop().await;

    // One does not keep the others from what they find.
    let (site, app) =
        Site::serving("who_panics", api(), |builder| builder.user_details(no).user_id(|_| Some("u1".into()))).await;
    get_all(&app, &["/products"]).await;
    assert_eq!((site.rows("user_id").await, site.traffic.stats().panics), (vec!["u1".to_owned()], 1));
    site.drop().await;
}

/// Without axum's help.
#[tokio::test]
async fn routes_and_peers_may_be_found_by_resolvers() {
    let (site, app) = Site::serving("who_peer", api(), |builder| {
        builder
            .route(|parts| parts.uri.path().starts_with("/files/").then(|| "/files/{name}".to_owned()))
            .peer(|parts| parts.headers.get("x-peer")?.to_str().ok()?.parse().ok())
            .track_ip(true)
    })
    .await;
    ask(&app, from("192.0.2.1", "/files/a.png").header("x-peer", "192.0.2.2")).await;
    ask(&app, from("192.0.2.1", "/products")).await;
    let rows = ["/files/{name} - 192.0.2.2", "/products - 192.0.2.1"];
    assert_eq!(site.rows("route, rollup_route, ip").await, rows);
    site.drop().await;
}

#[tokio::test]
async fn hostile_text_does_no_harm() {
    let long = "x".repeat(1 << 20);
    let (name, session) = (long.clone(), format!("\0{long}\0"));
    let (site, app) = Site::serving("who_hostile", api(), move |builder| {
        let (name, session) = (name.clone(), session.clone());
        builder
            .user_details(move |_| Some(named(Some("\0u\u{202e}1\0"), Some(&name), Some("\0"))))
            .session_id(move |_| Some(session.clone()))
            .route_value(tracevault::traffic::RouteValue::Path)
            .track_ip(true)
    })
    .await;
    // As long as the type for it lets it be.
    let uri = format!("/{}?{}=%00", "p".repeat(40_000), "q".repeat(20_000));
    let hostile = request(&uri).header("user-agent", &[b'a', 0xff, b'\t', b'<', b'b'][..]);
    assert_eq!(ask(&app, hostile.header("x-long", long)).await.status(), 404);
    let columns =
        "length(route), length(original_url), length(user_name), length(session_id), user_email, ip, user_agent";
    assert_eq!(site.rows(columns).await, ["2048 2048 512 512 - - a\u{fffd}\t<b"]);
    assert_eq!(site.rows("user_id").await, ["u\u{202e}1"]);
    let stats = site.traffic.stats();
    assert_eq!((stats.stored, stats.failed), (1, 0));
    site.drop().await;
}

/// The audit's resolver is the audit layer's own.
#[tokio::test]
async fn an_actor_that_another_layer_resolves_is_not_taken() {
    #[derive(Clone)]
    struct Nowhere;
    impl tracevault::http::Sink for Nowhere {
        fn capture(&self, _: tracevault::http::Exchange) -> Result<(), tracevault::Error> {
            Ok(())
        }
    }
    let other = CaptureLayer::with_sink(Nowhere).actor(|_| Some(("other".into(), "user".into())));
    let (site, app) = Site::serving("who_other", api().layer(other), |builder| builder).await;
    get_all(&app, &["/"]).await;
    assert_eq!(site.rows("user_id").await, ["-"]);
    site.drop().await;
}
