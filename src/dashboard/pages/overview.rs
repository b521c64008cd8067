//! Everything at a glance.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    Page, answer,
    cell::Cell,
    chart::Chart,
    figures,
    heat::{DAYS, Heat},
    kpi::Kpi,
    panel::Panel,
};
use crate::{
    dashboard::{
        ask::Ask,
        problem::Problem,
        shell::{Shell, Tab},
        site::Site,
        visit::Visit,
    },
    traffic::{Overview, OverviewQuery, StatusCount},
};

#[derive(Template)]
#[template(path = "overview.html")]
struct Shown {
    /// There is nothing yet, nor was there before.
    empty: bool,
    kpis: Vec<Kpi>,
    chart: Chart,
    top: Panel,
    slowest: Panel,
    statuses: Panel,
    heat: Heat,
    durations: Panel,
    latest: Panel,
    shell: Shell,
}

impl Shown {
    fn new(shell: Shell, overview: &Overview) -> Self {
        let links = [
            shell.to("/routes"),
            shell.to("/errors"),
            shell.to("/routes"),
            shell.filtered("/live", "slow", "1"),
            shell.to("/users"),
            shell.filtered("/users", "sort", "lastSeen"),
        ];
        Self {
            empty: overview.total_requests == 0
                && overview.previous.as_ref().is_none_or(|before| before.total_requests == 0),
            kpis: Kpi::of(overview, links),
            chart: Chart::statuses(&shell, &overview.requests_timeline, overview.range.bucket),
            top: Panel::routes(&shell, "top-routes", "Top routes", &overview.top_routes),
            slowest: Panel::routes(&shell, "slowest-routes", "Slowest routes", &overview.slowest_routes),
            statuses: statuses(&shell, &overview.status_code_summary),
            durations: durations(&shell, overview),
            heat: Heat::new(&shell, &overview.week_hours),
            latest: Panel::requests(&shell, "latest", "Latest requests", &overview.latest_requests),
            shell,
        }
    }
}

impl Page for Shown {
    fn panels(&self) -> Vec<&Panel> {
        vec![
            &self.top,
            &self.slowest,
            &self.statuses,
            &self.durations,
            &self.latest,
            &self.chart.table,
            &self.heat.table,
        ]
    }
}

/// How long it took, beside how long it took before.
fn durations(shell: &Shell, overview: &Overview) -> Panel {
    let before = overview.previous.as_ref();
    let rows = [
        ("mean", overview.average_duration_ms, before.map(|before| before.average_duration_ms)),
        ("p50, half of them", overview.p50_ms, before.map(|before| before.p50_ms)),
        ("p95, 95 of 100", overview.p95_ms, before.map(|before| before.p95_ms)),
        ("p99, 99 of 100", overview.p99_ms, before.map(|before| before.p99_ms)),
    ];
    let row = |(name, now, before): (&'static str, _, Option<_>)| {
        let mut row = vec![Cell::text(name), Cell::ms(now)];
        row.extend(before.map(Cell::ms));
        row
    };
    let columns = [("Duration", "wide"), ("Now", "num"), ("Before", "num")];
    let columns = if before.is_some() { &columns[..] } else { &columns[..2] };
    Panel::new(shell, "durations", "Durations", columns, rows.into_iter().map(row).collect())
}

/// The days of the week, each with where it stands.
fn days() -> impl Iterator<Item = (usize, &'static str)> {
    DAYS.into_iter().enumerate().map(|(row, day)| (27 + row * 15, day))
}

/// Every sixth hour.
fn hours() -> impl Iterator<Item = (usize, String)> {
    (0..24).step_by(6).map(|hour| (30 + hour * 15, format!("{hour:02}")))
}

pub(super) fn statuses(shell: &Shell, statuses: &[StatusCount]) -> Panel {
    let total = statuses.iter().map(|one| one.count).sum();
    let largest = statuses.iter().map(|one| one.count).max().unwrap_or_default();
    let row = |one: &StatusCount| {
        vec![
            Cell::status(shell, one.status_code),
            Cell::count(one.count).of(one.count, largest),
            Cell::percent(figures::share(one.count, total)),
        ]
    };
    let columns = [("Status", "wide"), ("Requests", "num"), ("Share", "num")];
    Panel::new(shell, "statuses", "Status codes", &columns, statuses.iter().map(row).collect())
}

pub(super) async fn show(State(site): State<Arc<Site>>, visit: Visit, ask: Result<Ask, Problem>) -> Response {
    answer(&site, &visit, ask, Tab::Overview, async |ask| {
        let overview = site.traffic.overview(&OverviewQuery::new(ask.range).compare(ask.compare)).await?;
        Ok(Shown::new(Shell::new(&site, &visit, &ask.asked, Tab::Overview, "Overview"), &overview))
    })
    .await
}
