//! JSON as a tree that forgets nothing: numbers as spelled, members in their order and as often as they stand there.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::{
    door::{LIMIT, MASK, MASKED},
    members::Members,
    number,
};

/// The deepest nesting; the outermost array or object counts as one.
const DEEPEST: usize = 64;

#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

pub fn hides(key: &str) -> bool {
    MASKED.iter().any(|field| field.to_lowercase() == key.to_lowercase())
}

/// What the pattern `sk_[0-9]+` does to text.
fn cover(text: &str) -> String {
    let mut covered = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("sk_") {
        let digits = rest[at + 3..].bytes().take_while(u8::is_ascii_digit).count();
        covered.push_str(&rest[..at]);
        covered.push_str(if digits > 0 { MASK } else { "sk_" });
        rest = &rest[at + 3 + digits..];
    }
    covered + rest
}

impl Tree {
    /// What stands in a payload, if it may: no number that a reader would get otherwise, no NUL, at most 64 levels.
    pub fn of(text: &str) -> Option<Self> {
        Self::read(text, false, 0)
    }

    /// As above, but that nobody looks at what is masked.
    pub fn masked_of(text: &str) -> Option<Self> {
        Self::read(text, true, 0).map(Self::masked)
    }

    fn read(text: &str, masking: bool, above: usize) -> Option<Self> {
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        let text = raw.get();
        if text.starts_with(['{', '[']) && above == DEEPEST {
            return None;
        }
        let plain = |text: String| (!text.contains('\0')).then_some(text);
        Some(match text.as_bytes()[0] {
            b'{' => {
                let member = |(key, value): (String, &str)| {
                    let value = match masking && hides(&key) {
                        true => Self::Text(MASK.to_owned()),
                        false => Self::read(value, masking, above + 1)?,
                    };
                    Some((plain(key)?, value))
                };
                Self::Object(Members::of(text)?.0.into_iter().map(member).collect::<Option<_>>()?)
            }
            b'[' => {
                let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                let elements = elements.iter().map(|element| Self::read(element.get(), masking, above + 1));
                Self::Array(elements.collect::<Option<_>>()?)
            }
            b'"' => Self::Text(plain(serde_json::from_str(text).ok()?)?),
            b't' | b'f' => Self::Bool(text == "true"),
            b'n' => Self::Null,
            _ => Self::Number(number::keeps(text).then(|| text.to_owned())?),
        })
    }

    /// With what is hidden under masked keys and in text.
    pub fn masked(self) -> Self {
        match self {
            Self::Text(text) => Self::Text(cover(&text)),
            Self::Array(elements) => Self::Array(elements.into_iter().map(Self::masked).collect()),
            Self::Object(members) => {
                let member = |(key, value): (String, Self)| {
                    let value = if hides(&key) { Self::Text(MASK.to_owned()) } else { value.masked() };
                    (key, value)
                };
                Self::Object(members.into_iter().map(member).collect())
            }
            other => other,
        }
    }

    /// As JSON, without blanks.
    pub fn spelled(&self) -> String {
        let quoted = |text: &String| serde_json::to_string(text).unwrap();
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(spelled) => spelled.clone(),
            Self::Text(text) => quoted(text),
            Self::Array(elements) => {
                let elements: Vec<_> = elements.iter().map(Self::spelled).collect();
                format!("[{}]", elements.join(","))
            }
            Self::Object(members) => {
                let member = |(key, value): &(String, Self)| format!("{}:{}", quoted(key), value.spelled());
                let members: Vec<_> = members.iter().map(member).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    /// Whether a payload of this may be refused for its size, the whole input having so many bytes.
    pub fn may_be_too_large(&self, input: usize) -> bool {
        let spelled = self.spelled();
        // What is hidden counted until it was.
        let hidden = if spelled.contains(MASK) { 4 * input } else { 0 };
        spelled.len() + hidden > LIMIT
    }

    pub fn depth(&self) -> usize {
        match self {
            Self::Array(elements) => 1 + elements.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(members) => 1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    pub fn fits(self) -> Option<Self> {
        (self.depth() <= DEEPEST).then_some(self)
    }

    /// Each key in the place where it first stands, with the value that stands there last.
    pub fn entries(&self) -> Option<Vec<(&str, &Self)>> {
        let Self::Object(members) = self else { return None };
        let mut entries: Vec<(&str, &Self)> = Vec::new();
        for (key, value) in members {
            match entries.iter_mut().find(|(known, _)| known == key) {
                Some(entry) => entry.1 = value,
                None => entries.push((key, value)),
            }
        }
        Some(entries)
    }

    /// Whether both mean the same.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => number::same(one, other),
            (Self::Array(one), Self::Array(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.same(other))
            }
            (Self::Object(_), Self::Object(_)) => {
                let by_key = |tree: &'_ Self| -> BTreeMap<String, Self> {
                    let entries = tree.entries().into_iter().flatten();
                    entries.map(|(key, value)| (key.to_owned(), value.clone())).collect()
                };
                let (one, other) = (by_key(self), by_key(other));
                one.len() == other.len()
                    && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| value.same(other)))
            }
            (one, other) => one == other,
        }
    }
}
