//! A record: an event that was checked, masked and completed. Its only constructor is here, and storage accepts
//! nothing else.
//!
//! A record is kept as the row it becomes: one buffer with its thirteen fields in the form of PostgreSQL's binary COPY
//! (<https://www.postgresql.org/docs/current/sql-copy.html>, "Tuples"): a 16-bit count of fields, then for each its
//! length in bytes as a 32-bit integer (-1: NULL) and the bytes. So an event costs one allocation for all of its text,
//! and storing it costs no further encoding.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::value::RawValue;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    config::Settings,
    correlation,
    error::ValidationError,
    event::{Event, Mode},
    payload::{Payload, Rules},
};

/// The columns that a record fills, in the order of its fields.
pub(crate) const COLUMNS: [&str; 13] = [
    "id",
    "event",
    "actor_id",
    "actor_type",
    "target_id",
    "target_type",
    "data",
    "meta",
    "mode",
    "occurred_at",
    "correlation_id",
    "request_id",
    "environment",
];

/// PostgreSQL counts microseconds from here.
const EPOCH: OffsetDateTime = time::macros::datetime!(2000-01-01 00:00 UTC);
/// The microseconds that a timestamp can hold: 4714-11-24 BC to 294276 AD.
const TIMESTAMPS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;
/// The byte that opens the binary form of jsonb.
const JSONB_VERSION: u8 = 1;
/// What most records fit into, so that the buffer is allocated once.
const USUAL_SIZE: usize = 1_024;

/// An event on its way to the table: checked, masked, and complete but for `created_at`.
///
/// Given to [`on_error`](crate::Config::on_error), and by the test recorder. `Serialize` writes it with the keys of an
/// event read from JSON, and `environment`. `Debug` shows no payload.
#[derive(Clone)]
#[doc(alias = "PersistedRecord")]
pub struct Record {
    tuple: Vec<u8>,
    id: Uuid,
    occurred_at: OffsetDateTime,
    mode: Mode,
    own_id: bool,
}

impl Record {
    /// Checks, masks and completes an event. `mode` overrides the event's and the scope's.
    pub(crate) fn of(event: &Event<'_>, mode: Option<Mode>, settings: &Settings) -> Result<Self, ValidationError> {
        let Event { head, data, meta } = event;
        let (id, now) = settings.stamp();
        let id = head.id.unwrap_or(id);
        let occurred_at = to_microseconds(head.occurred_at.unwrap_or(now))
            .ok_or_else(|| ValidationError::new("occurredAt", "is out of range once it is taken to UTC"))?;
        let mode = mode.or(head.mode).unwrap_or(settings.default_mode);
        let mut tuple = Tuple::new();
        tuple.bytes(id.as_bytes());
        tuple.text(event_name(&head.event)?);
        let actor = head.actor.as_ref().map(|actor| (&*actor.id, &*actor.kind));
        tuple.party(actor, ["actor.id", "actor.type"])?;
        let target = head.target.as_ref().map(|target| (&*target.id, &*target.kind));
        tuple.party(target, ["target.id", "target.type"])?;
        let rules = Rules { mask: &settings.mask, limit: settings.max_payload_bytes };
        tuple.json("data", data.as_deref(), rules)?;
        tuple.json("meta", meta.as_deref(), rules)?;
        tuple.text(mode.as_str());
        tuple.bytes(&microseconds(occurred_at)?.to_be_bytes());
        tuple.optional(optional_id("correlationId", head.correlation_id.as_deref())?);
        tuple.optional(optional_id("requestId", head.request_id.as_deref())?);
        tuple.optional(settings.environment.as_deref());
        Ok(Self { tuple: tuple.0, id, occurred_at, mode, own_id: head.id.is_some() })
    }

    /// The primary key.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What happened.
    pub fn event(&self) -> &str {
        self.text(1).unwrap_or_default()
    }

    /// Who did it: the id.
    pub fn actor_id(&self) -> Option<&str> {
        self.text(2)
    }

    /// Who did it: the type.
    pub fn actor_type(&self) -> Option<&str> {
        self.text(3)
    }

    /// To what: the id.
    pub fn target_id(&self) -> Option<&str> {
        self.text(4)
    }

    /// To what: the type.
    pub fn target_type(&self) -> Option<&str> {
        self.text(5)
    }

    /// The payload as JSON text, masked.
    pub fn data(&self) -> Option<&str> {
        self.json_text(6)
    }

    /// The circumstances as JSON text, masked.
    pub fn meta(&self) -> Option<&str> {
        self.json_text(7)
    }

    /// Whether the emit waits for the commit.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// When it happened, to the microsecond, in UTC.
    pub fn occurred_at(&self) -> OffsetDateTime {
        self.occurred_at
    }

    /// What ties it to others.
    pub fn correlation_id(&self) -> Option<&str> {
        self.text(10)
    }

    /// The request that caused it.
    pub fn request_id(&self) -> Option<&str> {
        self.text(11)
    }

    /// The scope's environment.
    pub fn environment(&self) -> Option<&str> {
        self.text(12)
    }

    /// Whether the caller chose the id, so that it may be in the table already.
    pub(crate) fn own_id(&self) -> bool {
        self.own_id
    }

    /// What it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        self.tuple.capacity() + size_of::<Self>()
    }

    fn json_text(&self, index: usize) -> Option<&str> {
        self.text(index)?.get(1..)
    }

    fn text(&self, index: usize) -> Option<&str> {
        // The buffer was made of `str`s by the constructor.
        self.field(index).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The bytes of a field in PostgreSQL's binary form; `None` is NULL.
    pub(crate) fn field(&self, index: usize) -> Option<&[u8]> {
        let mut rest = self.tuple.get(2..)?;
        let mut left = index;
        loop {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = i32::from_be_bytes(*length);
            let field = usize::try_from(length).ok().and_then(|length| after.get(..length));
            if left == 0 {
                return field;
            }
            left -= 1;
            rest = &after[field.map_or(0, <[u8]>::len)..];
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("id", &self.id)
            .field("event", &self.event())
            .field("bytes", &self.tuple.len())
            .finish_non_exhaustive()
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Party<'p> {
            id: &'p str,
            r#type: &'p str,
        }
        let party = |id, kind| match (id, kind) {
            (Some(id), Some(r#type)) => Some(Party { id, r#type }),
            _ => None,
        };
        let raw = |text: Option<&str>| {
            text.map(|text| RawValue::from_string(text.to_owned())).transpose().map_err(serde::ser::Error::custom)
        };
        let at = self.occurred_at.format(&time::format_description::well_known::Rfc3339);
        let mut out = serializer.serialize_struct("Record", 11)?;
        out.serialize_field("id", &self.id)?;
        out.serialize_field("event", self.event())?;
        out.serialize_field("actor", &party(self.actor_id(), self.actor_type()))?;
        out.serialize_field("target", &party(self.target_id(), self.target_type()))?;
        out.serialize_field("data", &raw(self.data())?)?;
        out.serialize_field("meta", &raw(self.meta())?)?;
        out.serialize_field("mode", &self.mode)?;
        out.serialize_field("occurredAt", &at.map_err(serde::ser::Error::custom)?)?;
        out.serialize_field("correlationId", &self.correlation_id())?;
        out.serialize_field("requestId", &self.request_id())?;
        out.serialize_field("environment", &self.environment())?;
        out.end()
    }
}

/// The buffer while it is being filled.
struct Tuple(Vec<u8>);

impl Tuple {
    fn new() -> Self {
        let mut buffer = Vec::with_capacity(USUAL_SIZE);
        buffer.extend_from_slice(&[0, 13]);
        Self(buffer)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        // Fields are bounded far below 2 GiB by the limits that were checked.
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.0.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }

    fn party(&mut self, party: Option<(&str, &str)>, paths: [&'static str; 2]) -> Result<(), ValidationError> {
        if let Some((id, kind)) = party {
            for (path, text) in [(paths[0], id), (paths[1], kind)] {
                check_text(path, text, correlation::LONGEST)?;
                check_not_blank(path, text)?;
            }
        }
        self.optional(party.map(|(id, _)| id));
        self.optional(party.map(|(_, kind)| kind));
        Ok(())
    }

    fn json(
        &mut self,
        column: &'static str,
        payload: Option<&dyn Payload>,
        rules: Rules<'_>,
    ) -> Result<(), ValidationError> {
        let Some(payload) = payload else {
            self.optional(None);
            return Ok(());
        };
        let length_at = self.0.len();
        self.0.extend_from_slice(&[0, 0, 0, 0, JSONB_VERSION]);
        payload.write(&mut self.0, rules).map_err(|fault| fault.in_column(column))?;
        let length = i32::try_from(self.0.len() - length_at - 4).unwrap_or(i32::MAX);
        self.0[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

fn event_name(name: &str) -> Result<&str, ValidationError> {
    check_text("event", name, 255)?;
    check_not_blank("event", name)?;
    if name.contains(['\n', '\r', '\t']) {
        return Err(ValidationError::new("event", "must not contain line breaks or tabs"));
    }
    Ok(name)
}

fn optional_id<'t>(path: &'static str, id: Option<&'t str>) -> Result<Option<&'t str>, ValidationError> {
    if let Some(id) = id {
        check_text(path, id, correlation::LONGEST)?;
        if id.is_empty() {
            return Err(ValidationError::new(path, "must not be empty"));
        }
    }
    Ok(id)
}

fn check_not_blank(path: &'static str, text: &str) -> Result<(), ValidationError> {
    if text.trim().is_empty() {
        return Err(ValidationError::new(path, "must not be blank"));
    }
    Ok(())
}

pub(crate) fn check_text(path: &'static str, text: &str, most: usize) -> Result<(), ValidationError> {
    if text.len() > most && text.chars().nth(most).is_some() {
        return Err(ValidationError::new(path, format!("must be at most {most} characters long")));
    }
    if text.contains('\0') {
        return Err(ValidationError::new(path, "contains NUL (U+0000), which PostgreSQL cannot store"));
    }
    Ok(())
}

/// PostgreSQL keeps microseconds; what is finer is cut, never rounded up into the future.
pub(crate) fn to_microseconds(at: OffsetDateTime) -> Option<OffsetDateTime> {
    let utc = at.checked_to_offset(time::UtcOffset::UTC)?;
    utc.checked_sub(Duration::nanoseconds(i64::from(utc.nanosecond() % 1_000)))
}

fn microseconds(at: OffsetDateTime) -> Result<i64, ValidationError> {
    i64::try_from((at - EPOCH).whole_microseconds())
        .ok()
        .filter(|since_epoch| TIMESTAMPS.contains(since_epoch))
        .ok_or_else(|| ValidationError::new("occurredAt", "is out of PostgreSQL's range"))
}
