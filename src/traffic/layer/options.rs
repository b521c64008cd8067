//! What the layer was told, by the user's own functions above all.

use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::request::Parts;

use crate::{
    http::{Matcher, TrustedProxies},
    traffic::{modes::PrivacySignals, rules::UserDetails, stats::Counts},
};

/// Finds something in a request's head.
pub(super) type Resolver<T> = Arc<dyn Fn(&Parts) -> Option<T> + Send + Sync>;

#[derive(Clone, Default)]
pub(in crate::traffic) struct Options {
    pub(super) user_id: Option<Resolver<String>>,
    pub(super) user_details: Option<Resolver<UserDetails>>,
    pub(super) session_id: Option<Resolver<String>>,
    pub(super) route: Option<Resolver<String>>,
    pub(super) peer: Option<Resolver<IpAddr>>,
    /// Empty: all.
    pub(super) include: Vec<Matcher>,
    pub(super) ignored: Vec<Matcher>,
    pub(super) trusted_proxies: TrustedProxies,
    pub(super) track_dashboard: bool,
    pub(super) privacy_signals: PrivacySignals,
}

/// What a user's function found; nothing, if it panicked.
pub(super) fn guarded<T>(counts: &Counts, ask: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| {
        Counts::add(&counts.panics, 1);
        if counts.debug {
            tracing::warn!("a resolver or matcher of traffic panicked");
        }
        None
    })
}

/// The same of a resolver that there may be.
pub(super) fn resolved<T>(resolver: Option<&Resolver<T>>, parts: &Parts, counts: &Counts) -> Option<T> {
    resolver.and_then(|resolver| guarded(counts, || resolver(parts)))
}

/// All of these as one. A matcher that panics leaves the request in.
pub(super) fn any_of(matchers: Vec<Matcher>, at_panic: bool, counts: Arc<Counts>) -> Matcher {
    Matcher::of_all(move |forms| {
        let meant = |matcher: &Matcher| Some(matcher.matches(forms.route, forms.path, forms.url));
        matchers.iter().any(|matcher| guarded(&counts, || meant(matcher)).unwrap_or(at_panic))
    })
}
