//! A stretch of time, and how SQL says it.

use std::fmt::Write as _;

use time::{Duration, OffsetDateTime};

use crate::moment;

/// From, and up to but without, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Adds a span behind the others, as one with the last where they touch. An empty one is none.
pub(super) fn push(spans: &mut Vec<Span>, span: Span) {
    if span.from >= span.to {
        return;
    }
    match spans.last_mut() {
        Some(last) if last.to == span.from => last.to = span.to,
        _ => spans.push(span),
    }
}

pub(super) fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}

pub(super) fn moment(micros: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::microseconds(micros))
}

/// A constant, so that the planner sees which days are meant.
pub(super) fn literal(micros: i64) -> String {
    format!("timestamptz '{}'", text(micros))
}

fn text(micros: i64) -> String {
    // What no year of four digits tells is before everything, or behind.
    let beyond = if micros < 0 { "-infinity" } else { "infinity" };
    let at = moment(micros);
    // PostgreSQL has no year 0.
    if (1..10_000).contains(&at.year()) {
        moment::rfc3339(at).unwrap_or_else(|_| beyond.to_owned())
    } else {
        beyond.to_owned()
    }
}

/// The condition that a column lies in one of the spans.
pub(super) fn within(column: &str, spans: &[Span]) -> String {
    /// More than that are rare: late rows all over the place, before they are rolled up.
    const MOST: usize = 16;
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return "false".to_owned() };
    if spans.len() > MOST {
        let mut ranges = String::new();
        for span in spans {
            let comma = if ranges.is_empty() { "" } else { "," };
            // Writing to a String cannot fail.
            let _ = write!(ranges, "{comma}[{},{})", text(span.from), text(span.to));
        }
        let (from, to) = (literal(first.from), literal(last.to));
        return format!("({column} >= {from} AND {column} < {to} AND {column} <@ '{{{ranges}}}'::tstzmultirange)");
    }
    let one = |span: &Span| format!("({column} >= {} AND {column} < {})", literal(span.from), literal(span.to));
    format!("({})", spans.iter().map(one).collect::<Vec<_>>().join(" OR "))
}
