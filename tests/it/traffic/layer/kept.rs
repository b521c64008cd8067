//! What is kept of heads and answers for a sink of one's own, and the dashboard's mark.

use std::sync::{Arc, Mutex};

use axum::{
    Extension,
    extract::Request,
    middleware::{Next, from_fn},
    response::IntoResponse,
};
use futures_util::poll;
use tracevault::{
    Error,
    http::{CaptureLayer, Exchange, RequestAudit, Sink},
    traffic::Untracked,
};

use super::*;

/// A dashboard that marks what it answers, and what it hears.
fn dashboard(hears: bool) -> Router {
    let mark = |request: Request, next: Next| async {
        request.extensions().get::<RequestAudit>().unwrap().keep(Untracked);
        next.run(request).await
    };
    let pages = Router::new()
        .route("/", get(|| async { "overview" }))
        .route("/api/live", get(|| async { "live" }))
        .route("/api/never", get(std::future::pending::<()>));
    if hears { pages.layer(from_fn(mark)) } else { pages.layer(Extension(Untracked)).layer(from_fn(answered)) }
}

async fn answered(request: Request, next: Next) -> impl IntoResponse {
    (Extension(Untracked), next.run(request).await)
}

#[tokio::test]
async fn the_dashboards_own_requests_are_not_counted_unless_asked_for() {
    for hears in [true, false] {
        for tracked in [true, false] {
            let app = api().nest("/traffic-dashboard", dashboard(hears));
            let (site, app) = Site::serving("kept_own", app, |builder| builder.track_dashboard(tracked)).await;
            get_all(&app, &["/products", "/traffic-dashboard", "/traffic-dashboard/api/live?after=1"]).await;
            let own = ["200 /traffic-dashboard", "200 /traffic-dashboard/api/live"];
            let expected = if tracked { vec!["200 /products", own[0], own[1]] } else { vec!["200 /products"] };
            assert_eq!(site.rows("status_code, route").await, expected, "{hears} {tracked}");
            site.drop().await;
        }
    }
}

/// What has no answer cannot be marked by it.
#[tokio::test]
async fn a_page_of_the_dashboard_that_is_left_early_is_not_counted() {
    let (site, app) = Site::serving("kept_left", api().nest("/d", dashboard(true)), |builder| builder).await;
    let mut answer = Box::pin(app.clone().oneshot(request("/d/api/never").body(Body::empty()).unwrap()));
    assert!(poll!(&mut answer).is_pending());
    drop(answer);
    assert!(site.rows("id").await.is_empty());
    assert_eq!(site.traffic.stats().accepted, 0);
    site.drop().await;
}

#[derive(Debug, Clone, PartialEq)]
struct Word(&'static str);
#[derive(Debug, Clone, PartialEq)]
struct Length(usize);

#[derive(Clone, Default)]
struct All(Arc<Mutex<Vec<Exchange>>>);

impl Sink for All {
    fn capture(&self, exchange: Exchange) -> Result<(), Error> {
        self.0.lock().unwrap().push(exchange);
        Ok(())
    }
}

#[tokio::test]
async fn a_sink_of_ones_own_has_what_was_kept_and_the_inside_wins() {
    let all = All::default();
    let layer = CaptureLayer::with_sink(all.clone())
        .keep(|parts| Some(Word(if parts.uri.path() == "/plain" { "head" } else { "outer" })))
        .keep(|_| -> Option<u8> { std::panic::resume_unwind(Box::new("no")) })
        .keep(|parts| Some(Length(parts.uri.path().len())))
        .keep(|_| None::<u16>)
        .keep_answered::<Word>();
    let said = |audit: RequestAudit| async move {
        audit.keep(Word("first")).keep(Word("said"));
    };
    let both = |audit: RequestAudit| async move {
        audit.keep(Word("said"));
        Extension(Word("answered"))
    };
    let app = Router::new()
        .route("/plain", get(|| async {}))
        .route("/said", get(said))
        .route("/both", get(both))
        .layer(layer.clone());
    get_all(&app, &["/plain", "/said", "/both"]).await;
    let exchanges = all.0.lock().unwrap();
    let words: Vec<_> = exchanges.iter().map(|exchange| exchange.kept.get::<Word>().unwrap().0).collect();
    assert_eq!(words, ["head", "said", "answered"]);
    let others = exchanges.iter().map(|exchange| (exchange.kept.get::<Length>(), exchange.kept.len()));
    assert_eq!(others.collect::<Vec<_>>(), [(Some(&Length(6)), 2), (Some(&Length(5)), 2), (Some(&Length(5)), 2)]);
    assert_eq!((layer.stats().panics, layer.stats().captured), (3, 3));
}
