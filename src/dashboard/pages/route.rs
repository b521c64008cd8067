//! One route.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Response};

use super::{Page, answer, cell::Cell, chart::Chart, figures, overview::statuses, panel::Panel};
use crate::{
    dashboard::{
        ask::Ask,
        problem::Problem,
        shell::{Shell, Tab},
        site::Site,
        visit::Visit,
    },
    traffic::{DurationSlot, RouteDetail, RouteRow},
};

#[derive(Template)]
#[template(path = "route.html")]
struct Shown {
    method: String,
    route: String,
    facts: Vec<(&'static str, &'static str, String, String)>,
    chart: Chart,
    durations: Panel,
    statuses: Panel,
    users: Panel,
    slowest: Panel,
    errors: Panel,
    shell: Shell,
}

impl Page for Shown {
    fn panels(&self) -> Vec<&Panel> {
        vec![&self.durations, &self.statuses, &self.users, &self.slowest, &self.errors, &self.chart.table]
    }
}

/// Its numbers, by which they are found, by name, as text and exact.
fn facts(totals: &RouteRow, detail: &RouteDetail) -> Vec<(&'static str, &'static str, String, String)> {
    let ms =
        |ms: Option<f64>| (ms.map_or("–".to_owned(), figures::ms), ms.map_or(String::new(), |ms| format!("{ms:.3}")));
    let count = |number: i64| (figures::count(number), number.to_string());
    [
        ("requests", "Requests", count(totals.count)),
        ("errors", "Error rate", (figures::percent(totals.error_rate), format!("{:.6}", totals.error_rate))),
        ("slow", "Slow", count(totals.slow_count)),
        ("p50", "p50", ms(totals.p50_ms)),
        ("p95", "p95", ms(totals.p95_ms)),
        ("p99", "p99", ms(detail.p99_ms)),
        ("max", "Max", ms(Some(totals.max_ms))),
    ]
    .into_iter()
    .map(|(id, name, (text, value))| (id, name, text, value))
    .collect()
}

fn durations(shell: &Shell, durations: &[DurationSlot]) -> Panel {
    let total = durations.iter().map(|one| one.count).sum();
    let largest = durations.iter().map(|one| one.count).max().unwrap_or_default();
    let row = |one: &DurationSlot| {
        vec![
            Cell::text(format!("{} – {}", figures::ms(one.from_ms), figures::ms(one.to_ms))).kind("time"),
            Cell::count(one.count).of(one.count, largest),
            Cell::percent(figures::share(one.count, total)),
        ]
    };
    let columns = [("Duration", "time"), ("Requests", "num wide"), ("Share", "num")];
    Panel::new(shell, "durations", "How long it took", &columns, durations.iter().map(row).collect())
}

fn split(shell: &Shell, detail: &RouteDetail) -> Panel {
    let mut panel = statuses(shell, &detail.error_statuses);
    let success = detail.success_count;
    let all = success + detail.error_statuses.iter().map(|one| one.count).sum::<i64>();
    let largest = detail.error_statuses.iter().map(|one| one.count).max().unwrap_or_default().max(success);
    let ok = vec![Cell { kind: "status", status: Some(2), ..Cell::text("below 400") }, Cell::count(success)];
    if success > 0 {
        panel.rows.insert(0, ok);
    }
    let counts = std::iter::once(success).filter(|count| *count > 0);
    for (row, count) in panel.rows.iter_mut().zip(counts.chain(detail.error_statuses.iter().map(|one| one.count))) {
        row.truncate(1);
        row.extend([Cell::count(count).of(count, largest), Cell::percent(figures::share(count, all))]);
    }
    panel
}

impl Shown {
    fn new(mut shell: Shell, method: String, route: String, detail: &RouteDetail) -> Self {
        // They are what the page is about.
        shell.chips.retain(|chip| !matches!(chip.name, "method" | "route"));
        let note = detail.truncated.then_some("Of the latest 100,000 requests of the range.");
        let requests = |id, title, rows| Panel::requests(&shell, id, title, rows).note(note);
        Self {
            facts: detail.route.as_ref().map_or(Vec::new(), |totals| facts(totals, detail)),
            chart: Chart::route(&shell, &detail.timeline, detail.range.bucket),
            durations: durations(&shell, &detail.durations),
            statuses: split(&shell, detail),
            users: Panel::top_users(&shell, &detail.top_users).note(note),
            slowest: requests("slowest", "Slowest requests", &detail.slowest),
            errors: requests("errors", "Latest errors", &detail.latest_errors).empty("No error in this range."),
            method,
            route,
            shell,
        }
    }
}

pub(super) async fn show(State(site): State<Arc<Site>>, visit: Visit, ask: Result<Ask, Problem>) -> Response {
    answer(&site, &visit, ask, Tab::Routes, async |ask| {
        let missing = |name: &str| Problem::parameter(name, "is missing: it says which route is meant");
        let method = ask.asked.method.clone().ok_or_else(|| missing("method"))?;
        let route = ask.asked.route.clone().ok_or_else(|| missing("route"))?;
        let detail = site.traffic.route(&method, &route, ask.range).await?;
        let shell = Shell::new(&site, &visit, &ask.asked, Tab::Routes, format!("{method} {route}"));
        Ok(Shown::new(shell, method, route, &detail))
    })
    .await
}
