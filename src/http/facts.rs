//! What is read of a request before its handler runs.

use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use http::{Extensions, HeaderValue, Method, Uri, Version, header, request::Parts};
use time::OffsetDateTime;

use super::{
    exchange::{Ending, Exchange, Party},
    handle::{RequestAudit, Said},
    layer::Shared,
    options::{keep, resolved},
    origin,
    stats::count,
};

/// Kept as the request had it, which costs no copy, until the exchange ends.
pub(super) struct Facts {
    pub(super) method: Method,
    version: Version,
    uri: Uri,
    route: Option<String>,
    client_ip: Option<IpAddr>,
    user_agent: Option<HeaderValue>,
    actor: Option<Party>,
    target: Option<Party>,
    session_id: Option<String>,
    kept: Extensions,
    started_at: OffsetDateTime,
    pub(super) start: Instant,
}

impl Facts {
    /// None: the exchange is not to be captured.
    pub(super) fn of(parts: &Parts, shared: &Shared, started_at: OffsetDateTime) -> Option<Self> {
        let start = Instant::now();
        let Shared { options, counters, .. } = shared;
        let uri = origin::uri(parts);
        let route = resolved(options.route.as_ref(), parts, counters).or_else(|| origin::route(parts));
        // A matcher may be the user's own function. Who cannot say no has not said it.
        let wanted = catch_unwind(AssertUnwindSafe(|| options.want(route.as_deref(), uri)));
        let wanted = wanted.unwrap_or_else(|_| {
            count(&counters.panics);
            true
        });
        if !wanted {
            return None;
        }
        let peer = || resolved(options.peer.as_ref(), parts, counters).or_else(|| origin::peer(parts));
        let client_ip = options.client_ip.then(|| options.trusted_proxies.client_ip(&parts.headers, peer())).flatten();
        let user_agent = options.user_agent.then(|| parts.headers.get(header::USER_AGENT).cloned()).flatten();
        let mut kept = Extensions::new();
        keep(&options.keep, &mut kept, counters, |keeper, kept| keeper(parts, kept));
        Some(Self {
            method: parts.method.clone(),
            version: parts.version,
            uri: uri.clone(),
            client_ip,
            user_agent,
            actor: resolved(options.actor.as_ref(), parts, counters),
            target: resolved(options.target.as_ref(), parts, counters),
            session_id: resolved(options.session.as_ref(), parts, counters),
            kept,
            started_at,
            start,
            route,
        })
    }

    /// The exchange as far as it is known here.
    pub(super) fn exchange(
        self,
        shared: &Shared,
        handle: &RequestAudit,
        said: Said,
        ending: Ending,
        latency: Duration,
    ) -> Exchange {
        let mut kept = self.kept;
        kept.extend(said.kept);
        Exchange {
            request_id: handle.request_id().clone(),
            correlation_id: handle.correlation_id().map(ToOwned::to_owned),
            method: self.method.as_str().to_owned(),
            version: self.version,
            path: shared.masking.path(&self.uri),
            query: shared.options.query.then(|| shared.masking.query(&self.uri)).flatten(),
            route: self.route,
            client_ip: self.client_ip,
            user_agent: self.user_agent.map(|agent| shared.masking.user_agent(&agent)),
            status: None,
            ending,
            started_at: self.started_at,
            latency,
            ttfb: None,
            request_bytes: 0,
            response_bytes: 0,
            request_body_hash: None,
            error: said.error,
            event_name: said.event_name,
            actor: said.actor.or(self.actor),
            target: said.target.or(self.target),
            session_id: said.session_id.or(self.session_id),
            data: said.data,
            kept,
        }
    }
}
