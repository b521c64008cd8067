//! Where a page ended, as the URL has it.

use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::{dashboard::problem::Problem, query::Cursor};

/// A cursor, and for a range that ends now the moment at which it began on the first page: all pages of a list begin at
/// that one. As text, `CURSOR` or `CURSOR~MICROSECONDS`.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) cursor: Cursor,
    pub(super) since: Option<OffsetDateTime>,
}

impl Place {
    pub(super) fn read(text: &str) -> Result<Self, Problem> {
        let wrong = || Problem::parameter("cursor", "is not a cursor that a page gave");
        let (cursor, since) = match text.split_once('~') {
            Some((cursor, micros)) => (cursor, Some(moment(micros).ok_or_else(wrong)?)),
            None => (text, None),
        };
        Ok(Self { cursor: cursor.parse().map_err(|_| wrong())?, since })
    }
}

fn moment(micros: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::UNIX_EPOCH.checked_add(Duration::microseconds(micros.parse().ok()?))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.since {
            Some(since) => write!(f, "{}~{}", self.cursor, since.unix_timestamp_nanos() / 1_000),
            None => self.cursor.fmt(f),
        }
    }
}
