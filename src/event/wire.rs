//! Events that come as JSON text. Every field is taken as raw text first, for two reasons: numbers stay as they are
//! spelled, and no error quotes a value, as serde's own would.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Actor, DiffEvent, Event, Head, Target};
use crate::{error::ValidationError, payload::Payload};

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
            object::<EventWire, D>(deserializer)?;
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
        } = object::<DiffEventWire, D>(deserializer)?;
        let parts = Parts { event, id, actor, target, correlation_id, request_id, occurred_at, mode };
        let head = parts.head().map_err(D::Error::custom)?;
        Ok(Self { head, before: boxed(Some(before)), after: boxed(Some(after)), meta: boxed(meta) })
    }
}

/// Reads a structure from an object and from nothing else: serde's derive would take an array too, and its error would
/// quote what is neither.
fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Object(PhantomData))
}

struct Object<T>(PhantomData<T>);

fn not_an_object<T, E: serde::de::Error>() -> Result<T, E> {
    Err(E::custom("an event must be a JSON object"))
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        not_an_object()
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<T, E> {
        not_an_object()
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<T, E> {
        not_an_object()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<T, E> {
        not_an_object()
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<T, E> {
        not_an_object()
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<T, E> {
        not_an_object()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<T, E> {
        not_an_object()
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
        let actor = self.actor.map(|raw| party("actor", &raw)).transpose()?;
        let target = self.target.map(|raw| party("target", &raw)).transpose()?;
        Ok(Head {
            id: typed("id", self.id, "must be a UUID in text")?,
            event: text("event", &self.event)?.into(),
            actor: actor.map(|(id, kind)| Actor::new(id, kind)),
            target: target.map(|(id, kind)| Target::new(id, kind)),
            correlation_id: self.correlation_id.map(|raw| text("correlationId", &raw)).transpose()?.map(Into::into),
            request_id: self.request_id.map(|raw| text("requestId", &raw)).transpose()?.map(Into::into),
            occurred_at: self.occurred_at.map(|raw| instant("occurredAt", &raw)).transpose()?,
            mode: typed("mode", self.mode, "must be \"sync\" or \"async\"")?,
        })
    }
}

fn party(path: &str, raw: &RawValue) -> Result<(String, String), ValidationError> {
    let refused =
        || ValidationError::new(path, "must be an object of exactly two members, `id` and `type`, both of them text");
    if !raw.get().trim_start().starts_with('{') {
        // serde's derive would take an array for it.
        return Err(refused());
    }
    let party: PartyWire = serde_json::from_str(raw.get()).map_err(|_| refused())?;
    Ok((text(&format!("{path}.id"), &party.id)?, text(&format!("{path}.type"), &party.r#type)?))
}

fn text(path: &str, raw: &RawValue) -> Result<String, ValidationError> {
    serde_json::from_str(raw.get()).map_err(|_| ValidationError::new(path, "must be text"))
}

fn instant(path: &str, raw: &RawValue) -> Result<OffsetDateTime, ValidationError> {
    OffsetDateTime::parse(&text(path, raw)?, &Rfc3339)
        .map_err(|_| ValidationError::new(path, "must be an RFC 3339 date and time, such as 2026-01-31T09:30:00Z"))
}

fn typed<T: for<'de> Deserialize<'de>>(path: &str, raw: Raw, rule: &'static str) -> Result<Option<T>, ValidationError> {
    raw.map(|raw| serde_json::from_str(raw.get()).map_err(|_| ValidationError::new(path, rule))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_is_an_event_and_nothing_else_is_quoted() {
        let array = r#"["hunter2",null,null,null,null,null,null,null,null,null]"#;
        for text in [r#""hunter2""#, "271828", "-271828", "2.71828", "true", "null", "[271828]", array] {
            let errors = [
                serde_json::from_str::<Event<'_>>(text).unwrap_err(),
                serde_json::from_str::<DiffEvent<'_>>(text).unwrap_err(),
            ];
            for error in errors {
                assert!(error.to_string().starts_with("an event must be a JSON object"), "{text}: {error}");
            }
        }
        let error = serde_json::from_str::<Event<'_>>(r#"{ "event": "a", "actor": ["u", "user"] }"#).unwrap_err();
        assert!(error.to_string().starts_with("`actor` must be an object"), "{error}");
    }
}
