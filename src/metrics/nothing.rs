//! The face of `meters`, without the feature: nothing is counted, and nothing is computed for it.

use super::Numbers;
#[cfg(feature = "spool")]
use super::SpoolNumbers;
use crate::table::TableName;

pub(crate) struct Meters;

/// An attempt that has begun.
pub(crate) struct Attempt;

impl Attempt {
    pub(crate) fn begin() -> Self {
        Self
    }
}

#[expect(clippy::unused_self, reason = "the face of `meters`")]
impl Meters {
    pub(crate) fn new(_: &TableName) -> Self {
        Self
    }

    pub(crate) fn update(&self, _: impl FnOnce() -> Numbers) {}

    pub(crate) fn attempted(&self, _: Attempt, _: usize, _: bool) {}
}

#[cfg(feature = "spool")]
pub(crate) struct SpoolMeters;

#[cfg(feature = "spool")]
#[expect(clippy::unused_self, reason = "the face of `spool`")]
impl SpoolMeters {
    pub(crate) const LISTENS: bool = false;

    pub(crate) fn new(_: &TableName) -> Self {
        Self
    }

    pub(crate) fn set(&self, _: SpoolNumbers) {}
}
