//! Where a request came from and where it went, as axum knows it.

use std::net::IpAddr;

use http::{Uri, request::Parts};

/// The URI as it was received: a nested router strips its own.
#[cfg(feature = "axum")]
pub(crate) fn uri(parts: &Parts) -> &Uri {
    parts.extensions.get::<axum::extract::OriginalUri>().map_or(&parts.uri, |original| &original.0)
}

/// The pattern of the route, where the layer stands inside of the router.
#[cfg(feature = "axum")]
pub(super) fn route(parts: &Parts) -> Option<String> {
    parts.extensions.get::<axum::extract::MatchedPath>().map(|path| path.as_str().to_owned())
}

/// The address at the other end of the socket, where `into_make_service_with_connect_info` was used.
#[cfg(feature = "axum")]
pub(super) fn peer(parts: &Parts) -> Option<IpAddr> {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

#[cfg(not(feature = "axum"))]
pub(crate) fn uri(parts: &Parts) -> &Uri {
    &parts.uri
}

#[cfg(not(feature = "axum"))]
pub(super) fn route(_: &Parts) -> Option<String> {
    None
}

#[cfg(not(feature = "axum"))]
pub(super) fn peer(_: &Parts) -> Option<IpAddr> {
    None
}
