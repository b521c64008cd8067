//! The layer, and what it can be told.

use std::{fmt, net::IpAddr, sync::Arc};

use http::{Extensions, request::Parts};
use tower_layer::Layer;

use super::{
    audit_sink::AuditSink,
    client::TrustedProxies,
    exchange::Party,
    hash::BodyHash,
    masking::Masking,
    matcher::Matcher,
    options::Options,
    service::Capture,
    sink::Sink,
    stats::{CaptureStats, Counters},
};
use crate::{Error, Mode, Scope, clock::Clock};

/// Captures every exchange of the service below it, once, and hands it to a sink: one audit event each by default.
///
/// See the [module](super) for where to mount it. Clones share the sink and the numbers.
///
/// ```
/// # use axum::{Router, routing::get};
/// # use tracevault::{Config, ScopeOverrides, http::CaptureLayer, testing};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tracevault::Error> {
/// # let (audit, _recorder) = testing::recorder(Config::default())?;
/// let layer = CaptureLayer::new(audit.scope(ScopeOverrides::new())?)
///     .skip_paths(["/health", "/healthz", "/metrics"])
///     .session(|parts| Some(parts.headers.get("x-session")?.to_str().ok()?.to_owned()));
/// let app: Router = Router::new().route("/orders/{id}", get(|| async { "an order" })).layer(layer.clone());
/// // Later: how many were captured, and how many lost?
/// assert_eq!(layer.stats().lost, 0);
/// # drop(app);
/// # Ok(())
/// # }
/// ```
pub struct CaptureLayer<S = AuditSink> {
    options: Arc<Options>,
    sink: Arc<S>,
    counters: Arc<Counters>,
}

/// What a layer and all of its services share.
pub(super) struct Shared {
    pub(super) options: Arc<Options>,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) counters: Arc<Counters>,
    /// The scope's.
    pub(super) masking: Masking,
    /// Where request ids come from, and when their requests.
    pub(super) clock: Clock,
}

impl CaptureLayer {
    /// Makes every exchange one event of this scope.
    pub fn new(scope: Scope) -> Self {
        Self::with_sink(AuditSink::new(scope))
    }
}

impl<S: Sink> CaptureLayer<S> {
    /// Hands every exchange to this sink.
    pub fn with_sink(sink: S) -> Self {
        Self { options: Arc::default(), sink: Arc::new(sink), counters: Arc::default() }
    }
}

impl<S> CaptureLayer<S> {
    /// Paths that are not captured, in place of `/health` and `/healthz`: exact, `/api/*` for all that begin so,
    /// a regex, or a closure.
    #[must_use]
    pub fn skip_paths<M: Into<Matcher>>(self, paths: impl IntoIterator<Item = M>) -> Self {
        let paths = paths.into_iter().map(Into::into).collect();
        self.with(|options| options.skip_paths = paths)
    }

    /// Captures only what this matches, by route pattern, path or path and query; said again, this as well.
    #[must_use]
    pub fn include(self, matcher: impl Into<Matcher>) -> Self {
        self.with(|options| options.include.push(matcher.into()))
    }

    /// Does not capture what this matches, by route pattern, path or path and query; said again, this neither. It wins over
    /// [`include`](Self::include). A client writes the URL, with its query: what may not be left out by `?x=.png` is to be
    /// told by what it begins with.
    #[must_use]
    pub fn ignore(self, matcher: impl Into<Matcher>) -> Self {
        self.with(|options| options.ignore.push(matcher.into()))
    }

    /// What is kept of a request's body when it ends in an error; SHA-256 by default.
    #[must_use]
    pub fn body_hash(self, hash: BodyHash) -> Self {
        self.with(|options| options.body_hash = hash)
    }

    /// The proxies whose word counts for the client's address; none by default.
    #[must_use]
    pub fn trusted_proxies(self, proxies: TrustedProxies) -> Self {
        self.with(|options| options.trusted_proxies = proxies)
    }

    /// Whether the client's address is kept; true by default.
    #[must_use]
    pub fn client_ip(self, kept: bool) -> Self {
        self.with(|options| options.client_ip = kept)
    }

    /// Whether the user agent is kept; true by default.
    #[must_use]
    pub fn user_agent(self, kept: bool) -> Self {
        self.with(|options| options.user_agent = kept)
    }

    /// Whether the query string is kept, its secrets masked; true by default.
    #[must_use]
    pub fn query(self, kept: bool) -> Self {
        self.with(|options| options.query = kept)
    }

    /// Finds the route's pattern, which the event is named after. With feature `axum`, axum's own is taken where this
    /// finds none. Patterns come in small numbers; a path in its place makes a name of its own for each.
    #[must_use]
    pub fn route(self, resolver: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.with(|options| options.route = Some(Arc::new(resolver)))
    }

    /// Finds the address at the other end of the socket. With feature `axum`, `ConnectInfo<SocketAddr>` is taken where
    /// this finds none.
    #[must_use]
    pub fn peer(self, resolver: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.with(|options| options.peer = Some(Arc::new(resolver)))
    }

    /// Finds who asks, by id and type, in what layers outside have left in the request. What is known further inside is
    /// said by [`RequestAudit::actor`](super::RequestAudit::actor), which wins.
    #[must_use]
    pub fn actor(self, resolver: impl Fn(&Parts) -> Option<(String, String)> + Send + Sync + 'static) -> Self {
        self.with(|options| options.actor = Some(Arc::new(move |parts| resolver(parts).map(party))))
    }

    /// Finds to what it is done, by id and type; as [`actor`](Self::actor).
    #[must_use]
    pub fn target(self, resolver: impl Fn(&Parts) -> Option<(String, String)> + Send + Sync + 'static) -> Self {
        self.with(|options| options.target = Some(Arc::new(move |parts| resolver(parts).map(party))))
    }

    /// Finds the session's id; as [`actor`](Self::actor).
    #[must_use]
    pub fn session(self, resolver: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.with(|options| options.session = Some(Arc::new(resolver)))
    }

    /// Keeps what this finds in the request's head for a sink of one's own, by its type, in
    /// [`Exchange::kept`](super::Exchange::kept). Said again, for another type, that as well. What is known further inside
    /// is said by [`RequestAudit::keep`](super::RequestAudit::keep), which wins.
    ///
    /// ```
    /// use tracevault::{Error, http::{CaptureLayer, Exchange, Sink}};
    ///
    /// #[derive(Clone, PartialEq)]
    /// struct Tenant(String);
    ///
    /// struct PerTenant;
    ///
    /// impl Sink for PerTenant {
    ///     fn capture(&self, exchange: Exchange) -> Result<(), Error> {
    ///         let tenant = exchange.kept.get::<Tenant>();
    ///         # let _ = tenant;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let layer = CaptureLayer::with_sink(PerTenant)
    ///     .keep(|parts| Some(Tenant(parts.headers.get("x-tenant")?.to_str().ok()?.to_owned())));
    /// ```
    #[must_use]
    pub fn keep<T>(self, resolver: impl Fn(&Parts) -> Option<T> + Send + Sync + 'static) -> Self
    where
        T: Clone + Send + Sync + 'static,
    {
        let keeper = move |parts: &Parts, kept: &mut Extensions| {
            if let Some(found) = resolver(parts) {
                kept.insert(found);
            }
        };
        self.with(|options| options.keep.push(Arc::new(keeper)))
    }

    /// Keeps the `T` that stands in the extensions of the answer, if there is one, for a sink of one's own, as
    /// [`keep`](Self::keep). It wins over all others of its type; an exchange without an answer has none.
    #[must_use]
    pub fn keep_answered<T: Clone + Send + Sync + 'static>(self) -> Self {
        let copier = |answer: &Extensions, kept: &mut Extensions| {
            if let Some(value) = answer.get::<T>() {
                kept.insert(value.clone());
            }
        };
        self.with(|options| options.keep_answered.push(copier))
    }

    /// The numbers since the layer was made, over all of its services and clones.
    pub fn stats(&self) -> CaptureStats {
        self.counters.get()
    }

    /// Waits until no exchange runs: each has ended, and was handed to the sink. It belongs between the end of a server and
    /// the close of its scope, since a server may say that it has stopped while its last connections are still being
    /// dropped, and their exchanges with them. It waits as long as the slowest exchange runs: bound it.
    ///
    /// # Cancel safety
    /// Dropping it stops the waiting only.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tracevault::{Config, ScopeOverrides, http::CaptureLayer, testing};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (audit, _recorder) = testing::recorder(Config::default())?;
    /// # let layer = CaptureLayer::new(audit.scope(ScopeOverrides::new())?);
    /// // axum::serve(listener, app).with_graceful_shutdown(signal).await?;
    /// if tokio::time::timeout(Duration::from_secs(5), layer.idle()).await.is_err() {
    ///     eprintln!("{} requests still run, and will be lost", layer.stats().running);
    /// }
    /// audit.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn idle(&self) {
        self.counters.idle().await;
    }

    fn with(mut self, set: impl FnOnce(&mut Options)) -> Self {
        set(Arc::make_mut(&mut self.options));
        self
    }
}

fn party((id, kind): (String, String)) -> Party {
    Party::new(id, kind)
}

impl CaptureLayer<AuditSink> {
    /// See [`AuditSink::service_name`].
    #[must_use]
    pub fn service_name(self, name: impl AsRef<str>) -> Self {
        self.with_sink_of(|sink| sink.service_name(name))
    }

    /// See [`AuditSink::environment`].
    ///
    /// # Errors
    /// `Config` where it is empty, longer than 128 characters, or holds NUL.
    pub fn environment(self, environment: impl Into<Arc<str>>) -> Result<Self, Error> {
        self.try_with_sink_of(|sink| sink.environment(environment))
    }

    /// See [`AuditSink::max_payload_bytes`].
    ///
    /// # Errors
    /// `Config` where it has not even room for the least payload.
    pub fn max_payload_bytes(self, bytes: usize) -> Result<Self, Error> {
        self.try_with_sink_of(|sink| sink.max_payload_bytes(bytes))
    }

    /// See [`AuditSink::mode`].
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        self.with_sink_of(|sink| sink.mode(mode))
    }

    /// See [`AuditSink::fail_closed`].
    #[must_use]
    pub fn fail_closed(self, yes: bool) -> Self {
        self.with_sink_of(|sink| sink.fail_closed(yes))
    }

    fn with_sink_of(self, set: impl FnOnce(AuditSink) -> AuditSink) -> Self {
        let sink = Arc::new(set(Arc::unwrap_or_clone(self.sink)));
        Self { sink, ..self }
    }

    fn try_with_sink_of(self, set: impl FnOnce(AuditSink) -> Result<AuditSink, Error>) -> Result<Self, Error> {
        let sink = Arc::new(set(Arc::unwrap_or_clone(self.sink))?);
        Ok(Self { sink, ..self })
    }
}

impl<S: Sink, Svc> Layer<Svc> for CaptureLayer<S> {
    type Service = Capture<Svc>;

    fn layer(&self, inner: Svc) -> Capture<Svc> {
        let Self { options, sink, counters } = self;
        let masking = Masking::of(sink.scope());
        let (options, counters) = (Arc::clone(options), Arc::clone(counters));
        Capture::new(
            inner,
            Arc::new(Shared { options, sink: Arc::clone(sink) as _, counters, masking, clock: Clock::default() }),
        )
    }
}

impl<S> Clone for CaptureLayer<S> {
    fn clone(&self) -> Self {
        let Self { options, sink, counters } = self;
        Self { options: Arc::clone(options), sink: Arc::clone(sink), counters: Arc::clone(counters) }
    }
}

impl<S> fmt::Debug for CaptureLayer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureLayer").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
