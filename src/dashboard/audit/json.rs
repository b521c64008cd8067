//! JSON as it stands, to be looked at: numbers are never read, so that none can change.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// How far lines are moved in, at most: what is nested without end must not become longer without end.
const DEEPEST: usize = 32;

/// The members of an object, in the order of the text, each value to the letter.
pub(super) struct Members<'t>(pub(super) Vec<(String, &'t str)>);

impl<'t> Members<'t> {
    /// None: it is not an object.
    pub(super) fn of(text: &'t str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn get(&self, key: &str) -> Option<&'t str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| *value)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((key, value.get()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// JSON text in lines, each moved in by how deep it stands; nothing but the space between its parts changes.
pub(super) fn pretty(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let mut rest = text.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth.min(DEEPEST)));
    };
    while let Some(one) = rest.next() {
        match one {
            '"' => {
                out.push('"');
                while let Some(inner) = rest.next() {
                    out.push(inner);
                    match inner {
                        '\\' => out.extend(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                out.push(one);
                while rest.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(one);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ if one.is_ascii_whitespace() => {}
            _ => out.push(one),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_change_nothing_but_space() {
        let text = r#"{"a": [9007199254740993, 1.10, {}, [ ]], "b\"}": "x, {y}: \\", "c": {"d": 1e400}}"#;
        let expected = r#"{
  "a": [
    9007199254740993,
    1.10,
    {},
    []
  ],
  "b\"}": "x, {y}: \\",
  "c": {
    "d": 1e400
  }
}"#;
        assert_eq!(pretty(text), expected);
        assert_eq!(pretty(&pretty(text)), expected);
        assert_eq!(pretty("\"a b\""), "\"a b\"");
    }

    #[test]
    fn what_is_nested_without_end_stays_short() {
        let deep = "[".repeat(20_000) + &"]".repeat(20_000);
        assert!(pretty(&deep).len() < 40_000 * (DEEPEST * 2 + 2));
    }

    #[test]
    fn members_are_to_the_letter_and_in_order() {
        let members = Members::of(r#"{"b": 1.10, "a": {"x": [1, 2]}, "\u0041": null}"#).unwrap();
        let keys: Vec<_> = members.0.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        assert_eq!(keys, [("b", "1.10"), ("a", r#"{"x": [1, 2]}"#), ("A", "null")]);
        assert!(Members::of("[1]").is_none() && Members::of("1").is_none() && Members::of("{").is_none());
    }
}
