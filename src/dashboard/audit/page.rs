//! What the pages of audit events have in common.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};

use super::{
    ask::{AuditAsk, AuditAsked},
    qualifier::Qualifier,
};
use crate::dashboard::{
    access::Access,
    ask::{Asked, RANGES},
    problem::Problem,
    shell::{self, Chip, Link, Shell, Tab},
    site::Site,
    visit::Visit,
};

/// The shell of a list, whose stretches of time and filters are those of audit events.
pub(super) fn shell_of_list(
    site: &Site,
    visit: &Visit,
    asked: &AuditAsked,
    ask: Option<&AuditAsk>,
    title: &str,
) -> Shell {
    let shell = shell_of_record(site, visit, asked, title);
    let Some(ask) = ask else { return shell };
    let here = format!("{}{}", visit.base, visit.path);
    let current =
        if asked.get("from").or(asked.get("to")).is_some() { "between" } else { asked.get("range").unwrap_or("all") };
    let range = |name: &'static str| Link {
        href: format!("{here}{}", ask.over(Some(name).filter(|name| *name != "all"))),
        name: name.to_owned(),
        key: None,
        sign: "",
        current: name == current,
    };
    let chip = |(qualifier, value): &(Qualifier, String)| {
        // What a history is of cannot be taken from it: without it, it is a list.
        let stays = !matches!(
            (visit.path.as_str(), qualifier),
            ("/audit/actor", Qualifier::Actor) | ("/audit/target", Qualifier::Target)
        );
        let path = if stays { here.clone() } else { format!("{}/audit", visit.base) };
        let without = format!("{path}{}", ask.with(&[(*qualifier, None)]));
        Chip { name: qualifier.name(), value: value.clone(), without, idle: false }
    };
    let chips = ask.conditions.iter().map(chip).collect();
    shell.with_ranges(["all"].into_iter().chain(RANGES).map(range).collect()).with_chips(chips)
}

/// The shell of a page without a stretch of time.
pub(super) fn shell_of_record(site: &Site, visit: &Visit, asked: &AuditAsked, title: &str) -> Shell {
    Shell::new(site, visit, &asked.everywhere(), Tab::Audit, title).with_ranges(Vec::new()).with_chips(Vec::new())
}

/// A page that says why there is none.
pub(super) fn failed(site: &Arc<Site>, visit: &Visit, problem: Problem) -> Response {
    shell::failed(site, visit, &Asked::default(), Tab::Audit, problem)
}

/// Only who may do everything takes lists away.
pub(super) fn may_export(visit: &Visit) -> Result<(), Problem> {
    match visit.viewer.access {
        Access::Full => Ok(()),
        Access::ReadOnly => Err(Problem::forbidden("you may look at this, but not export it")),
    }
}

/// With its status.
pub(super) fn with_problem(page: Response, problem: &Problem) -> Response {
    (problem.status(), page).into_response()
}
