//! Everything at a glance.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Response};

use crate::{
    dashboard::{
        ask::Ask,
        problem::Problem,
        shell::{self, Shell, Tab},
        site::Site,
        visit::Visit,
    },
    traffic::{Overview, OverviewQuery},
};

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    shell: Shell,
    overview: Overview,
}

pub(super) async fn show(State(site): State<Arc<Site>>, visit: Visit, ask: Result<Ask, Problem>) -> Response {
    shell::page(&site, &visit, ask, Tab::Overview, async |ask| {
        let overview = site.traffic.overview(&OverviewQuery::new(ask.range).compare(ask.compare)).await?;
        Ok(Page { shell: Shell::new(&site, &visit, &ask.asked, Tab::Overview, "Overview"), overview })
    })
    .await
}
