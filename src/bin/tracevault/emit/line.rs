//! One line: an event, or one that says what changed.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use tracevault::{DiffEvent, Emit, Event, Tracevault};

/// The line, checked and masked; or what is wrong with it, in words that never hold a value of it.
pub(crate) fn emit(audit: &Tracevault, text: &str) -> Result<Emit, String> {
    if says_what_changed(text) {
        let event: DiffEvent<'_> = serde_json::from_str(text).map_err(|error| words(&error))?;
        return Ok(audit.emit_diff(event));
    }
    let event: Event<'_> = serde_json::from_str(text).map_err(|error| words(&error))?;
    Ok(audit.emit(event))
}

/// Whether the object has a key `before` or `after`.
fn says_what_changed(text: &str) -> bool {
    // Most lines hold neither word, and need no look at their keys.
    (text.contains("\"before\"") || text.contains("\"after\""))
        && serde_json::from_str::<Keys>(text).is_ok_and(|keys| keys.of_a_change)
}

struct Keys {
    of_a_change: bool,
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut of_a_change = false;
        while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            of_a_change |= key == "before" || key == "after";
        }
        Ok(Keys { of_a_change })
    }
}

/// serde counts lines too, and every line is its first.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(reason) => format!("column {}: {}", error.column(), plain(error.classify(), reason)),
        None => text,
    }
}

/// Of syntax serde speaks as a parser does.
fn plain(category: Category, reason: &str) -> &str {
    match (category, reason) {
        (Category::Eof, _) => "is not JSON: it ends too early",
        (Category::Syntax, "trailing characters") => "is not JSON: something follows the object",
        (Category::Syntax, "recursion limit exceeded") => "is nested too deeply",
        (Category::Syntax, _) => "is not JSON",
        (Category::Data | Category::Io, reason) => reason,
    }
}
