//! Reading an object, and nothing else, without quoting what stands there instead: it may be secret.
//!
//! serde's derived form would also take an array, by position, and its errors quote text that stands where a map was
//! asked for. Asked for anything, a format leaves the refusal to the visitor here.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

/// What is read from an object.
pub(crate) trait Object<'de>: Sized {
    /// What is said of everything that is no object.
    const RULE: &'static str;

    /// Reads the members.
    fn read<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error>;
}

/// Reads an object, or refuses by its rule.
pub(crate) fn read<'de, T: Object<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Only(PhantomData))
}

/// Reads a value whose text must not show in an error; the format still says where it stands.
pub(crate) fn quietly<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(deserializer).map_err(|_| D::Error::custom("a value of the wrong type, or out of range"))
}

struct Only<T>(PhantomData<T>);

/// An error names the key that is not known. Keys come from outside, of any length and with line breaks; a log line
/// should have neither.
fn bearable<E: Error>(error: E) -> E {
    const LONGEST: usize = 1_000;
    let text = error.to_string();
    let long = text.char_indices().nth(LONGEST);
    if long.is_none() && !text.contains(char::is_control) {
        return error;
    }
    let kept = long.map_or(&*text, |(end, _)| &text[..end]);
    let plain = |letter: char| if letter.is_control() { letter.escape_default().to_string() } else { letter.into() };
    let shown: String = kept.chars().map(plain).collect();
    E::custom(format_args!("{shown}{}", if long.is_some() { "…" } else { "" }))
}

impl<'de, T: Object<'de>> Only<T> {
    fn refuse<E: Error>() -> Result<T, E> {
        Err(E::custom(T::RULE))
    }
}

impl<'de, T: Object<'de>> Visitor<'de> for Only<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::RULE)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::read(map).map_err(bearable)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        Self::refuse()
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<T, E> {
        Self::refuse()
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<T, E> {
        Self::refuse()
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<T, E> {
        Self::refuse()
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Self::refuse()
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
        Self::refuse()
    }
    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Self::refuse()
    }
}
