//! A record: an event that was checked, masked and completed. Its only constructor is here, and storage accepts
//! nothing else.
//!
//! A record is kept as the row it becomes, a [`Tuple`]: so an event costs one allocation for all of its text, and storing
//! it costs no further encoding.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    config::Settings,
    correlation,
    error::ValidationError,
    event::{Event, Mode},
    moment::Moment,
    payload::{Rules, is_plain},
    tuple::Tuple,
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

/// What a record takes beside the bytes of its data, meta and texts, at most.
pub(crate) const WEIGHT_BESIDE: usize = size_of::<Record>() + 256;

/// An event on its way to the table: checked, masked, and complete but for `created_at`.
///
/// Given to [`on_error`](crate::Config::on_error), and by the test recorder. `Serialize` writes it with the keys of an
/// event read from JSON, and `environment`. `Debug` shows no payload.
#[derive(Clone)]
#[doc(alias = "PersistedRecord")]
pub struct Record {
    tuple: Tuple,
    id: Uuid,
    occurred_at: Moment,
    mode: Mode,
    own_id: bool,
}

impl Record {
    /// Checks, masks and completes an event. `mode` overrides the event's and the scope's.
    pub(crate) fn of(event: &Event<'_>, mode: Option<Mode>, settings: &Settings) -> Result<Self, ValidationError> {
        let Event { head, data, meta } = event;
        let (id, occurred_at) = match (head.id.or(head.minted), head.occurred_at) {
            (Some(id), Some(at)) => (id, Moment::of(at)),
            (said, at) => {
                let (id, now) = settings.stamp();
                (said.unwrap_or(id), at.map_or(now, Moment::of))
            }
        };
        let occurred_at = occurred_at.map_err(|reason| ValidationError::new("occurredAt", reason))?;
        let mode = mode.or(head.mode).unwrap_or(settings.default_mode);
        let mut tuple = Tuple::new();
        tuple.bytes(id.as_bytes());
        tuple.text(event_name(&head.event)?);
        let actor = head.actor.as_ref().map(|actor| (&*actor.id, &*actor.kind));
        party(&mut tuple, actor, ["actor.id", "actor.type"])?;
        let target = head.target.as_ref().map(|target| (&*target.id, &*target.kind));
        party(&mut tuple, target, ["target.id", "target.type"])?;
        let rules = Rules { mask: &settings.mask, limit: settings.max_payload_bytes };
        tuple.json("data", data.as_deref(), rules)?;
        tuple.json("meta", meta.as_deref(), rules)?;
        tuple.text(mode.as_str());
        tuple.bytes(&occurred_at.microseconds().to_be_bytes());
        tuple.optional(optional_id("correlationId", head.correlation_id.as_deref())?);
        tuple.optional(optional_id("requestId", head.request_id.as_deref())?);
        tuple.optional(head.environment.as_deref().or(settings.environment.as_deref()));
        Ok(Self::from_parts(tuple, id, occurred_at, mode, head.id.is_some()))
    }

    /// A record of a row that was checked before, which these are parts of.
    pub(crate) fn from_parts(tuple: Tuple, id: Uuid, occurred_at: Moment, mode: Mode, own_id: bool) -> Self {
        Self { tuple, id, occurred_at, mode, own_id }
    }

    /// The primary key.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What happened.
    pub fn event(&self) -> &str {
        self.tuple.text_of(1).unwrap_or_default()
    }

    /// Who did it: the id.
    pub fn actor_id(&self) -> Option<&str> {
        self.tuple.text_of(2)
    }

    /// Who did it: the type.
    pub fn actor_type(&self) -> Option<&str> {
        self.tuple.text_of(3)
    }

    /// To what: the id.
    pub fn target_id(&self) -> Option<&str> {
        self.tuple.text_of(4)
    }

    /// To what: the type.
    pub fn target_type(&self) -> Option<&str> {
        self.tuple.text_of(5)
    }

    /// The payload as JSON text, masked.
    pub fn data(&self) -> Option<&str> {
        self.tuple.json_of(6)
    }

    /// The circumstances as JSON text, masked.
    pub fn meta(&self) -> Option<&str> {
        self.tuple.json_of(7)
    }

    /// Whether the emit waits for the commit.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// When it happened, to the microsecond, in UTC.
    pub fn occurred_at(&self) -> OffsetDateTime {
        self.occurred_at.to_utc()
    }

    /// What ties it to others.
    pub fn correlation_id(&self) -> Option<&str> {
        self.tuple.text_of(10)
    }

    /// The request that caused it.
    pub fn request_id(&self) -> Option<&str> {
        self.tuple.text_of(11)
    }

    /// The scope's environment.
    pub fn environment(&self) -> Option<&str> {
        self.tuple.text_of(12)
    }

    /// Whether the caller chose the id, so that it may be in the table already.
    pub(crate) fn own_id(&self) -> bool {
        self.own_id
    }

    /// The row in the form of binary COPY.
    pub(crate) fn tuple(&self) -> &[u8] {
        self.tuple.as_bytes()
    }

    /// The same under another id.
    pub(crate) fn with_id(&self, id: Uuid) -> Self {
        let mut record = self.clone();
        record.tuple.set_first(id.as_bytes());
        record.id = id;
        record
    }

    /// The same in as little memory as it can.
    pub(crate) fn fitted(mut self) -> Self {
        self.tuple.shrink_to_fit();
        self
    }

    /// What it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        self.tuple.capacity() + size_of::<Self>()
    }

    /// The bytes of a field in PostgreSQL's binary form; `None` is NULL.
    pub(crate) fn field(&self, index: usize) -> Option<&[u8]> {
        self.tuple.field(index)
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
        let at = crate::moment::rfc3339(self.occurred_at());
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

/// An actor or a target: both of its parts, or neither.
fn party(tuple: &mut Tuple, party: Option<(&str, &str)>, paths: [&'static str; 2]) -> Result<(), ValidationError> {
    if let Some((id, kind)) = party {
        for (path, text) in [(paths[0], id), (paths[1], kind)] {
            check_text(path, text, correlation::LONGEST)?;
            check_not_blank(path, text)?;
        }
    }
    tuple.optional(party.map(|(id, _)| id));
    tuple.optional(party.map(|(_, kind)| kind));
    Ok(())
}

fn event_name(name: &str) -> Result<&str, ValidationError> {
    check_text("event", name, 255)?;
    check_not_blank("event", name)?;
    if !is_plain(name.as_bytes()) && name.contains(['\n', '\r', '\t']) {
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
    if text.chars().all(char::is_whitespace) {
        return Err(ValidationError::new(path, "must not be blank"));
    }
    Ok(())
}

pub(crate) fn check_text(path: &'static str, text: &str, most: usize) -> Result<(), ValidationError> {
    if text.len() > most && text.chars().nth(most).is_some() {
        return Err(ValidationError::new(path, format!("must be at most {most} characters long")));
    }
    if !is_plain(text.as_bytes()) && text.contains('\0') {
        return Err(ValidationError::new(path, "contains NUL (U+0000), which PostgreSQL cannot store"));
    }
    Ok(())
}
