//! One request, with everything that is known of it.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};
use http::StatusCode;

use super::{cell::Cell, figures};
use crate::{
    dashboard::{
        ask::Ask,
        problem::Problem,
        shell::{self, Shell, Tab},
        site::Site,
        visit::Visit,
    },
    traffic::{IpMode, RequestDetail, UaMode},
};

#[derive(Template)]
#[template(path = "request.html")]
struct Shown {
    method: String,
    url: String,
    fields: Vec<(&'static str, Cell)>,
    /// What the audit explorer has of it.
    audit: Option<String>,
    shell: Shell,
}

fn fields(shell: &Shell, site: &Site, request: &RequestDetail) -> Vec<(&'static str, Cell)> {
    let row = &request.row;
    let kept = |kept: bool, value: Option<&str>| match value {
        None if !kept => Cell { kind: "none", ..Cell::text("not collected") },
        value => Cell::maybe(value),
    };
    let standing = format!("{} requests: only a sample is kept", request.weight);
    let mut fields = vec![
        ("Status", Cell::status(shell, row.status_code)),
        ("Duration", Cell::ms(Some(f64::from(row.duration_ms))).kind("").badge(row.is_slow.then_some("slow"))),
        ("Route", Cell::route(shell, &row.method, &row.route)),
        ("URL", Cell::text(row.original_url.clone()).kind("path")),
        ("User", Cell::user(shell, row.user_id.as_deref(), request.user_name.as_deref())),
        ("User id", Cell::maybe(row.user_id.as_deref())),
        ("E-mail", Cell::maybe(request.user_email.as_deref())),
        ("Session", Cell::maybe(row.session_id.as_deref())),
        ("IP address", kept(site.traffic.ip_mode() != IpMode::Off, request.ip.as_deref())),
        ("User agent", kept(site.traffic.user_agent_mode() != UaMode::Off, request.user_agent.as_deref())),
        ("Began", Cell::time(request.started_at)),
        ("Ended", Cell::time(request.ended_at)),
        ("Stored", Cell::time(row.created_at)),
        ("Request id", Cell::maybe(request.request_id.as_deref())),
        ("Row", Cell::text(row.id.to_string())),
    ];
    if request.weight != 1 {
        fields.push(("Stands for", Cell::text(standing)));
    }
    fields
}

pub(super) async fn show(
    State(site): State<Arc<Site>>,
    visit: Visit,
    id: Result<Path<i64>, PathRejection>,
    ask: Result<Ask, Problem>,
) -> Response {
    shell::page(&site, &visit, ask, Tab::Live, async |ask| {
        let not_found = || Problem::new(StatusCode::NOT_FOUND, "there is no such request, or it is no longer kept");
        let Path(id) = id.map_err(|_| not_found())?;
        let request = site.traffic.request(id).await?.ok_or_else(not_found)?;
        let (method, url) = (request.row.method.clone(), request.row.original_url.clone());
        let mut shell = Shell::new(
            &site,
            &visit,
            &ask.asked,
            Tab::Live,
            format!("{method} {}", figures::moment(request.started_at)),
        );
        (shell.live, shell.ranged) = (false, false);
        let told = |id: &String| {
            let id = form_urlencoded::Serializer::new(String::new()).append_pair("request", id).finish();
            format!("{}/audit?{id}", shell.base)
        };
        let audit = request.request_id.as_ref().filter(|_| site.audit.is_some()).map(told);
        Ok(Shown { method, url, fields: fields(&shell, &site, &request), audit, shell })
    })
    .await
}
