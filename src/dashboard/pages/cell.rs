//! One place of a list.

use std::fmt::Write as _;

use time::OffsetDateTime;

use super::figures;
use crate::dashboard::shell::Shell;

/// What a cell shows, and where it leads.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    /// The class of the cell: `num`, `time`, `path`, `wide`.
    pub(super) kind: &'static str,
    pub(super) href: Option<String>,
    /// All of it, where the text is shortened.
    pub(super) title: Option<String>,
    /// The exact value, where the text is rounded.
    pub(super) value: Option<String>,
    /// Stands before the text.
    pub(super) method: Option<String>,
    /// The class of a status: 2 to 5.
    pub(super) status: Option<i16>,
    /// In words, behind the text.
    pub(super) badge: Option<&'static str>,
    /// How much of the cell is filled, in percent.
    pub(super) bar: Option<String>,
    /// The points of a line of 96 by 20.
    pub(super) spark: Option<String>,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A dash, for what is not there.
    pub(super) fn maybe(text: Option<&str>) -> Self {
        match text {
            Some(text) => Self::text(text),
            None => Self { value: Some(String::new()), kind: "none", ..Self::text("–") },
        }
    }

    pub(super) fn count(number: i64) -> Self {
        Self { kind: "num", value: Some(number.to_string()), ..Self::text(figures::count(number)) }
    }

    /// With a bar, as its share of the largest.
    pub(super) fn of(mut self, number: i64, largest: i64) -> Self {
        self.bar = Some(format!("{:.1}", figures::share(number, largest) * 100.0));
        self
    }

    pub(super) fn percent(share: f64) -> Self {
        Self { kind: "num", value: Some(format!("{share:.6}")), ..Self::text(figures::percent(share)) }
    }

    pub(super) fn ms(ms: Option<f64>) -> Self {
        match ms {
            Some(ms) => Self { kind: "num", value: Some(format!("{ms:.3}")), ..Self::text(figures::ms(ms)) },
            None => Self { kind: "num", value: Some(String::new()), ..Self::text("–") },
        }
    }

    pub(super) fn time(at: OffsetDateTime) -> Self {
        Self { kind: "time", value: Some(figures::exact(at)), ..Self::text(figures::moment(at)) }
    }

    /// A route, which leads to its page.
    pub(super) fn route(shell: &Shell, method: &str, route: &str) -> Self {
        Self {
            kind: "path",
            method: Some(method.to_owned()),
            href: Some(shell.route(method, route)),
            title: Some(format!("{method} {route}")),
            ..Self::text(route)
        }
    }

    pub(super) fn status(shell: &Shell, code: i16) -> Self {
        let text = code.to_string();
        Self { kind: "status", status: Some(code / 100), href: Some(shell.status(&text)), ..Self::text(text) }
    }

    /// A user, who leads to their page; nobody is told in words.
    pub(super) fn user(shell: &Shell, id: Option<&str>, name: Option<&str>) -> Self {
        match id {
            Some(id) => Self {
                kind: "who",
                href: Some(shell.user(id)),
                title: name.map(|_| id.to_owned()),
                value: Some(id.to_owned()),
                ..Self::text(name.unwrap_or(id))
            },
            None => Self { kind: "none", value: Some(String::new()), ..Self::text("anonymous") },
        }
    }

    pub(super) fn spark(counts: &[i64]) -> Self {
        let largest = counts.iter().copied().max().unwrap_or_default();
        let step = 96.0 / figures::share(i64::try_from(counts.len()).unwrap_or(2).max(2) - 1, 1);
        let (mut at, mut points) = (0.0, String::new());
        for count in counts {
            let height = 19.0 - 18.0 * figures::share(*count, largest);
            // Writing to a String cannot fail.
            let _ = write!(points, "{at:.1},{height:.1} ");
            at += step;
        }
        let shown: Vec<String> = counts.iter().map(i64::to_string).collect();
        Self { kind: "sparks", spark: Some(points), value: Some(shown.join(" ")), ..Self::text("Requests over time") }
    }

    pub(super) fn link(mut self, href: String) -> Self {
        self.href = Some(href);
        self
    }

    pub(super) fn badge(mut self, badge: Option<&'static str>) -> Self {
        self.badge = badge;
        self
    }

    pub(super) fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    /// As a file has it: exact.
    pub(super) fn plain(&self) -> String {
        let text = self.value.as_deref().unwrap_or(&self.text);
        match &self.method {
            Some(method) => format!("{method} {text}"),
            None => text.to_owned(),
        }
    }
}
