//! The members of an object as they stand in the text, twice if they stand there twice.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

pub struct Members<'t>(pub Vec<(String, &'t str)>);

impl<'t> Members<'t> {
    /// `None`: the text is no JSON object.
    pub fn of(text: &'t str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// As above, and every key is one of these and stands there once.
    pub fn only(text: &'t str, known: &[&str]) -> Option<Self> {
        let members = Self::of(text)?;
        let mut keys: Vec<_> = members.0.iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        let plain = keys.windows(2).all(|pair| pair[0] != pair[1]) && keys.iter().all(|key| known.contains(&&***key));
        plain.then_some(members)
    }

    pub fn get(&self, name: &str) -> Option<&'t str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// `null` is as good as nothing.
    pub fn optional(&self, name: &str) -> Option<&'t str> {
        self.get(name).filter(|value| *value != "null")
    }
}

impl<'de: 't, 't> Deserialize<'de> for Members<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(All).map(Self)
    }
}

struct All;

impl<'de> Visitor<'de> for All {
    type Value = Vec<(String, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            members.push((key, value.get()));
        }
        Ok(members)
    }
}
