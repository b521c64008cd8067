//! Filters that come as JSON: one walk over the keys, so that the keys of paging are refused where they mean nothing.

use serde::{
    Deserialize, Deserializer,
    de::{Error, IntoDeserializer, MapAccess},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::filter::{Conditions, CountFilters, Filters};
use crate::object::{self, Object};

impl<'de> Object<'de> for Filters {
    const RULE: &'static str = "filters must be an object";

    fn read<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
        keys(members, true)
    }
}

impl<'de> Deserialize<'de> for Filters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object::read(deserializer)
    }
}

impl<'de> Object<'de> for CountFilters {
    const RULE: &'static str = Filters::RULE;

    fn read<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
        Ok(Self { conditions: keys(members, false)?.conditions })
    }
}

impl<'de> Deserialize<'de> for CountFilters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object::read(deserializer)
    }
}

fn keys<'de, A: MapAccess<'de>>(mut map: A, paging: bool) -> Result<Filters, A::Error> {
    let mut filters = Filters::new();
    let mut seen = Vec::new();
    while let Some(key) = map.next_key::<String>()? {
        if seen.contains(&key) {
            return Err(A::Error::custom(format_args!("the filter `{key}` stands twice")));
        }
        match (key.as_str(), paging) {
            ("order", true) => filters.order = choice(&mut map, &key)?.unwrap_or_default(),
            ("limit", true) => filters.limit = value(&mut map, &key)?,
            ("offset", true) => filters.offset = value(&mut map, &key)?,
            ("order" | "limit" | "offset", false) => {
                return Err(A::Error::custom(format_args!("`{key}` is not a filter of count")));
            }
            _ => condition(&mut filters.conditions, &key, &mut map)?,
        }
        seen.push(key);
    }
    Ok(filters)
}

/// A filter's value may be personal: an error names the key only.
fn value<'de, T: Deserialize<'de>, A: MapAccess<'de>>(map: &mut A, key: &str) -> Result<T, A::Error> {
    map.next_value().map_err(|_| unfit(key))
}

/// One of several names. Asked for the enum itself, serde would also take an object whose only key is the name.
fn choice<'de, T: Deserialize<'de>, A: MapAccess<'de>>(map: &mut A, key: &str) -> Result<Option<T>, A::Error> {
    let name: Option<String> = value(map, key)?;
    name.map(|name| T::deserialize(name.into_deserializer()).map_err(|_: A::Error| unfit(key))).transpose()
}

fn unfit<E: Error>(key: &str) -> E {
    E::custom(format_args!("the filter `{key}` has a value that it cannot have"))
}

fn condition<'de, A: MapAccess<'de>>(conditions: &mut Conditions, key: &str, map: &mut A) -> Result<(), A::Error> {
    let text = match key {
        "event" => &mut conditions.event,
        "actorId" => &mut conditions.actor_id,
        "actorType" => &mut conditions.actor_type,
        "targetId" => &mut conditions.target_id,
        "targetType" => &mut conditions.target_type,
        "correlationId" => &mut conditions.correlation_id,
        "requestId" => &mut conditions.request_id,
        "environment" => &mut conditions.environment,
        "outcome" => &mut conditions.outcome,
        "errorCode" => &mut conditions.error_code,
        "severity" => &mut conditions.severity,
        "severities" => return value(map, key).map(|value| conditions.severities = value),
        "errorsOnly" => return value::<Option<_>, _>(map, key).map(|on| conditions.errors_only = on.unwrap_or(false)),
        "mode" => return choice(map, key).map(|mode| conditions.mode = mode),
        "from" => return instant(map, "from").map(|at| conditions.from = at),
        "to" => return instant(map, "to").map(|at| conditions.to = at),
        _ => return Err(A::Error::custom(format_args!("there is no filter `{key}`"))),
    };
    *text = value(map, key)?;
    Ok(())
}

fn instant<'de, A: MapAccess<'de>>(map: &mut A, key: &str) -> Result<Option<OffsetDateTime>, A::Error> {
    let Some(text) = value::<Option<String>, _>(map, key)? else { return Ok(None) };
    OffsetDateTime::parse(&text, &Rfc3339).map(Some).map_err(|_| {
        A::Error::custom(format_args!("`{key}` must be an RFC 3339 date and time, such as 2026-01-31T09:30:00Z"))
    })
}
