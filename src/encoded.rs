//! An event for drivers that this crate does not know: one text, and the statement that makes a row of it.

use std::fmt::{self, Write as _};

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    record::{COLUMNS, Record},
    table::TableName,
};

/// The statement that stores an [`Encoded`], its only parameter.
pub(crate) fn insert_statement(table: &TableName) -> String {
    let columns = COLUMNS.join(", ");
    format!(
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_to_record($1::text::jsonb) AS given (\
         id uuid, event text, actor_id text, actor_type text, target_id text, target_type text, data jsonb, meta jsonb, \
         mode text, occurred_at timestamptz, correlation_id text, request_id text, environment text\
         ) ON CONFLICT (id) DO NOTHING"
    )
}

/// An event, checked, masked and written out as the parameter of
/// [`Scope::insert_statement`](crate::Scope::insert_statement); made by [`Scope::encode`](crate::Scope::encode).
///
/// It is a JSON object by the names of the columns, those that are NULL left out. It has no `Display`, and `Debug`
/// shows no payload; a driver that logs its parameters would show it all.
#[derive(Clone)]
pub struct Encoded {
    id: Uuid,
    json: String,
}

impl Encoded {
    pub(crate) fn of(record: &Record) -> Self {
        let (data, meta) = (record.data(), record.meta());
        let size = data.map_or(0, str::len) + meta.map_or(0, str::len);
        let mut json = String::with_capacity(size + 512);
        // Writing to a String cannot fail.
        let _ = write!(json, r#"{{"id":"{}","mode":"{}","occurred_at":""#, record.id(), record.mode().as_str());
        timestamp(&mut json, record.occurred_at());
        json.push('"');
        let texts = [
            ("event", Some(record.event())),
            ("actor_id", record.actor_id()),
            ("actor_type", record.actor_type()),
            ("target_id", record.target_id()),
            ("target_type", record.target_type()),
            ("correlation_id", record.correlation_id()),
            ("request_id", record.request_id()),
            ("environment", record.environment()),
        ];
        for (column, text) in texts {
            if let Some(text) = text {
                let _ = write!(json, r#","{column}":{}"#, serde_json::Value::from(text));
            }
        }
        // Already JSON, and to be kept to the letter.
        for (column, payload) in [("data", data), ("meta", meta)] {
            if let Some(payload) = payload {
                let _ = write!(json, r#","{column}":{payload}"#);
            }
        }
        json.push('}');
        Self { id: record.id(), json }
    }

    /// The record's id: the event's own, else a new one.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The text to bind as the parameter.
    pub fn as_str(&self) -> &str {
        &self.json
    }

    /// The same, for a driver that takes it over.
    pub fn into_string(self) -> String {
        self.json
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded").field("id", &self.id).field("bytes", &self.json.len()).finish()
    }
}

/// A time in UTC, to the microsecond, as PostgreSQL reads it under every `DateStyle`. RFC 3339 has no years before 0.
fn timestamp(json: &mut String, at: OffsetDateTime) {
    let (year, era) = if at.year() > 0 { (at.year(), "") } else { (1 - at.year(), " BC") };
    let (month, day) = (u8::from(at.month()), at.day());
    let (hour, minute, second, microsecond) = at.to_hms_micro();
    // Writing to a String cannot fail.
    let _ = write!(json, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{microsecond:06}+00{era}");
}
