//! Events that come as JSON text. Every field is taken as raw text first, for two reasons: numbers stay as they are
//! spelled, and no error quotes a value, as serde's own would.

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::{
    DiffEvent, Event,
    head::{Head, Party},
};
use crate::{
    error::ValidationError,
    object::{self, Object},
    payload::Payload,
};

type Raw = Option<Box<RawValue>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", rename = "Event")]
struct EventWire {
    event: Box<RawValue>,
    id: Raw,
    actor: Raw,
    target: Raw,
    data: Raw,
    meta: Raw,
    correlation_id: Raw,
    request_id: Raw,
    occurred_at: Raw,
    mode: Raw,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", rename = "DiffEvent")]
struct DiffEventWire {
    event: Box<RawValue>,
    before: Box<RawValue>,
    after: Box<RawValue>,
    id: Raw,
    actor: Raw,
    target: Raw,
    meta: Raw,
    correlation_id: Raw,
    request_id: Raw,
    occurred_at: Raw,
    mode: Raw,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartyWire {
    id: Box<RawValue>,
    r#type: Box<RawValue>,
}

impl<'de> Deserialize<'de> for Event<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let EventWire { event, id, actor, target, data, meta, correlation_id, request_id, occurred_at, mode } =
            object::read(deserializer)?;
        let parts = Parts { event, id, actor, target, correlation_id, request_id, occurred_at, mode };
        Ok(Self { head: parts.head().map_err(D::Error::custom)?, data: boxed(data), meta: boxed(meta) })
    }
}

impl<'de> Deserialize<'de> for DiffEvent<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let DiffEventWire {
            event,
            before,
            after,
            id,
            actor,
            target,
            meta,
            correlation_id,
            request_id,
            occurred_at,
            mode,
        } = object::read(deserializer)?;
        let parts = Parts { event, id, actor, target, correlation_id, request_id, occurred_at, mode };
        let head = parts.head().map_err(D::Error::custom)?;
        Ok(Self { head, before: boxed(Some(before)), after: boxed(Some(after)), meta: boxed(meta) })
    }
}

impl<'de> Object<'de> for EventWire {
    const RULE: &'static str = "an event must be a JSON object";

    fn read<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(members))
    }
}

impl<'de> Object<'de> for DiffEventWire {
    const RULE: &'static str = EventWire::RULE;

    fn read<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(members))
    }
}

impl<'de> Object<'de> for PartyWire {
    const RULE: &'static str = "must be an object of exactly two members, `id` and `type`, both of them text";

    fn read<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(members))
    }
}

/// A raw value serialises as itself, and so is a payload like any other.
fn boxed<'a>(raw: Raw) -> Option<Box<dyn Payload + 'a>> {
    raw.map(|raw| Box::new(raw) as Box<dyn Payload>)
}

/// What both kinds of events have, still as text.
struct Parts {
    event: Box<RawValue>,
    id: Raw,
    actor: Raw,
    target: Raw,
    correlation_id: Raw,
    request_id: Raw,
    occurred_at: Raw,
    mode: Raw,
}

impl Parts {
    fn head(self) -> Result<Head<'static>, ValidationError> {
        Ok(Head {
            id: typed("id", self.id, "must be a UUID in text")?,
            event: text("event", &self.event)?.into(),
            actor: self.actor.map(|raw| party("actor", &raw)).transpose()?,
            target: self.target.map(|raw| party("target", &raw)).transpose()?,
            correlation_id: self.correlation_id.map(|raw| text("correlationId", &raw)).transpose()?.map(Into::into),
            request_id: self.request_id.map(|raw| text("requestId", &raw)).transpose()?.map(Into::into),
            occurred_at: self.occurred_at.map(|raw| instant("occurredAt", &raw)).transpose()?,
            mode: typed("mode", self.mode, "must be \"sync\" or \"async\"")?,
            ..Head::default()
        })
    }
}

fn party(path: &str, raw: &RawValue) -> Result<Party<'static>, ValidationError> {
    let party = object::read::<PartyWire, _>(&mut serde_json::Deserializer::from_str(raw.get()));
    let party = party.map_err(|_| ValidationError::new(path, PartyWire::RULE))?;
    Ok(Party {
        id: text(&format!("{path}.id"), &party.id)?.into(),
        kind: text(&format!("{path}.type"), &party.r#type)?.into(),
    })
}

fn text(path: &str, raw: &RawValue) -> Result<String, ValidationError> {
    serde_json::from_str(raw.get()).map_err(|_| ValidationError::new(path, "must be text"))
}

fn instant(path: &str, raw: &RawValue) -> Result<OffsetDateTime, ValidationError> {
    let at = OffsetDateTime::parse(&text(path, raw)?, &Rfc3339)
        .map_err(|_| ValidationError::new(path, "must be an RFC 3339 date and time, such as 2026-01-31T09:30:00Z"))?;
    // RFC 3339 begins with the year 0: an earlier one could be stored, and not be spelled again.
    let utc = at.checked_to_offset(UtcOffset::UTC).filter(|utc| utc.year() >= 0);
    utc.ok_or_else(|| ValidationError::new(path, "is out of range once it is taken to UTC"))
}

fn typed<T: for<'de> Deserialize<'de>>(path: &str, raw: Raw, rule: &'static str) -> Result<Option<T>, ValidationError> {
    // An enum's variant could also be spelled as an object.
    let read = |raw: &RawValue| serde_json::from_str(raw.get()).ok().filter(|_| raw.get().starts_with('"'));
    raw.map(|raw| read(&raw).ok_or_else(|| ValidationError::new(path, rule))).transpose()
}
