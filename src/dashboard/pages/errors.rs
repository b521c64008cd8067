//! What went wrong.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Response};

use super::{Page, answer, cell::Cell, figures, panel::Panel};
use crate::{
    dashboard::{
        ask::Ask,
        problem::Problem,
        shell::{Shell, Tab},
        site::Site,
        visit::Visit,
    },
    traffic::{ErrorGroup, Errors, ErrorsQuery},
};

#[derive(Template)]
#[template(path = "errors.html")]
struct Shown {
    shell: Shell,
    classes: [Class; 3],
    groups: Panel,
    latest: Panel,
}

/// How requests failed.
struct Class {
    id: &'static str,
    name: &'static str,
    told: &'static str,
    text: String,
    count: i64,
    href: String,
}

impl Page for Shown {
    fn panels(&self) -> Vec<&Panel> {
        vec![&self.groups, &self.latest]
    }
}

fn classes(shell: &Shell, errors: &Errors) -> [Class; 3] {
    [
        ("4xx", "Client errors", "4xx: the request was at fault", errors.classes.client),
        ("5xx", "Server errors", "5xx: this app was at fault", errors.classes.server),
        ("499", "Aborted", "499: the client was gone before the answer", errors.classes.aborted),
    ]
    .map(|(id, name, told, count)| Class {
        id,
        name,
        told,
        text: figures::count(count),
        count,
        href: shell.here("status", id),
    })
}

fn groups(shell: &Shell, errors: &Errors, limit: usize) -> Panel {
    let largest = errors.groups.iter().map(|one| one.count).max().unwrap_or_default();
    let row = |one: &ErrorGroup| {
        vec![
            Cell::route(shell, &one.method, &one.route),
            Cell {
                href: Some(shell.here("status", &one.status_code.to_string())),
                ..Cell::status(shell, one.status_code)
            }
            .badge(one.retryable.then_some("retryable")),
            Cell::count(one.count).of(one.count, largest),
            Cell::spark(&one.spark),
            Cell::time(one.first_seen),
            Cell::time(one.last_seen),
        ]
    };
    let columns = [
        ("Route", "wide"),
        ("Status", ""),
        ("Requests", "num"),
        ("Trend", ""),
        ("First seen", "time"),
        ("Last seen", "time"),
    ];
    let known = shell.asked.user.is_none() && shell.asked.slow.is_none();
    let note = match errors.groups.len() {
        _ if !known => Some("Groups are of all users and all durations; the filter holds for the latest below."),
        shown if shown >= limit => Some("The largest only."),
        _ => None,
    };
    Panel::new(shell, "groups", "By route and status", &columns, errors.groups.iter().map(row).collect())
        .empty("No error in this range. Enjoy the quiet.")
        .note(note)
}

pub(super) async fn show(State(site): State<Arc<Site>>, visit: Visit, ask: Result<Ask, Problem>) -> Response {
    answer(&site, &visit, ask, Tab::Errors, async |ask| {
        let mut query = ErrorsQuery::new(ask.range);
        query.filter = ask.filter.clone();
        query.limit = ask.limit.unwrap_or(query.limit);
        let errors = site.traffic.errors(&query).await?;
        let shell = Shell::new(&site, &visit, &ask.asked, Tab::Errors, "Errors");
        let latest = Panel::requests(&shell, "latest", "Latest errors", &errors.latest);
        Ok(Shown {
            classes: classes(&shell, &errors),
            groups: groups(&shell, &errors, query.limit as usize),
            latest,
            shell,
        })
    })
    .await
}
