//! What a layer was told to capture, and how.

use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::{Uri, request::Parts};

use super::{
    client::TrustedProxies,
    exchange::Party,
    hash::BodyHash,
    matcher::Matcher,
    stats::{Counters, count},
};

/// Finds something in a request's parts.
pub(super) type Resolver<T> = Arc<dyn Fn(&Parts) -> Option<T> + Send + Sync>;

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
}

/// What a user's function found; nothing, if it panicked.
pub(super) fn resolved<T>(resolver: Option<&Resolver<T>>, parts: &Parts, counters: &Counters) -> Option<T> {
    let resolver = resolver?;
    catch_unwind(AssertUnwindSafe(|| resolver(parts))).unwrap_or_else(|_| {
        count(&counters.panics);
        None
    })
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
        let url = uri.to_string();
        let any = |matchers: &[Matcher]| matchers.iter().any(|matcher| matcher.matches(route, path, &url));
        (self.include.is_empty() || any(&self.include)) && !any(&self.ignore)
    }
}
