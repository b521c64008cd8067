//! Requests by time, as small as they can be told: the line beside a row of a list.

use super::{
    super::{
        cover::{Horizons, Level},
        span::Span,
    },
    routes::LEVELS,
};

/// How a range is divided.
pub(super) struct Axis {
    /// The length of a part, in seconds: whole hours, or whole days, which are read from fewer rows and may be all that is
    /// left.
    pub(super) part: i64,
    first: i64,
    parts: usize,
}

impl Axis {
    pub(super) fn of(span: Span, horizons: &Horizons) -> Self {
        let hours = (span.to - span.from).div_euclid(Level::Hour.size());
        let hours = ((hours + 23) / 24).max(1);
        let whole_days = span.from < horizons.hour || hours > 12;
        let part = if whole_days { (hours + 23) / 24 * 86_400 } else { hours * 3_600 };
        let number = |at: i64| at.div_euclid(part * 1_000_000);
        let (first, last) = (number(span.from), number(span.to - 1));
        Self { part, first, parts: usize::try_from(last - first + 1).unwrap_or_default() }
    }

    /// What it is read from: days cannot be told apart by the hour.
    pub(super) fn levels(&self) -> &'static [Level] {
        if self.part % 86_400 == 0 { &LEVELS } else { &LEVELS[1..] }
    }

    /// The number of a part, in SQL.
    pub(super) fn number(&self) -> String {
        format!("floor(extract(epoch FROM at) / {})::bigint", self.part)
    }

    /// A range without any request.
    pub(super) fn empty(&self) -> Vec<i64> {
        vec![0; self.parts]
    }

    /// So many requests of the part with this number.
    pub(super) fn set(&self, spark: &mut [i64], number: i64, count: i64) {
        let at = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        if let Some(part) = spark.get_mut(at) {
            *part = count;
        }
    }
}
