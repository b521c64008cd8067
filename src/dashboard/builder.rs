//! The options of a dashboard, checked when it is built.

use std::{fmt, sync::Arc, time::Duration};

use axum::{Router, middleware, routing::get};
use http::request::Parts;

use super::{
    access::{Auth, Viewer},
    api, assets,
    audit::{self, Audit},
    guard::guard,
    hosts::Hosts,
    live::{self, Hub, LiveMode},
    pages,
    site::Site,
};
use crate::{
    Scope,
    error::{ConfigError, Error},
    query::Query,
    traffic::Traffic,
};

/// The options of a dashboard. Without credentials, nothing is built, unless it is said that none are wanted.
///
/// | option | default | |
/// |---|---|---|
/// | `basic_auth`, `authorize`, `insecure_no_auth` | none: an error | who may look |
/// | `allowed_hosts` | any; of this machine only with `insecure_no_auth` | host names that a request may name |
/// | `audit` | none | the audit table to show, and where it is told who looked |
/// | `live_mode` | `poll` | how pages come to know of new requests |
/// | `listen` | none: an error with `sse-pg` | the connection string by which that mode hears of requests |
/// | `poll_interval` | 2 s | how often they ask; at least 1 s |
/// | `mount_path` | where the router is nested | what links begin with |
///
/// ```
/// # use tracevault::{deadpool_postgres::{Manager, Pool}, tokio_postgres::NoTls, traffic::Traffic};
/// # fn main() -> Result<(), tracevault::Error> {
/// # let manager = Manager::new("host=localhost".parse().unwrap(), NoTls);
/// # let pool = Pool::builder(manager).build().unwrap();
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # let _inside = runtime.enter();
/// let traffic = Traffic::builder(pool).build()?;
/// assert!(traffic.dashboard().build().is_err(), "nobody is left in by mistake");
///
/// let dashboard = traffic.dashboard().basic_auth("admin", "correct horse battery staple").build()?;
/// let app: axum::Router = axum::Router::new().nest_service("/traffic-dashboard", dashboard);
/// # drop(app);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is served before `build`"]
pub struct DashboardBuilder {
    traffic: Traffic,
    auth: Option<Auth>,
    hosts: Option<Vec<String>>,
    audit: Option<Audit>,
    mount_path: Option<String>,
    live_mode: LiveMode,
    listen: Option<String>,
    poll_interval: Duration,
}

impl fmt::Debug for DashboardBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DashboardBuilder").field("traffic", &self.traffic).finish_non_exhaustive()
    }
}

impl Traffic {
    /// A dashboard of this table.
    pub fn dashboard(&self) -> DashboardBuilder {
        DashboardBuilder {
            traffic: self.clone(),
            auth: None,
            hosts: None,
            audit: None,
            mount_path: None,
            live_mode: LiveMode::default(),
            listen: None,
            poll_interval: Duration::from_secs(2),
        }
    }
}

impl DashboardBuilder {
    /// Lets in who knows these, by HTTP Basic authentication: mount it behind TLS.
    #[doc(alias = "username")]
    #[doc(alias = "password")]
    pub fn basic_auth(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.auth = Some(Auth::Basic { user: user.into(), password: password.into() });
        self
    }

    /// Lets in whom this finds in the head of a request, such as what a layer of yours has left in its extensions.
    pub fn authorize(mut self, authorizer: impl Fn(&Parts) -> Option<Viewer> + Send + Sync + 'static) -> Self {
        self.auth = Some(Auth::Custom(Arc::new(authorizer)));
        self
    }

    /// Lets in everybody who reaches it by a name of this machine. For trying it out: whoever can reach the port sees
    /// all that is stored.
    pub fn insecure_no_auth(mut self) -> Self {
        self.auth = Some(Auth::Nobody);
        self
    }

    /// The host names, without ports, that requests may name.
    pub fn allowed_hosts<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.hosts = Some(hosts.into_iter().map(Into::into).collect());
        self
    }

    /// Shows what this query reads. Whoever looks at it is told of by an audit event of this scope,
    /// `tracevault.dashboard.viewed` or `tracevault.dashboard.exported`, before they see anything.
    pub fn audit(mut self, query: Query, access: Scope) -> Self {
        self.audit = Some(Audit::new(query, access));
        self
    }

    /// How pages come to know of new requests. Default: they ask.
    #[doc(alias = "liveMode")]
    pub fn live_mode(mut self, mode: LiveMode) -> Self {
        self.live_mode = mode;
        self
    }

    /// The connection string of the one connection on which `sse-pg` listens while there are viewers: straight to the
    /// server, not by a pooler.
    pub fn listen(mut self, connection_string: impl Into<String>) -> Self {
        self.listen = Some(connection_string.into());
        self
    }

    /// How often they ask. Default: 2 s.
    #[doc(alias = "pollIntervalMs")]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// What links begin with, where a proxy in front has taken a part of the path away. Default: where the router is
    /// nested.
    #[doc(alias = "mountPath")]
    pub fn mount_path(mut self, path: impl Into<String>) -> Self {
        self.mount_path = Some(path.into());
        self
    }

    /// The router, for `nest_service`, or to be merged into an app as its root. `nest` serves as well, but leaves the
    /// address with a slash at its end to the app.
    ///
    /// # Errors
    /// `Config` where nobody said who may look, a name or a password is empty, a name holds a colon, an interval is below
    /// a second, a path does not begin with a slash, `sse-pg` has nothing to listen by, or a bus is given outside of a
    /// tokio runtime.
    pub fn build(self) -> Result<Router, Error> {
        let Self { traffic, auth, hosts, audit, mount_path, live_mode, listen, poll_interval } = self;
        let wrong = |option, reason| Err(ConfigError::new(option, reason).into());
        let Some(auth) = auth else {
            return wrong("auth", "is missing: say basic_auth(user, password), authorize(..), or insecure_no_auth()");
        };
        if let Auth::Basic { user, password } = &auth {
            if user.is_empty() || user.contains(':') {
                return wrong("user", "must not be empty, and must not hold a colon");
            }
            if password.is_empty() {
                return wrong("password", "must not be empty");
            }
        }
        if poll_interval < Duration::from_secs(1) {
            return wrong("poll_interval", "must be at least 1 s");
        }
        let mount_path = mount_path.map(|path| path.trim_end_matches('/').to_owned());
        if mount_path
            .as_ref()
            .is_some_and(|path| !path.is_empty() && (!path.starts_with('/') || path.starts_with("//")))
        {
            return wrong("mount_path", "must begin with one slash");
        }
        let hosts = match (hosts, &auth) {
            (Some(hosts), _) => Hosts::these(hosts),
            (None, Auth::Nobody) => Hosts::loopback(),
            (None, _) => Hosts::Any,
        };
        let hub = Hub::new(&live_mode, &traffic, listen.as_deref())?;
        let site = Arc::new(Site { traffic, audit, auth, hosts, mount_path, live_mode, hub, poll_interval });
        let router = Router::new()
            .route("/assets/{version}/{name}", get(assets::serve))
            .merge(pages::routes())
            .merge(audit::routes())
            .nest(
                "/api",
                api::routes()
                    .merge(live::routes())
                    .merge(audit::api_routes())
                    .method_not_allowed_fallback(api::method_not_allowed),
            )
            .fallback(pages::fallback);
        Ok(router.layer(middleware::from_fn_with_state(Arc::clone(&site), guard)).with_state(site))
    }
}
