//! How settings are read from a file.

use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Deserializer, de::Error as _};

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
    Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
}

pub(super) fn patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Regex>>, D::Error> {
    let Some(patterns) = Option::<Vec<String>>::deserialize(deserializer)? else { return Ok(None) };
    patterns.iter().map(|pattern| Regex::new(pattern).map_err(D::Error::custom)).collect::<Result<_, _>>().map(Some)
}

/// Tells a key that is null from one that is not there.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
