//! All routes.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Response};

use super::{Page, answer, cell::Cell, panel::Panel};
use crate::{
    dashboard::{
        ask::Ask,
        problem::Problem,
        shell::{Shell, Tab},
        site::Site,
        visit::Visit,
    },
    traffic::{RouteRow, Routes, RoutesQuery},
};

#[derive(Template)]
#[template(path = "list.html")]
struct Shown {
    shell: Shell,
    list: Panel,
    search: &'static str,
}

impl Page for Shown {
    fn panels(&self) -> Vec<&Panel> {
        vec![&self.list]
    }
}

/// The name of a column, its class and the key by which it sorts.
const COLUMNS: [(&str, &str); 10] = [
    ("Route", "wide"),
    ("Requests", "num"),
    ("Per min", "num"),
    ("Errors", "num"),
    ("Mean", "num"),
    ("p50", "num"),
    ("p95", "num"),
    ("Max", "num"),
    ("Slow", "num"),
    ("Trend", ""),
];
const SORTS: [(&str, &str); 6] = [
    ("Requests", "count"),
    ("Route", "route"),
    ("Errors", "errorRate"),
    ("Mean", "averageDurationMs"),
    ("Max", "maxMs"),
    ("Slow", "slowCount"),
];

fn list(shell: &Shell, routes: &Routes) -> Panel {
    let minutes = (routes.range.to - routes.range.from).as_seconds_f64() / 60.0;
    let largest = routes.routes.iter().map(|one| one.count).max().unwrap_or_default();
    let row = |one: &RouteRow| {
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = one.count as f64 / minutes.max(1.0);
        let rate = if rate < 9.95 { format!("{rate:.2}") } else { format!("{rate:.0}") };
        vec![
            Cell::route(shell, &one.method, &one.route),
            Cell::count(one.count).of(one.count, largest),
            Cell::text(rate).kind("num"),
            Cell::percent(one.error_rate),
            Cell::ms(Some(one.average_duration_ms)),
            Cell::ms(one.p50_ms),
            Cell::ms(one.p95_ms),
            Cell::ms(Some(one.max_ms)),
            Cell::count(one.slow_count),
            Cell::spark(&one.spark),
        ]
    };
    Panel::new(shell, "routes", "Routes", &COLUMNS, routes.routes.iter().map(row).collect())
        .sorted(shell, &SORTS)
        .paged(shell, routes.next.clone(), &routes.range)
}

pub(super) async fn show(State(site): State<Arc<Site>>, visit: Visit, ask: Result<Ask, Problem>) -> Response {
    answer(&site, &visit, ask, Tab::Routes, async |ask| {
        let mut query = RoutesQuery::new(ask.range);
        if let Some(sort) = &ask.asked.sort {
            query.sort = sort.parse()?;
        }
        query.limit = ask.limit.unwrap_or(query.limit);
        query.cursor.clone_from(&ask.asked.cursor);
        query.search.clone_from(&ask.asked.q);
        query.method.clone_from(&ask.asked.method);
        let routes = site.traffic.routes(&query).await?;
        let shell = Shell::new(&site, &visit, &ask.asked, Tab::Routes, "Routes");
        Ok(Shown { list: list(&shell, &routes), search: "Search routes", shell })
    })
    .await
}
