//! Requests as they come in.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Response};

use super::{Page, answer, panel::Panel};
use crate::{
    dashboard::{
        ask::Ask,
        problem::Problem,
        shell::{Shell, Tab},
        site::Site,
        visit::Visit,
    },
    traffic::LiveQuery,
};

#[derive(Template)]
#[template(path = "live.html")]
struct Shown {
    shell: Shell,
    latest: Panel,
    /// Behind which a script asks on.
    cursor: i64,
    /// The filters, for a script to ask with.
    filters: String,
    ids: Vec<i64>,
}

impl Page for Shown {
    fn panels(&self) -> Vec<&Panel> {
        vec![&self.latest]
    }
}

pub(super) async fn show(State(site): State<Arc<Site>>, visit: Visit, ask: Result<Ask, Problem>) -> Response {
    answer(&site, &visit, ask, Tab::Live, async |ask| {
        let query = LiveQuery::new().filter(ask.filter.clone()).limit(ask.limit.unwrap_or(100));
        let live = site.traffic.live(&query).await?;
        let shell = Shell::new(&site, &visit, &ask.asked, Tab::Live, "Live");
        let latest = Panel::requests(&shell, "live", "Live requests", &live.requests)
            .empty("No request yet. New ones show here by themselves.");
        let ids = live.requests.iter().map(|row| row.id).collect();
        Ok(Shown { filters: ask.asked.filters(), cursor: live.cursor, ids, latest, shell })
    })
    .await
}
