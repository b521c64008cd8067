//! A stored record.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    error::{Error, Task},
    table::TableName,
};

/// A row of an audit table.
///
/// `Serialize` writes it with camelCase keys, times in RFC 3339, and JSON columns exactly as stored. `Debug` shows no
/// payload.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AuditRecord {
    /// The primary key.
    pub id: Uuid,
    /// What happened.
    pub event: String,
    /// Who did it: the id.
    pub actor_id: Option<String>,
    /// Who did it: the type.
    pub actor_type: Option<String>,
    /// To what: the id.
    pub target_id: Option<String>,
    /// To what: the type.
    pub target_type: Option<String>,
    /// The payload.
    pub data: Option<Json>,
    /// The circumstances.
    pub meta: Option<Json>,
    /// `sync` or `async`.
    pub mode: String,
    /// When it happened, to the microsecond, in UTC.
    #[serde(serialize_with = "rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// When the database stored it.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: OffsetDateTime,
    /// What ties it to others.
    pub correlation_id: Option<String>,
    /// The request that caused it.
    pub request_id: Option<String>,
    /// Where it happened.
    pub environment: Option<String>,
    /// `data.outcome`.
    pub outcome: Option<String>,
    /// `data.error.code`.
    pub error_code: Option<String>,
    /// `data.severity`.
    pub severity: Option<String>,
}

impl fmt::Debug for AuditRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditRecord")
            .field("id", &self.id)
            .field("event", &self.event)
            .field("occurred_at", &self.occurred_at)
            .finish_non_exhaustive()
    }
}

/// JSON as PostgreSQL keeps it, to the letter: `1.10` stays `1.10`, and 9007199254740993 itself.
///
/// ```
/// # fn show(json: &tracevault::query::Json) -> Result<(), serde_json::Error> {
/// #[derive(serde::Deserialize)]
/// struct Change { price: u32 }
///
/// let text: &str = json.as_str();
/// let change: Change = json.parse()?;
/// # let _ = (text, change.price);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads it into a type of yours.
    ///
    /// # Errors
    /// serde's, when the type does not fit.
    pub fn parse<'de, T: Deserialize<'de>>(&'de self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// Reads it into a tree. Decimal numbers become doubles there, with what that costs in digits; the text is exact.
    ///
    /// # Errors
    /// serde's, when a number is beyond a double, or the nesting deeper than 128: neither is ever stored by this crate.
    pub fn to_value(&self) -> Result<serde_json::Value, serde_json::Error> {
        self.parse()
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

fn rfc3339<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&crate::moment::rfc3339(*at).map_err(serde::ser::Error::custom)?)
}

pub(super) fn records(table: &TableName, rows: &[Row]) -> Result<Vec<AuditRecord>, Error> {
    rows.iter().map(record).collect::<Result<_, _>>().map_err(|error| Task::Read(table).unreadable(error))
}

pub(super) fn total(table: &TableName, rows: &[Row]) -> Result<u64, Error> {
    let total = rows.first().map_or(Ok(0), |row| row.try_get::<_, i64>(0));
    total.map(i64::unsigned_abs).map_err(|error| Task::Read(table).unreadable(error))
}

/// By position: the order is that of the statement, in `sql`.
fn record(row: &Row) -> Result<AuditRecord, tokio_postgres::Error> {
    Ok(AuditRecord {
        id: row.try_get(0)?,
        event: row.try_get(1)?,
        actor_id: row.try_get(2)?,
        actor_type: row.try_get(3)?,
        target_id: row.try_get(4)?,
        target_type: row.try_get(5)?,
        data: row.try_get::<_, Option<String>>(6)?.map(Json),
        meta: row.try_get::<_, Option<String>>(7)?.map(Json),
        mode: row.try_get(8)?,
        occurred_at: row.try_get(9)?,
        created_at: row.try_get(10)?,
        correlation_id: row.try_get(11)?,
        request_id: row.try_get(12)?,
        environment: row.try_get(13)?,
        outcome: row.try_get(14)?,
        error_code: row.try_get(15)?,
        severity: row.try_get(16)?,
    })
}
