//! What the builder is told about requests.

use std::{net::IpAddr, sync::Arc};

use http::request::Parts;

use crate::{
    http::{Matcher, TrustedProxies},
    traffic::{builder::TrafficBuilder, modes::PrivacySignals, rules::UserDetails},
};

/// For [`Traffic::layer`](crate::traffic::Traffic::layer). Resolvers look at the request before anything inside of the layer
/// has run, at what layers outside have left in its extensions. One that panics has found nothing, and is counted in
/// [`TrafficStats::panics`](crate::traffic::TrafficStats::panics).
impl TrafficBuilder {
    /// Finds who asks. Where neither this nor [`user_details`](Self::user_details) finds anybody,
    /// [`RequestAudit::actor`](crate::http::RequestAudit::actor) counts, which also layers inside may say. Default: nobody
    /// is found.
    #[doc(alias = "getUserId")]
    pub fn user_id(mut self, resolver: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.layer.user_id = Some(Arc::new(resolver));
        self
    }

    /// Finds who asks, with name and address, and wins over [`user_id`](Self::user_id), which is only asked for an id that
    /// this does not find. What is known further inside is said by
    /// [`RequestAudit::keep`](crate::http::RequestAudit::keep)`(UserDetails { .. })`, which wins over both. Default: nobody is
    /// found.
    #[doc(alias = "getUserDetails")]
    pub fn user_details(mut self, resolver: impl Fn(&Parts) -> Option<UserDetails> + Send + Sync + 'static) -> Self {
        self.layer.user_details = Some(Arc::new(resolver));
        self
    }

    /// Finds the session, such as [`from_header`](crate::traffic::from_header) and
    /// [`from_cookie`](crate::traffic::from_cookie). [`RequestAudit::session`](crate::http::RequestAudit::session) wins. An id
    /// that is a key to the session is a secret: store a hash of it. Default: none is found.
    #[doc(alias = "getSessionId")]
    pub fn session_id(mut self, resolver: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.layer.session_id = Some(Arc::new(resolver));
        self
    }

    /// Finds the route's pattern. With feature `axum`, axum's own is taken where this finds none. Patterns come in small
    /// numbers; a path in its place makes a route of its own for each.
    pub fn route(mut self, resolver: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.layer.route = Some(Arc::new(resolver));
        self
    }

    /// Finds the address at the other end of the socket. With feature `axum`, `ConnectInfo<SocketAddr>` is taken where
    /// this finds none.
    pub fn peer(mut self, resolver: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.layer.peer = Some(Arc::new(resolver));
        self
    }

    /// Counts only what one of these matches: by the route's pattern, the path, or the path and query, whatever
    /// [`route_value`](Self::route_value) says. Said again, these as well. Default: all.
    #[doc(alias = "includeRoutes")]
    pub fn include_routes<M: Into<Matcher>>(mut self, routes: impl IntoIterator<Item = M>) -> Self {
        self.layer.include.extend(routes.into_iter().map(Into::into));
        self
    }

    /// Does not count what one of these matches, as [`include_routes`](Self::include_routes), and wins over it. Said
    /// again, neither these. Default: none.
    #[doc(alias = "ignoredRoutes")]
    pub fn ignored_routes<M: Into<Matcher>>(mut self, routes: impl IntoIterator<Item = M>) -> Self {
        self.layer.ignored.extend(routes.into_iter().map(Into::into));
        self
    }

    /// The proxies whose word counts for the client's address. Default: none, it is that at the other end of the socket.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.layer.trusted_proxies = proxies;
        self
    }

    /// Which wishes of a browser make its request nobody's. Audit events are not touched by it. Default: none.
    pub fn privacy_signals(mut self, signals: PrivacySignals) -> Self {
        self.layer.privacy_signals = signals;
        self
    }

    /// Whether the dashboard's own requests are counted. Default: they are not.
    pub fn track_dashboard(mut self, counted: bool) -> Self {
        self.layer.track_dashboard = counted;
        self
    }
}
