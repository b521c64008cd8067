//! The audit explorer, beside plain SQL.

mod diff;
mod export;
mod filters;
mod hostile;
mod memory;
mod paging;
mod records;
mod told;

use axum::Router;
use tracevault::{
    Event, ScopeOverrides, Tracevault,
    dashboard::{DashboardBuilder, Viewer},
    uuid::Uuid,
};

use super::kit::{Answer, get};
use crate::{kit::Table, traffic::Site};

/// A dashboard that shows `table`, and tells who looks in `looked`.
pub struct Stand {
    pub site: Site,
    pub table: Table,
    pub looked: Table,
    pub audit: Tracevault,
    pub app: Router,
}

impl Stand {
    pub async fn new(theme: &str) -> Self {
        Self::seen_by(theme, Viewer::full("ann")).await
    }

    pub async fn seen_by(theme: &str, viewer: Viewer) -> Self {
        Self::with(theme, Table::new(theme).await, |builder| builder.authorize(move |_| Some(viewer.clone()))).await
    }

    pub async fn with(theme: &str, table: Table, options: impl FnOnce(DashboardBuilder) -> DashboardBuilder) -> Self {
        let site = Site::new(theme).await;
        let looked = Table::new("looked").await;
        let audit = Tracevault::new(table.config().mask_fields(["pin"])).unwrap();
        let access = audit.scope(ScopeOverrides::new().table_name(&looked.name)).unwrap();
        let router = options(site.traffic.dashboard().audit(audit.query(), access)).build().unwrap();
        let app = Router::new().nest_service("/board", router);
        Self { site, table, looked, audit, app }
    }

    pub async fn get(&self, path: &str) -> Answer {
        get(&self.app, &format!("/board{path}")).await
    }

    /// The id of what it stores.
    pub async fn emit(&self, event: impl Into<Event<'_>>) -> Uuid {
        self.audit.emit(event).await.unwrap().id
    }

    pub async fn run(&self, sql: &str) {
        self.table.sql.batch_execute(&sql.replace('@', &self.table.name)).await.unwrap();
    }

    /// The ids of the rows for which this holds, in the order of the list.
    pub async fn ids(&self, condition: &str) -> Vec<String> {
        let rest = format!("WHERE {condition} ORDER BY occurred_at DESC, id DESC");
        self.table.select("id::text", &rest, &[]).await.iter().map(|row| row.get(0)).collect()
    }

    pub async fn drop(self) {
        self.audit.close().await.unwrap();
        self.table.drop().await;
        self.looked.drop().await;
        self.site.drop().await;
    }
}

/// What stands behind each `mark` up to the next quote.
pub fn quoted<'p>(page: &'p str, mark: &str) -> Vec<&'p str> {
    page.split(&format!("{mark}=\"")).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// The ids of the rows of a page.
pub fn rows(page: &str) -> Vec<&str> {
    quoted(page, " data-id")
}

/// The text of each element with this test id, without tags.
pub fn parts(page: &str, testid: &str) -> Vec<String> {
    let text = |rest: &str| unescaped(rest.split_once('>').unwrap().1.split('<').next().unwrap());
    page.split(&format!("data-testid=\"{testid}\"")).skip(1).map(text).collect()
}

/// The link of the element with this test id.
pub fn link(page: &str, testid: &str) -> Option<String> {
    let before = page.split(&format!("data-testid=\"{testid}\"")).next()?;
    if before.len() == page.len() {
        return None;
    }
    let tag = &before[before.rfind("<a ")?..];
    Some(unescaped(quoted(tag, "href").first()?))
}

pub fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for (entity, meant) in [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")] {
        text = text.replace(entity, meant);
    }
    text
}
