//! Requests by time: numbers for a script to draw, and the same numbers as a table for whoever has none.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{cell::Cell, panel::Panel};
use crate::{
    dashboard::shell::Shell,
    traffic::{RouteBucket, TimelineBucket},
};

/// A chart.
#[derive(Debug)]
pub(super) struct Chart {
    /// Numbers and fixed names only. It stands in an attribute, escaped as every text is.
    pub(super) data: String,
    /// Where to go on a stretch of it: ends where `from` and `to` are added.
    pub(super) zoom: String,
    /// Classes of status, and where their requests are.
    pub(super) classes: Vec<(&'static str, String)>,
    pub(super) table: Panel,
}

impl Chart {
    /// By classes of status.
    pub(super) fn statuses(shell: &Shell, buckets: &[TimelineBucket], seconds: i64) -> Self {
        let counts = |of: fn(&TimelineBucket) -> i64| buckets.iter().map(of).collect::<Vec<_>>();
        let data = data(
            buckets.iter().map(|one| one.at),
            seconds,
            &[
                ("2xx", "s2", counts(|one| one.success)),
                ("3xx", "s3", counts(|one| one.redirect)),
                ("4xx", "s4", counts(|one| one.client_error)),
                ("5xx", "s5", counts(|one| one.server_error)),
            ],
            [buckets.iter().map(|one| one.p50_ms).collect(), buckets.iter().map(|one| one.p95_ms).collect()],
        );
        let row = |one: &TimelineBucket| {
            let counts = [one.count, one.success, one.redirect, one.client_error, one.server_error];
            let mut row = vec![Cell::time(one.at)];
            row.extend(counts.map(Cell::count));
            row.extend([Cell::ms(one.p50_ms), Cell::ms(one.p95_ms)]);
            row
        };
        let columns = ["2xx", "3xx", "4xx", "5xx"];
        let page = |class: &str| if class < "4" { "/live" } else { "/errors" };
        let classes = columns.map(|class| (class, shell.filtered(page(class), "status", class))).to_vec();
        let rows = buckets.iter().filter(|one| one.count > 0).map(row).collect();
        Self { classes, ..Self::new(shell, &data, &columns, rows) }
    }

    /// By success.
    pub(super) fn route(shell: &Shell, buckets: &[RouteBucket], seconds: i64) -> Self {
        let data = data(
            buckets.iter().map(|one| one.at),
            seconds,
            &[
                ("OK", "s2", buckets.iter().map(|one| one.count - one.error_count).collect()),
                ("Errors", "s5", buckets.iter().map(|one| one.error_count).collect()),
            ],
            [buckets.iter().map(|one| one.p50_ms).collect(), buckets.iter().map(|one| one.p95_ms).collect()],
        );
        let row = |one: &RouteBucket| {
            let mut row = vec![Cell::time(one.at)];
            row.extend([one.count, one.count - one.error_count, one.error_count].map(Cell::count));
            row.extend([Cell::ms(one.p50_ms), Cell::ms(one.p95_ms)]);
            row
        };
        Self::new(shell, &data, &["OK", "Errors"], buckets.iter().filter(|one| one.count > 0).map(row).collect())
    }

    fn new(shell: &Shell, data: &Value, classes: &[&'static str], rows: Vec<Vec<Cell>>) -> Self {
        let mut columns = vec![("From", "time"), ("Requests", "num")];
        columns.extend(classes.iter().map(|name| (*name, "num")));
        columns.extend([("p50", "num"), ("p95", "num")]);
        let table = Panel::new(shell, "timeline", "Requests by time", &columns, rows);
        Self { data: data.to_string(), zoom: shell.zoom(), classes: Vec::new(), table }
    }
}

fn data(
    at: impl Iterator<Item = OffsetDateTime>,
    seconds: i64,
    stack: &[(&str, &str, Vec<i64>)],
    [p50, p95]: [Vec<Option<f64>>; 2],
) -> Value {
    let stack: Vec<Value> = stack.iter().map(|(name, class, counts)| json!([name, class, counts])).collect();
    let round = |values: Vec<Option<f64>>| -> Vec<Option<f64>> {
        values.into_iter().map(|value| value.map(|ms| (ms * 10.0).round() / 10.0)).collect()
    };
    let at: Vec<i64> = at.map(OffsetDateTime::unix_timestamp).collect();
    json!({ "at": at, "step": seconds, "stack": stack, "p50": round(p50), "p95": round(p95) })
}
