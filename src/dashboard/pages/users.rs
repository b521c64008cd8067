//! All users.

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
    traffic::UsersQuery,
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

const SORTS: [(&str, &str); 4] =
    [("Requests", "count"), ("Errors", "errorCount"), ("Slow", "slowCount"), ("Last seen", "lastSeen")];

pub(super) async fn show(State(site): State<Arc<Site>>, visit: Visit, ask: Result<Ask, Problem>) -> Response {
    answer(&site, &visit, ask, Tab::Users, async |ask| {
        let mut query = UsersQuery::new(ask.range);
        if let Some(sort) = &ask.asked.sort {
            query.sort = sort.parse()?;
        }
        query.limit = ask.limit.unwrap_or(query.limit);
        query.cursor.clone_from(&ask.asked.cursor);
        query.search.clone_from(&ask.asked.q);
        let users = site.traffic.users(&query).await?;
        let shell = Shell::new(&site, &visit, &ask.asked, Tab::Users, "Users");
        let list = Panel::users(&shell, "users", "Users", &users.users).sorted(&shell, &SORTS).paged(
            &shell,
            users.next,
            &users.range,
        );
        Ok(Shown { list, search: "Search id, name or e-mail", shell })
    })
    .await
}
