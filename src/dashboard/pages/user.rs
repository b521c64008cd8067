//! One user.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;

use super::{Page, answer, cell::Cell, figures, panel::Panel};
use crate::{
    dashboard::{
        ask::Ask,
        problem::Problem,
        shell::{Shell, Tab},
        site::Site,
        visit::Visit,
    },
    traffic::{IpMode, UaMode, UserDetail, UserRoute},
};

#[derive(Template)]
#[template(path = "user.html")]
struct Shown {
    /// The name, or else the id.
    called: String,
    id: String,
    email: Option<String>,
    /// Exact, and as it is read.
    first_seen: Option<(String, String)>,
    last_seen: Option<(String, String)>,
    count: i64,
    requests: String,
    truncated: bool,
    panels: [Panel; 6],
    /// What the audit explorer has of them.
    audit: Option<String>,
    shell: Shell,
}

impl Page for Shown {
    fn panels(&self) -> Vec<&Panel> {
        self.panels.iter().collect()
    }
}

fn routes(shell: &Shell, id: &'static str, title: &'static str, routes: &[UserRoute]) -> Panel {
    let row = |one: &UserRoute| {
        vec![
            Cell::route(shell, &one.method, &one.route),
            Cell::count(one.count),
            Cell::count(one.error_count),
            Cell::ms(Some(one.average_duration_ms)),
            Cell::ms(Some(one.max_ms)),
            Cell::time(one.last_seen),
        ]
    };
    let columns = [
        ("Route", "wide"),
        ("Requests", "num"),
        ("Errors", "num"),
        ("Mean", "num"),
        ("Max", "num"),
        ("Last seen", "time"),
    ];
    Panel::new(shell, id, title, &columns, routes.iter().map(row).collect())
}

fn panels(shell: &Shell, site: &Site, user: &UserDetail) -> [Panel; 6] {
    let columns = [("Route", "wide"), ("Status", ""), ("Requests", "num"), ("Last seen", "time")];
    let errors = user.error_routes.iter().map(|one| {
        let status = Cell::status(shell, one.status_code);
        vec![Cell::route(shell, &one.method, &one.route), status, Cell::count(one.count), Cell::time(one.last_seen)]
    });
    let errors = Panel::new(shell, "errors", "Errors", &columns, errors.collect());
    let columns = [("Device", "wide"), ("Requests", "num"), ("Last seen", "time")];
    let devices = user.devices.iter().map(|one| {
        vec![Cell::text(one.user_agent.clone()).kind("path"), Cell::count(one.count), Cell::time(one.last_seen)]
    });
    let devices = Panel::new(shell, "devices", "Devices", &columns, devices.collect());
    let columns = [("Address", "wide"), ("Requests", "num"), ("Last seen", "time")];
    let ips = user
        .ip_addresses
        .iter()
        .map(|one| vec![Cell::text(one.ip.clone()).kind("path"), Cell::count(one.count), Cell::time(one.last_seen)]);
    let ips = Panel::new(shell, "ips", "IP addresses", &columns, ips.collect());
    let columns = [("Session", "wide"), ("Requests", "num"), ("First seen", "time"), ("Last seen", "time")];
    let sessions = user.sessions.iter().map(|one| {
        let id = Cell::text(one.session_id.clone()).kind("path");
        vec![id, Cell::count(one.count), Cell::time(one.first_seen), Cell::time(one.last_seen)]
    });
    let sessions = Panel::new(shell, "sessions", "Sessions", &columns, sessions.collect());
    let devices_off = site.traffic.user_agent_mode() == UaMode::Off;
    let ips_off = site.traffic.ip_mode() == IpMode::Off;
    [
        routes(shell, "routes", "Routes", &user.routes),
        routes(shell, "slow", "Slow routes", &user.slow_routes).empty("No slow request in this range."),
        errors.empty("No error in this range."),
        if devices_off { devices.empty("Not collected: the user agent is off.") } else { devices },
        if ips_off { ips.empty("Not collected: track_ip is off.") } else { ips },
        sessions.empty("No session in this range, or no session id is told to the layer."),
    ]
}

pub(super) async fn show(
    State(site): State<Arc<Site>>,
    visit: Visit,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
    ask: Result<Ask, Problem>,
) -> Response {
    answer(&site, &visit, ask, Tab::Users, async |ask| {
        let not_found = || Problem::new(StatusCode::NOT_FOUND, "no request of this user is known");
        let Path(id) = id.map_err(|_| not_found())?;
        let user = site.traffic.user(&id, ask.range).await?.ok_or_else(not_found)?;
        let told = |at: time::OffsetDateTime| (figures::exact(at), figures::moment(at));
        let called = user.user.name.clone().unwrap_or_else(|| user.user.id.clone());
        let shell = Shell::new(&site, &visit, &ask.asked, Tab::Users, called.clone());
        let actor = form_urlencoded::Serializer::new(String::new()).append_pair("actor", &id).finish();
        Ok(Shown {
            called,
            email: user.user.email.clone(),
            first_seen: user.user.first_seen.map(told),
            last_seen: user.user.last_seen.map(told),
            count: user.count,
            requests: figures::count(user.count),
            truncated: user.truncated,
            panels: panels(&shell, &site, &user),
            audit: site.audit.as_ref().map(|_| format!("{}/audit/actor?{actor}", shell.base)),
            id,
            shell,
        })
    })
    .await
}
