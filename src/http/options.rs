//! What a layer was told to capture, and how.

use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::{Extensions, Uri, request::Parts, uri::PathAndQuery};

use super::{
    client::TrustedProxies,
    exchange::Party,
    hash::BodyHash,
    matcher::Matcher,
    stats::{Counters, count},
};

/// Finds something in a request's parts.
pub(super) type Resolver<T> = Arc<dyn Fn(&Parts) -> Option<T> + Send + Sync>;
/// Puts what it finds in a request's parts among what is kept.
pub(super) type Keeper = Arc<dyn Fn(&Parts, &mut Extensions) + Send + Sync>;
/// Copies one type from the extensions of an answer to what is kept.
pub(super) type Copier = fn(&Extensions, &mut Extensions);

#[derive(Clone)]
pub(super) struct Options {
    pub(super) skip_paths: Vec<Matcher>,
    /// Empty: all.
    pub(super) include: Vec<Matcher>,
    pub(super) ignore: Vec<Matcher>,
    pub(super) body_hash: BodyHash,
    pub(super) trusted_proxies: TrustedProxies,
    pub(super) client_ip: bool,
    pub(super) user_agent: bool,
    pub(super) query: bool,
    pub(super) route: Option<Resolver<String>>,
    pub(super) peer: Option<Resolver<IpAddr>>,
    pub(super) actor: Option<Resolver<Party>>,
    pub(super) target: Option<Resolver<Party>>,
    pub(super) session: Option<Resolver<String>>,
    pub(super) keep: Vec<Keeper>,
    pub(super) keep_answered: Vec<Copier>,
}

/// What a user's function found; nothing, if it panicked.
pub(super) fn resolved<T>(resolver: Option<&Resolver<T>>, parts: &Parts, counters: &Counters) -> Option<T> {
    let resolver = resolver?;
    catch_unwind(AssertUnwindSafe(|| resolver(parts))).unwrap_or_else(|_| {
        count(&counters.panics);
        None
    })
}

/// What these add to it; those that panic add nothing.
pub(super) fn keep<K>(keepers: &[K], kept: &mut Extensions, counters: &Counters, add: impl Fn(&K, &mut Extensions)) {
    for keeper in keepers {
        if catch_unwind(AssertUnwindSafe(|| add(keeper, kept))).is_err() {
            count(&counters.panics);
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            skip_paths: vec!["/health".into(), "/healthz".into()],
            include: Vec::new(),
            ignore: Vec::new(),
            body_hash: BodyHash::default(),
            trusted_proxies: TrustedProxies::default(),
            client_ip: true,
            user_agent: true,
            query: true,
            route: None,
            peer: None,
            actor: None,
            target: None,
            session: None,
            keep: Vec::new(),
            keep_answered: Vec::new(),
        }
    }
}

impl Options {
    /// Whether a request is to be captured.
    pub(super) fn want(&self, route: Option<&str>, uri: &Uri) -> bool {
        let path = uri.path();
        if self.skip_paths.iter().any(|matcher| matcher.matches(None, path, path)) {
            return false;
        }
        if self.include.is_empty() && self.ignore.is_empty() {
            return true;
        }
        // HTTP/2 and proxies name the host as well: what is meant must not depend on that.
        let url = uri.path_and_query().map_or(path, PathAndQuery::as_str);
        let any = |matchers: &[Matcher]| matchers.iter().any(|matcher| matcher.matches(route, path, url));
        (self.include.is_empty() || any(&self.include)) && !any(&self.ignore)
    }
}
