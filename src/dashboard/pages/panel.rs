//! A list with a title: on a page a table, and the same as a file.

use super::cell::Cell;
use crate::{
    dashboard::shell::Shell,
    traffic::{LiveRow, RangeShown, RouteRow, UserRow},
};

/// The head of a column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// The class of its cells.
    pub(super) kind: &'static str,
    /// The link that sorts by it.
    pub(super) sort: Option<String>,
    pub(super) sorted: bool,
}

/// A list.
#[derive(Debug)]
pub(super) struct Panel {
    /// Unique on its page.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// What is said where there is nothing.
    pub(super) empty: &'static str,
    pub(super) note: Option<&'static str>,
    /// The link that takes it away.
    pub(super) csv: Option<String>,
    pub(super) first: Option<String>,
    pub(super) next: Option<String>,
}

impl Panel {
    /// Columns by name and class.
    pub(super) fn new(
        shell: &Shell,
        id: &'static str,
        title: &'static str,
        columns: &[(&'static str, &'static str)],
        rows: Vec<Vec<Cell>>,
    ) -> Self {
        let column = |(name, kind): &(&'static str, &'static str)| Column { name, kind, sort: None, sorted: false };
        let csv = (shell.export && !rows.is_empty()).then(|| shell.csv(id));
        Self {
            id,
            title,
            columns: columns.iter().map(column).collect(),
            rows,
            empty: "Nothing in this range.",
            note: None,
            csv,
            first: None,
            next: None,
        }
    }

    /// These columns sort, by these keys; the first one is the usual.
    pub(super) fn sorted(mut self, shell: &Shell, keys: &[(&str, &str)]) -> Self {
        let current = shell.asked.sort.as_deref().or(keys.first().map(|(_, key)| *key));
        for column in &mut self.columns {
            if let Some((_, key)) = keys.iter().find(|(name, _)| *name == column.name) {
                column.sort = Some(shell.here("sort", key));
                column.sorted = current == Some(key);
            }
        }
        self
    }

    /// The pages around this one.
    pub(super) fn paged(mut self, shell: &Shell, next: Option<String>, range: &RangeShown) -> Self {
        self.first = shell.asked.cursor.as_ref().map(|_| shell.first_page());
        self.next = next.map(|cursor| shell.next_page(cursor, range));
        self
    }

    pub(super) fn empty(mut self, text: &'static str) -> Self {
        self.empty = text;
        self
    }

    pub(super) fn note(mut self, note: Option<&'static str>) -> Self {
        self.note = note;
        self
    }

    /// Requests one by one.
    pub(super) fn requests(shell: &Shell, id: &'static str, title: &'static str, requests: &[LiveRow]) -> Self {
        let row = |one: &LiveRow| {
            vec![
                Cell::time(one.created_at).link(shell.request(one.id)),
                Cell::text(one.method.clone()).kind("method"),
                Cell::status(shell, one.status_code),
                Cell::text(one.original_url.clone()).kind("path").link(shell.route(&one.method, &one.route)),
                Cell::ms(Some(f64::from(one.duration_ms))).badge(one.is_slow.then_some("slow")),
                Cell::user(shell, one.user_id.as_deref(), None),
            ]
        };
        let columns =
            [("Time", "time"), ("Method", ""), ("Status", ""), ("Path", "wide"), ("Duration", "num"), ("User", "")];
        Self::new(shell, id, title, &columns, requests.iter().map(row).collect())
    }

    /// Routes, briefly.
    pub(super) fn routes(shell: &Shell, id: &'static str, title: &'static str, routes: &[RouteRow]) -> Self {
        let largest = routes.iter().map(|one| one.count).max().unwrap_or_default();
        let row = |one: &RouteRow| {
            vec![
                Cell::route(shell, &one.method, &one.route),
                Cell::count(one.count).of(one.count, largest),
                Cell::percent(one.error_rate),
                Cell::ms(Some(one.average_duration_ms)),
                Cell::ms(one.p95_ms),
            ]
        };
        let columns = [("Route", "wide"), ("Requests", "num"), ("Errors", "num"), ("Mean", "num"), ("p95", "num")];
        Self::new(shell, id, title, &columns, routes.iter().map(row).collect())
    }

    /// Users, briefly.
    pub(super) fn top_users(shell: &Shell, users: &[UserRow]) -> Self {
        let mut panel = Self::users(shell, "users", "Top users", users);
        panel.columns.remove(1);
        panel.rows.iter_mut().for_each(|row| drop(row.remove(1)));
        panel
    }

    /// Users.
    pub(super) fn users(shell: &Shell, id: &'static str, title: &'static str, users: &[UserRow]) -> Self {
        let largest = users.iter().map(|one| one.count).max().unwrap_or_default();
        let row = |one: &UserRow| {
            vec![
                Cell::user(shell, one.user_id.as_deref(), one.user_name.as_deref()),
                Cell::maybe(one.user_email.as_deref()),
                Cell::count(one.count).of(one.count, largest),
                Cell::count(one.error_count),
                Cell::count(one.slow_count),
                Cell::time(one.last_seen),
            ]
        };
        let columns = [
            ("User", "wide"),
            ("E-mail", ""),
            ("Requests", "num"),
            ("Errors", "num"),
            ("Slow", "num"),
            ("Last seen", "time"),
        ];
        Self::new(shell, id, title, &columns, users.iter().map(row).collect())
    }
}
