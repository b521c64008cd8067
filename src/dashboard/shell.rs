//! What every page has around its own: head, navigation, stretch of time, filters, footer.

use std::time::Instant;

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;

use super::{
    access::Access,
    ask::{Ask, Asked, RANGES, USUAL_RANGE},
    assets,
    pages::figures,
    problem::Problem,
    site::Site,
    visit::Visit,
};
use crate::traffic::{RangeShown, TrafficStats};

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
    /// The line that its sign is drawn by, on a field of 16 by 16.
    fn sign(self) -> &'static str {
        match self {
            Self::Overview => "M2 14h12M4 11V8M8 11V3M12 11V6",
            Self::Live => "M1 8h3l2-5 4 10 2-5h3",
            Self::Routes => "M4 13V6a3 3 0 0 1 6 0v4a2.5 2.5 0 0 0 4 0V4M4 13l-2-2M4 13l2-2",
            Self::Users => "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6M2 14c.5-3 3-4 6-4s5.5 1 6 4",
            Self::Errors => "M8 2 1.5 13.5h13zM8 6.5v3M8 11.5v.2",
            Self::Audit => "M4 2h8v12H4zM6.5 5.5h3M6.5 8h3M6.5 10.5h2",
        }
    }

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

impl Tab {
    /// The filters that its pages know.
    fn knows(self, filter: &str) -> bool {
        match self {
            Self::Overview | Self::Audit => false,
            Self::Live | Self::Errors => filter != "q",
            Self::Routes => matches!(filter, "method" | "q"),
            Self::Users => filter == "q",
        }
    }
}

/// A link of the shell.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) href: String,
    pub(super) name: String,
    pub(super) key: Option<char>,
    pub(super) sign: &'static str,
    pub(super) current: bool,
}

/// A filter that is on, and the link without it.
#[derive(Debug)]
pub(super) struct Chip {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) without: String,
    /// The page that is shown takes no notice of it.
    pub(super) idle: bool,
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
    /// It is refreshed, and that may be paused.
    pub(super) live: bool,
    /// The stretch of time is chosen here.
    pub(super) ranged: bool,
    /// Lists may be taken away.
    pub(super) export: bool,
    since: Instant,
    rolled_up_to: Option<OffsetDateTime>,
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
                sign: one.sign(),
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
            sign: "",
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
            Some(Chip { name, value, without: here(&asked.with(name, None)), idle: !tab.knows(name) })
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
            live: tab != Tab::Audit && (tab == Tab::Live || asked.from.is_none()),
            ranged: !matches!(tab, Tab::Live | Tab::Audit),
            export: visit.viewer.access == Access::Full,
            since: visit.since,
            rolled_up_to: site.traffic.rolled_up_to(),
            base,
        }
    }

    /// Other filters than those of traffic.
    pub(super) fn with_chips(self, chips: Vec<Chip>) -> Self {
        Self { chips, ..self }
    }

    /// Other stretches of time; none: none is chosen here.
    pub(super) fn with_ranges(self, ranges: Vec<Link>) -> Self {
        Self { ranged: !ranges.is_empty(), ranges, ..self }
    }

    /// A link to a page, with the stretch of time that is shown.
    pub(super) fn to(&self, path: &str) -> String {
        format!("{}{path}{}", self.base, self.asked.everywhere().query())
    }

    /// A link to a page, with the stretch of time, and one filter.
    pub(super) fn filtered(&self, path: &str, name: &str, value: &str) -> String {
        format!("{}{path}{}", self.base, self.asked.everywhere().with(name, Some(value)).query())
    }

    /// A link to the page of a route.
    pub(super) fn route(&self, method: &str, route: &str) -> String {
        let asked = self.asked.everywhere().with("method", Some(method)).with("route", Some(route));
        format!("{}/route{}", self.base, asked.query())
    }

    /// A link to the page of a user.
    pub(super) fn user(&self, id: &str) -> String {
        self.to(&format!("/users/{}", utf8_percent_encode(id, NON_ALPHANUMERIC)))
    }

    /// A link to the page of a request.
    pub(super) fn request(&self, id: i64) -> String {
        self.to(&format!("/requests/{id}"))
    }

    /// Where requests of a status are listed.
    pub(super) fn status(&self, status: &str) -> String {
        let page = if matches!(status.as_bytes().first(), Some(b'4' | b'5')) { "/errors" } else { "/live" };
        self.filtered(page, "status", status)
    }

    /// A link to this page with the comparison switched.
    pub(super) fn compared(&self, compare: bool) -> String {
        self.switched("cmp", (!compare).then_some("0"))
    }

    /// A link to this page with times by another clock.
    pub(super) fn clock(&self, local: bool) -> String {
        self.switched("tz", local.then_some("local"))
    }

    /// Times by the browser's clock.
    pub(super) fn local(&self) -> bool {
        self.asked.tz.as_deref() == Some("local")
    }

    pub(super) fn compares(&self) -> bool {
        !matches!(self.asked.cmp.as_deref(), Some("0" | "false"))
    }

    /// What a form of this page sends along, but these.
    pub(super) fn others(&self, names: &[&str]) -> Vec<(&'static str, String)> {
        self.asked.others(names)
    }

    /// The file of a list of this page.
    pub(super) fn csv(&self, panel: &str) -> String {
        let asked = Asked { format: Some("csv".to_owned()), panel: Some(panel.to_owned()), ..self.asked.clone() };
        format!("{}{}{}", self.base, self.path, asked.query())
    }

    /// The first page of the list that is shown.
    pub(super) fn first_page(&self) -> String {
        self.switched("cursor", None)
    }

    /// The page behind the one that is shown, which is of this range.
    pub(super) fn next_page(&self, cursor: String, range: &RangeShown) -> String {
        format!("{}{}{}", self.base, self.path, self.asked.next(cursor, range).query())
    }

    /// A link to this page, to which a stretch of time is added.
    pub(super) fn zoom(&self) -> String {
        let query = Asked { from: None, to: None, ..self.asked.with("range", None) }.query();
        format!("{}{}{query}{}", self.base, self.path, if query.is_empty() { "?" } else { "&" })
    }

    /// This page.
    fn again(&self) -> String {
        format!("{}{}{}", self.base, self.path, self.asked.query())
    }

    /// What was given for a field of a form.
    pub(super) fn given(&self, name: &str) -> String {
        self.asked.given(name).unwrap_or_default()
    }

    /// An end of the stretch of time, as a form has it: in UTC, without a zone.
    pub(super) fn moment_field(&self, begin: bool) -> String {
        let given = if begin { &self.asked.from } else { &self.asked.to };
        given.as_deref().unwrap_or_default().trim_end_matches('Z').to_owned()
    }

    /// How long it took so far.
    pub(super) fn took(&self) -> String {
        figures::ms(self.since.elapsed().as_secs_f64() * 1_000.0)
    }

    pub(super) fn rolled_up_to(&self) -> Option<(String, String)> {
        self.rolled_up_to.map(|at| (figures::exact(at), figures::moment(at)))
    }

    fn switched(&self, name: &str, value: Option<&str>) -> String {
        format!("{}{}{}", self.base, self.path, self.asked.with(name, value).query())
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
    let answer = match &ask {
        Ok(ask) => make(ask).await,
        Err(problem) => Err(problem.clone()),
    };
    let asked = ask.map(|ask| ask.asked).unwrap_or_default();
    match answer {
        Ok(page) => show(&page),
        Err(problem) => failed(site, visit, &asked, tab, problem),
    }
}

/// A page that says what went wrong, with its status.
pub(super) fn failed(site: &Site, visit: &Visit, asked: &Asked, tab: Tab, problem: Problem) -> Response {
    let status = problem.status();
    let mut shell = Shell::new(site, visit, asked, tab, problem.title());
    // What is asked wrongly stays wrong: only a database may come back.
    shell.live &= status.is_server_error();
    (status, show(&Failed { shell, problem })).into_response()
}
