//! From when to when.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::super::{
    cover::{Horizons, Level},
    span::{Span, micros, moment},
};
use crate::error::{Error, ValidationError};

/// A stretch of time, its end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range(pub(in crate::traffic) Span);

/// In microseconds: ten years.
const LONGEST: i64 = 3_653 * 86_400 * 1_000_000;

impl Range {
    /// From a moment up to, but without, another; both cut to microseconds.
    ///
    /// # Errors
    /// `Validation` when it is empty, or longer than ten years.
    pub fn new(from: OffsetDateTime, to: OffsetDateTime) -> Result<Self, Error> {
        let span = Span { from: micros(from), to: micros(to) };
        if span.from >= span.to {
            return Err(ValidationError::new("to", "must be after `from`").into());
        }
        if span.to.saturating_sub(span.from) > LONGEST {
            return Err(ValidationError::new("from", "must be within ten years of `to`").into());
        }
        Ok(Self(span))
    }

    /// So long, up to now, by this process's clock.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn last(duration: Duration) -> Result<Self, Error> {
        let now = OffsetDateTime::now_utc();
        let duration = time::Duration::try_from(duration).unwrap_or(time::Duration::MAX);
        Self::new(now.saturating_sub(duration), now)
    }
}

impl Span {
    /// Where rows were dropped already, whole hours are left, and then whole days.
    pub(super) fn effective(self, horizons: &Horizons) -> Self {
        let up = |at: i64, size: i64| at.saturating_add(size - 1).div_euclid(size).saturating_mul(size);
        let unit = |at| if at >= horizons.hour { Level::Hour.size() } else { Level::Day.size() };
        let cut = |at: i64| if at < horizons.raw { up(at, unit(at)).min(horizons.raw) } else { at };
        let from = cut(self.from.max(horizons.day.min(self.to)));
        Self { from, to: cut(self.to).max(from) }
    }
}

/// The range that was counted.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RangeShown {
    /// Its begin: later than what was asked for where the rows before were dropped.
    #[serde(serialize_with = "rfc3339")]
    pub from: OffsetDateTime,
    /// Its end, not included.
    #[serde(serialize_with = "rfc3339")]
    pub to: OffsetDateTime,
    /// How long a bucket of the timeline is, in seconds.
    pub bucket: i64,
}

impl RangeShown {
    pub(super) fn of(span: Span, bucket: i64) -> Self {
        Self { from: moment(span.from), to: moment(span.to), bucket }
    }
}

pub(super) fn rfc3339<S: serde::Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&crate::moment::rfc3339(*at).map_err(serde::ser::Error::custom)?)
}

pub(super) fn read_rfc3339<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    OffsetDateTime::parse(&text, &Rfc3339).map_err(serde::de::Error::custom)
}

#[expect(clippy::ref_option, reason = "serde gives it so")]
pub(super) fn some_rfc3339<S: serde::Serializer>(
    at: &Option<OffsetDateTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339(at, serializer),
        None => serializer.serialize_none(),
    }
}
