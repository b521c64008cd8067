//! The layer.

use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::{
    head::Head,
    options::{any_of, resolved},
    sink::TrafficSink,
    untracked::Untracked,
};
use crate::{
    http::{BodyHash, Capture, CaptureLayer, Matcher},
    traffic::{
        modes::{IpMode, UaMode},
        traffic::Traffic,
    },
};

/// Counts every exchange of the service below it, however it ends, by the options of
/// [`TrafficBuilder`](crate::traffic::TrafficBuilder). Made by [`Traffic::layer`]. It stands anywhere in a stack, also beside
/// a [`CaptureLayer`]: see [`docs::traffic`](crate::docs::traffic).
#[derive(Clone)]
pub struct TrafficLayer(CaptureLayer<TrafficSink>);

impl Traffic {
    /// A layer for the service whose requests are to be counted, such as axum's `Router::layer`.
    ///
    /// A request waits for nothing: what the queue has no room for is dropped and counted in [`stats`](Self::stats).
    ///
    /// ```
    /// # #[path = "../../../tests/support/mod.rs"] mod support;
    /// use std::convert::Infallible;
    ///
    /// use http::{Request, Response};
    /// use http_body_util::{BodyExt as _, Empty};
    /// use tower::{Layer as _, ServiceExt as _, service_fn};
    /// use tracevault::traffic::{LiveQuery, Traffic, from_header};
    /// use tracevault::{deadpool_postgres::{Manager, Pool}, http::RequestBody, tokio_postgres::NoTls};
    ///
    /// type Body = Empty<bytes::Bytes>;
    ///
    /// async fn product(_: Request<RequestBody<Body>>) -> Result<Response<Body>, Infallible> {
    ///     Ok(Response::new(Body::new()))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let database = support::database(support::Purpose::Tests)?;
    /// # let url = database.url();
    /// let pool = Pool::builder(Manager::new(url.parse()?, NoTls)).build()?;
    /// let traffic = Traffic::builder(pool)
    ///     .table_name("doc_traffic_layer")
    ///     .session_id(from_header("x-session-id"))
    ///     .ignored_routes(["/health", "/favicon.ico"])
    ///     .build()?;
    /// traffic.ensure_schema().await?;
    ///
    /// let layer = traffic.layer();
    /// let app = layer.layer(service_fn(product));
    /// let response = app.oneshot(Request::get("/products/7?page=1").body(Body::new())?).await?;
    /// response.into_body().collect().await?;
    ///
    /// layer.idle().await; // Every request has ended, and was recorded.
    /// let stats = traffic.close(std::time::Duration::from_secs(5)).await;
    /// assert_eq!((stats.stored, stats.dropped, stats.failed), (1, 0, 0));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "middleware")]
    pub fn layer(&self) -> TrafficLayer {
        let inner = &self.0;
        let options = inner.options.clone();
        let counts = || Arc::clone(&inner.writer.counts);
        let sink = TrafficSink { traffic: self.clone(), track_dashboard: options.track_dashboard };
        let mut layer = CaptureLayer::with_sink(sink)
            .skip_paths(Vec::<Matcher>::new())
            .body_hash(BodyHash::Off)
            .query(false)
            .user_agent(false)
            .client_ip(inner.rules.ip != IpMode::Off)
            .trusted_proxies(options.trusted_proxies.clone())
            .keep_answered::<Untracked>();
        if !options.include.is_empty() {
            layer = layer.include(any_of(options.include.clone(), true, counts()));
        }
        if !options.ignored.is_empty() {
            layer = layer.ignore(any_of(options.ignored.clone(), false, counts()));
        }
        if let Some(session) = options.session_id.clone() {
            let counts = counts();
            layer = layer.session(move |parts| resolved(Some(&session), parts, &counts));
        }
        if let Some(route) = options.route.clone() {
            let counts = counts();
            layer = layer.route(move |parts| resolved(Some(&route), parts, &counts));
        }
        if let Some(peer) = options.peer.clone() {
            let counts = counts();
            layer = layer.peer(move |parts| resolved(Some(&peer), parts, &counts));
        }
        let (keeps_agent, counts) = (inner.rules.user_agent != UaMode::Off, counts());
        TrafficLayer(layer.keep(move |parts| Some(Head::of(parts, &options, keeps_agent, &counts))))
    }
}

impl TrafficLayer {
    /// Waits until no request runs, as [`CaptureLayer::idle`]: each has ended, and was recorded. It belongs between the end
    /// of a server and [`Traffic::close`].
    ///
    /// # Cancel safety
    /// Dropping it stops the waiting only.
    pub async fn idle(&self) {
        self.0.idle().await;
    }
}

impl<Svc> Layer<Svc> for TrafficLayer {
    type Service = Capture<Svc>;

    fn layer(&self, inner: Svc) -> Capture<Svc> {
        self.0.layer(inner)
    }
}

impl fmt::Debug for TrafficLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrafficLayer").finish_non_exhaustive()
    }
}
