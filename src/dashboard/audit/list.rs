//! Lists: everything, what one actor did, what was done to one target.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    ask::{AuditAsk, AuditAsked},
    explorer::Audit,
    page,
    qualifier::Qualifier,
    row::{Day, Row},
    view::View,
};
use crate::{
    dashboard::{
        problem::Problem,
        shell::{self, Shell, Tab},
        site::Site,
        visit::Visit,
    },
    query::Page,
};

/// A field of the form.
#[derive(Debug)]
struct Field {
    name: &'static str,
    label: &'static str,
    value: String,
    example: &'static str,
}

/// The search box, and its fields.
#[derive(Debug)]
struct Form {
    action: String,
    q: String,
    fields: Vec<Field>,
    mode: String,
    open: bool,
    /// What a new question keeps.
    hidden: Vec<(&'static str, String)>,
}

/// The links of a list.
#[derive(Debug, Default)]
struct Links {
    first: Option<String>,
    next: Option<String>,
    csv: Option<String>,
    ndjson: Option<String>,
    /// A history of the actor or of the target that is filtered by, and back.
    others: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "audit_list.html")]
struct List {
    shell: Shell,
    heading: String,
    form: Form,
    days: Vec<Day>,
    links: Links,
    filtered: bool,
    /// Times by the browser's clock.
    local: bool,
    problem: Option<Problem>,
}

type Asking = Result<AuditAsked, Problem>;

pub(super) async fn everything(State(site): State<Arc<Site>>, visit: Visit, asked: Asking) -> Response {
    show(site, visit, asked, View::List).await
}

pub(super) async fn actor(State(site): State<Arc<Site>>, visit: Visit, asked: Asking) -> Response {
    show(site, visit, asked, View::Actor).await
}

pub(super) async fn target(State(site): State<Arc<Site>>, visit: Visit, asked: Asking) -> Response {
    show(site, visit, asked, View::Target).await
}

async fn show(site: Arc<Site>, visit: Visit, asked: Asking, view: View) -> Response {
    let (audit, asked) = match (Audit::of(&site), asked) {
        (Ok(audit), Ok(asked)) => (audit, asked),
        (Err(problem), _) | (_, Err(problem)) => return page::failed(&site, &visit, problem),
    };
    let answer = async {
        let ask = AuditAsk::of(asked.clone())?;
        if let Some(needed) = needed(view).filter(|needed| ask.condition(*needed).is_none()) {
            return Err(Problem::parameter(needed.name(), "is needed here"));
        }
        let page = audit.page(&visit.viewer, view, &ask).await?;
        Ok((ask, page))
    };
    match answer.await {
        Ok((ask, found)) => shell::show(&List::of(&site, &visit, view, &ask, &found)),
        // What was asked wrongly stands in the form again.
        Err(problem) if problem.status() == http::StatusCode::BAD_REQUEST => {
            let list = List::refused(&site, &visit, &asked, problem.clone());
            page::with_problem(shell::show(&list), &problem)
        }
        Err(problem) => page::failed(&site, &visit, problem),
    }
}

/// What a history is of.
fn needed(view: View) -> Option<Qualifier> {
    match view {
        View::Actor => Some(Qualifier::Actor),
        View::Target => Some(Qualifier::Target),
        _ => None,
    }
}

impl List {
    fn of(site: &Arc<Site>, visit: &Visit, view: View, ask: &AuditAsk, found: &Page) -> Self {
        let (base, here) = (&visit.base, format!("{}{}", visit.base, visit.path));
        let row = |record| Row::of(record, ask, base, &here, view == View::Target);
        let rows = found.records.iter().map(|record| (record.occurred_at, row(record)));
        let days = if view == View::List { Day::all(rows) } else { Day::group(rows) };
        let export = |format: &str| format!("{base}/audit/export.{format}{}", ask.whole());
        let may_export = page::may_export(visit).is_ok();
        let mut others = Vec::new();
        for (of, qualifier, name) in
            [(View::Actor, Qualifier::Actor, "Actor timeline"), (View::Target, Qualifier::Target, "Target history")]
        {
            if view != of && ask.condition(qualifier).is_some() {
                others.push((name, format!("{base}/audit/{}{}", of.name(), ask.first())));
            }
        }
        if view != View::List {
            others.push(("As a list", format!("{base}/audit{}", ask.first())));
        }
        let links = Links {
            first: ask.cursor.as_ref().map(|_| format!("{here}{}", ask.first())),
            next: found.next.clone().map(|cursor| format!("{here}{}", ask.behind(cursor))),
            csv: may_export.then(|| export("csv")),
            ndjson: may_export.then(|| export("ndjson")),
            others,
        };
        let (title, heading) = heading(view, ask);
        Self {
            shell: page::shell_of_list(site, visit, &ask.asked, Some(ask), title),
            heading,
            form: Form::of(visit, &ask.asked, false),
            days,
            links,
            filtered: !ask.told().is_empty(),
            local: ask.asked.get("tz") == Some("local"),
            problem: None,
        }
    }

    fn refused(site: &Arc<Site>, visit: &Visit, asked: &AuditAsked, problem: Problem) -> Self {
        Self {
            shell: page::shell_of_list(site, visit, asked, None, problem.title()),
            heading: "Audit events".to_owned(),
            form: Form::of(visit, asked, true),
            days: Vec::new(),
            links: Links::default(),
            filtered: true,
            local: false,
            problem: Some(problem),
        }
    }
}

fn heading(view: View, ask: &AuditAsk) -> (&'static str, String) {
    let of = |id, kind| match (ask.condition(id), ask.condition(kind)) {
        (Some(id), Some(kind)) => format!("{kind} {id}"),
        (id, _) => id.unwrap_or_default().to_owned(),
    };
    match view {
        View::Actor => ("Actor timeline", format!("Timeline of {}", of(Qualifier::Actor, Qualifier::ActorType))),
        View::Target => ("Target history", format!("History of {}", of(Qualifier::Target, Qualifier::TargetType))),
        _ => ("Audit", "Audit events".to_owned()),
    }
}

impl Form {
    fn of(visit: &Visit, asked: &AuditAsked, wrong: bool) -> Self {
        let get = |name| asked.get(name).unwrap_or_default().to_owned();
        let fields = [
            (Qualifier::Event, "Event", "order.paid"),
            (Qualifier::Actor, "Actor", "user_123"),
            (Qualifier::ActorType, "Actor type", "user"),
            (Qualifier::Target, "Target", "product_456"),
            (Qualifier::TargetType, "Target type", "product"),
            (Qualifier::Request, "Request", "req_abc"),
            (Qualifier::Correlation, "Correlation", "job_7"),
            (Qualifier::Environment, "Environment", "production"),
            (Qualifier::Outcome, "Outcome", "failure"),
            (Qualifier::Severity, "Severity", "critical"),
            (Qualifier::After, "After", "2026-05-07"),
            (Qualifier::Before, "Before", "2026-05-07T12:00:00Z"),
        ];
        let field = |(qualifier, label, example): (Qualifier, _, _)| Field {
            name: qualifier.name(),
            label,
            value: get(qualifier.name()),
            example,
        };
        let hidden = ["range", "from", "to", "cmp", "limit", "tz"];
        let hidden = hidden.into_iter().filter_map(|name| Some((name, asked.get(name)?.to_owned()))).collect();
        Self {
            action: format!("{}{}", visit.base, visit.path),
            q: get("q"),
            fields: fields.map(field).into(),
            mode: get("mode"),
            open: wrong && Qualifier::ALL.into_iter().any(|one| asked.get(one.name()).is_some()),
            hidden,
        }
    }
}
