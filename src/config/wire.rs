//! How settings are read from a file.

use std::{collections::BTreeMap, time::Duration};

use regex::Regex;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, value::MapAccessDeserializer},
};

use super::{Config, ScopeOverrides};
use crate::object::{self, Object, quietly};

impl<'de> Object<'de> for Config {
    const RULE: &'static str = "a configuration must be an object";

    fn read<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
        // What serde derives for "another" type of this name, and so not this trait's own function again.
        Self::deserialize(MapAccessDeserializer::new(members))
    }
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object::read(deserializer)
    }
}

impl<'de> Object<'de> for ScopeOverrides {
    const RULE: &'static str = "a scope's overrides must be an object";

    fn read<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(members))
    }
}

impl<'de> Deserialize<'de> for ScopeOverrides {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object::read(deserializer)
    }
}

struct Scopes(BTreeMap<String, ScopeOverrides>);

impl<'de> Object<'de> for Scopes {
    const RULE: &'static str = "scopes must be an object";

    fn read<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
        Deserialize::deserialize(MapAccessDeserializer::new(members)).map(Self)
    }
}

pub(super) fn scopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, ScopeOverrides>, D::Error> {
    Ok(object::read::<Scopes, _>(deserializer)?.0)
}

/// Text that may be secret: what is not text is refused without being quoted.
#[derive(Clone)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)
            .map(Self)
            .map_err(|_| D::Error::custom("`driver` and connection strings must be text"))
    }
}

/// A key that a scope must not have.
#[derive(Clone, Default)]
pub(super) struct NotOverridable;

impl<'de> Deserialize<'de> for NotOverridable {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom(
            "`driver` and `connectionString` cannot be overridden: a scope shares its root's connections; make another root",
        ))
    }
}

pub(super) fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Ok(quietly::<Option<u64>, _>(deserializer)?.map(Duration::from_millis))
}

pub(super) fn patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Regex>>, D::Error> {
    let Some(patterns) = quietly::<Option<Vec<String>>, _>(deserializer)? else { return Ok(None) };
    patterns.iter().map(|pattern| Regex::new(pattern).map_err(D::Error::custom)).collect::<Result<_, _>>().map(Some)
}

/// Tells a key that is null from one that is not there.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    quietly(deserializer).map(Some)
}
