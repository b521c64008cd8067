//! Pages by key: each begins where the last one ended, however many records came in between.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    filter::{Filters, Order},
    row::AuditRecord,
};
use crate::{
    error::{Error, ValidationError},
    table::TableName,
};

/// Some records, and where the next ones begin.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Page {
    /// In the order of the filters, at most their limit.
    pub records: Vec<AuditRecord>,
    /// To be given with the same filters for the next page; `None`: this is the last.
    pub next: Option<Cursor>,
}

/// The place in the order at which a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) occurred_at: OffsetDateTime,
    pub(super) id: Uuid,
}

/// Where a page ended, for the next one: as text in a URL, or as it is.
///
/// It is bound to the table and to the filters but for the limit: with others it is refused, rather than answered
/// with records that belong to another question. The text is `1.MICROSECONDS.ID.DIGEST`: the format's version, the
/// last record's `occurred_at` since 1970, its id in hex, and a digest of table, order and conditions. It holds nothing
/// secret, and is not signed: who can change it can only ask for another place in the same list.
///
/// ```
/// # use tracevault::query::{Cursor, Filters, Query};
/// # async fn show(query: &Query, from_url: &str) -> Result<(), tracevault::Error> {
/// let cursor: Cursor = from_url.parse()?;
/// let page = query.page(Filters::new().limit(50), Some(&cursor)).await?;
/// let for_url = page.next.map(|cursor| cursor.to_string());
/// # let _ = for_url;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    position: Position,
    digest: u128,
}

const FORMAT: &str = "1";

impl Cursor {
    pub(super) fn behind(record: &AuditRecord, table: &TableName, filters: &Filters) -> Self {
        let position = Position { occurred_at: record.occurred_at, id: record.id };
        Self { position, digest: digest(table, filters) }
    }

    /// Where it points, if it belongs to this question.
    pub(super) fn position(&self, table: &TableName, filters: &Filters) -> Result<Position, ValidationError> {
        if self.digest == digest(table, filters) {
            return Ok(self.position);
        }
        Err(ValidationError::new("cursor", "belongs to other filters or to another table: start again without it"))
    }
}

/// The same on every platform and in every version, since cursors outlive processes.
fn digest(table: &TableName, filters: &Filters) -> u128 {
    let mut text = format!("{table}\n{:?}\n", filters.order == Order::Desc);
    let conditions = &filters.conditions;
    // Lengths keep "a" and "b" from reading as "ab"; writing to a String cannot fail.
    let mut part = |name: &str, value: &str| {
        let _ = writeln!(text, "{name} {} {value}", value.len());
    };
    for (column, value) in conditions.texts() {
        if let Some(value) = value {
            part(column, value);
        }
    }
    if let Some(severities) = &conditions.severities {
        part("severities", &severities.len().to_string());
        for severity in severities {
            part("severity", severity);
        }
    }
    part("errors_only", if conditions.errors_only { "1" } else { "0" });
    for (name, at) in [("from", conditions.from), ("to", conditions.to)] {
        part(name, &at.map(|at| at.unix_timestamp_nanos().to_string()).unwrap_or_default());
    }
    Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).as_u128()
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.position.occurred_at.unix_timestamp_nanos() / 1_000;
        write!(f, "{FORMAT}.{micros}.{}.{:032x}", self.position.id.simple(), self.digest)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    /// # Errors
    /// `Validation` when the text is not a cursor.
    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| ValidationError::new("cursor", "is not a cursor that a page gave").into())
    }
}

fn parse(text: &str) -> Option<Cursor> {
    let mut parts = text.split('.');
    let (format, micros, id, digest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if format != FORMAT || parts.next().is_some() || !hex(id) || !hex(digest) {
        return None;
    }
    let occurred_at = OffsetDateTime::UNIX_EPOCH.checked_add(Duration::microseconds(micros.parse().ok()?))?;
    let id = Uuid::from_u128(u128::from_str_radix(id, 16).ok()?);
    let digest = u128::from_str_radix(digest, 16).ok()?;
    Some(Cursor { position: Position { occurred_at, id }, digest })
}
