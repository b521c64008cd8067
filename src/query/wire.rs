//! Filters that come as JSON: one walk over the keys, so that the keys of paging are refused where they mean nothing.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::filter::{Conditions, CountFilters, Filters};

impl<'de> Deserialize<'de> for Filters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys { paging: true })
    }
}

impl<'de> Deserialize<'de> for CountFilters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let filters = deserializer.deserialize_map(Keys { paging: false })?;
        Ok(Self { conditions: filters.conditions })
    }
}

struct Keys {
    paging: bool,
}

impl<'de> Visitor<'de> for Keys {
    type Value = Filters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of filters")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Filters, A::Error> {
        let mut filters = Filters::new();
        let mut seen = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format_args!("the filter `{key}` stands twice")));
            }
            match (key.as_str(), self.paging) {
                ("order", true) => filters.order = map.next_value::<Option<_>>()?.unwrap_or_default(),
                ("limit", true) => filters.limit = map.next_value()?,
                ("offset", true) => filters.offset = map.next_value()?,
                ("order" | "limit" | "offset", false) => {
                    return Err(A::Error::custom(format_args!("`{key}` is not a filter of count")));
                }
                _ => condition(&mut filters.conditions, &key, &mut map)?,
            }
            seen.push(key);
        }
        Ok(filters)
    }
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
        "severities" => return map.next_value().map(|value| conditions.severities = value),
        "errorsOnly" => return map.next_value::<Option<_>>().map(|on| conditions.errors_only = on.unwrap_or(false)),
        "mode" => return map.next_value().map(|value| conditions.mode = value),
        "from" => return instant(map, "from").map(|at| conditions.from = at),
        "to" => return instant(map, "to").map(|at| conditions.to = at),
        _ => return Err(A::Error::custom(format_args!("there is no filter `{key}`"))),
    };
    *text = map.next_value()?;
    Ok(())
}

fn instant<'de, A: MapAccess<'de>>(map: &mut A, key: &str) -> Result<Option<OffsetDateTime>, A::Error> {
    let Some(text) = map.next_value::<Option<String>>()? else { return Ok(None) };
    OffsetDateTime::parse(&text, &Rfc3339).map(Some).map_err(|_| {
        A::Error::custom(format_args!("`{key}` must be an RFC 3339 date and time, such as 2026-01-31T09:30:00Z"))
    })
}
