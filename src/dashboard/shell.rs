//! What every page has around its own: head, navigation, stretch of time, filters, footer.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;

use super::{
    ask::{Ask, Asked, RANGES, USUAL_RANGE},
    assets,
    problem::Problem,
    site::Site,
    visit::Visit,
};
use crate::traffic::TrafficStats;

/// The pages of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Live,
    Routes,
    Users,
    Errors,
    Audit,
}

impl Tab {
    /// Path, name and key.
    fn told(self) -> (&'static str, &'static str, char) {
        match self {
            Self::Overview => ("/", "Overview", 'o'),
            Self::Live => ("/live", "Live", 'l'),
            Self::Routes => ("/routes", "Routes", 'r'),
            Self::Users => ("/users", "Users", 'u'),
            Self::Errors => ("/errors", "Errors", 'e'),
            Self::Audit => ("/audit", "Audit", 'a'),
        }
    }
}

/// A link of the shell.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) href: String,
    pub(super) name: String,
    pub(super) key: Option<char>,
    pub(super) current: bool,
}

/// A filter that is on, and the link without it.
#[derive(Debug)]
pub(super) struct Chip {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) without: String,
}

/// The parts of a page that are not its own.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) title: String,
    pub(super) base: String,
    pub(super) assets: String,
    /// The page's own path, behind the base.
    pub(super) path: String,
    pub(super) tab: Tab,
    pub(super) tabs: Vec<Link>,
    pub(super) ranges: Vec<Link>,
    pub(super) chips: Vec<Chip>,
    pub(super) asked: Asked,
    pub(super) viewer: String,
    pub(super) stats: TrafficStats,
    /// `poll`, `sse` or `sse-pg`.
    pub(super) live_mode: &'static str,
    pub(super) poll_ms: u128,
    pub(super) version: &'static str,
}

impl Shell {
    pub(super) fn new(site: &Site, visit: &Visit, asked: &Asked, tab: Tab, title: impl Into<String>) -> Self {
        let base = visit.base.clone();
        let everywhere = asked.everywhere().query();
        let mut all = vec![Tab::Overview, Tab::Live, Tab::Routes, Tab::Users, Tab::Errors];
        if site.audit.is_some() {
            all.push(Tab::Audit);
        }
        let link = |one: Tab| {
            let (path, name, key) = one.told();
            Link {
                href: format!("{base}{path}{everywhere}"),
                name: name.to_owned(),
                key: Some(key),
                current: one == tab,
            }
        };
        let tabs = all.into_iter().map(link).collect();
        let here = |asked: &Asked| format!("{base}{}{}", visit.path, asked.query());
        let shown = if asked.from.is_some() { None } else { Some(asked.range.as_deref().unwrap_or(USUAL_RANGE)) };
        let range = |name: &str| Link {
            href: here(&asked.with("range", Some(name))),
            name: name.to_owned(),
            key: None,
            current: shown == Some(name),
        };
        let ranges = RANGES.into_iter().map(range).collect();
        let given = [
            ("method", &asked.method),
            ("status", &asked.status),
            ("route", &asked.route),
            ("user", &asked.user),
            ("q", &asked.q),
            ("slow", &asked.slow),
        ];
        let chip = |(name, value): (&'static str, &Option<String>)| {
            let value = value.clone()?;
            Some(Chip { name, value, without: here(&asked.with(name, None)) })
        };
        Self {
            title: title.into(),
            assets: format!("{base}{}", assets::folder()),
            path: visit.path.clone(),
            tab,
            tabs,
            ranges,
            chips: given.into_iter().filter_map(chip).collect(),
            asked: asked.clone(),
            viewer: visit.viewer.name.clone(),
            stats: site.traffic.stats(),
            live_mode: site.live_mode.name(),
            poll_ms: site.poll_interval.as_millis(),
            version: env!("CARGO_PKG_VERSION"),
            base,
        }
    }

    /// Other filters than those of traffic.
    pub(super) fn with_chips(self, chips: Vec<Chip>) -> Self {
        Self { chips, ..self }
    }

    /// Other stretches of time.
    pub(super) fn with_ranges(self, ranges: Vec<Link>) -> Self {
        Self { ranges, ..self }
    }

    /// A link to a page, with the stretch of time that is shown.
    pub(super) fn to(&self, path: &str) -> String {
        format!("{}{path}{}", self.base, self.asked.everywhere().query())
    }

    /// A link to a page, with the stretch of time, and one filter.
    pub(super) fn filtered(&self, path: &str, name: &str, value: &str) -> String {
        format!("{}{path}{}", self.base, self.asked.everywhere().with(name, Some(value)).query())
    }

    /// A link to this page with one parameter changed.
    pub(super) fn here(&self, name: &str, value: &str) -> String {
        format!("{}{}{}", self.base, self.path, self.asked.with(name, Some(value)).query())
    }
}

/// A page that says why there is none.
#[derive(Template)]
#[template(path = "failed.html")]
struct Failed {
    shell: Shell,
    problem: Problem,
}

/// Renders a page, or the reason why there is none.
pub(super) fn show(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::warn!(%error, "a page could not be rendered");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be rendered").into_response()
        }
    }
}

/// A page from what its URL asks, or one that says what is wrong.
pub(super) async fn page<T: Template>(
    site: &Site,
    visit: &Visit,
    ask: Result<Ask, Problem>,
    tab: Tab,
    make: impl AsyncFnOnce(&Ask) -> Result<T, Problem>,
) -> Response {
    let made = match &ask {
        Ok(ask) => make(ask).await,
        Err(problem) => Err(problem.clone()),
    };
    let asked = ask.map(|ask| ask.asked).unwrap_or_default();
    match made {
        Ok(page) => show(&page),
        Err(problem) => failed(site, visit, &asked, tab, problem),
    }
}

/// A page that says what went wrong, with its status.
pub(super) fn failed(site: &Site, visit: &Visit, asked: &Asked, tab: Tab, problem: Problem) -> Response {
    let status = problem.status();
    let shell = Shell::new(site, visit, asked, tab, problem.title());
    (status, show(&Failed { shell, problem })).into_response()
}
