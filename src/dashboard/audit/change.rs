//! What changed: the data of an event that was emitted by `emit_diff`, `{ before, after, diff }`, entry by entry.

use super::json::{self, Members};
use crate::mask::DEFAULT_VALUE;

/// The most characters of a value, and the most entries, that stand in a list; a record's own page has all.
const BRIEF_VALUE: usize = 200;
const BRIEF_ENTRIES: usize = 20;

/// What became of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Added,
    Removed,
    Changed,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// A value of one side.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) masked: bool,
}

/// A field that differs; a nested value is one entry, whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) field: String,
    pub(super) kind: Kind,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

/// All that differs, and what does not.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) entries: Vec<Entry>,
    pub(super) unchanged: Vec<(String, Value)>,
    pub(super) added: usize,
    pub(super) removed: usize,
    pub(super) changed: usize,
    /// How many entries are not here.
    pub(super) left_out: usize,
}

impl Change {
    /// None: the data does not say what changed.
    pub(super) fn of(data: &str) -> Option<Self> {
        Self::read(data, json::pretty)
    }

    /// Shortened, for a list.
    pub(super) fn brief(data: &str) -> Option<Self> {
        let mut change = Self::read(data, |text| {
            let mut cut: String = text.chars().take(BRIEF_VALUE).collect();
            if cut.len() < text.len() {
                cut.push('…');
            }
            cut
        })?;
        change.left_out = change.entries.len().saturating_sub(BRIEF_ENTRIES);
        change.entries.truncate(BRIEF_ENTRIES);
        change.unchanged.clear();
        Some(change)
    }

    fn read(data: &str, show: impl Fn(&str) -> String) -> Option<Self> {
        let data = Members::of(data)?;
        let side = |name| data.get(name).and_then(Members::of);
        let (before, after, diff) = (side("before")?, side("after")?, side("diff")?);
        let value = |text: &str| Value { text: show(text), masked: masked(text) };
        let entry = |(field, entry): &(String, &str)| {
            let sides = Members::of(entry).filter(is_entry);
            // What is masked has no sides: what became of it, the states tell.
            let (was, is) = match &sides {
                Some(sides) => (sides.get("before"), sides.get("after")),
                None => match (before.get(field), after.get(field)) {
                    (None, None) => (Some(*entry), Some(*entry)),
                    (was, is) => (was.map(|_| *entry), is.map(|_| *entry)),
                },
            };
            let kind = match (was, is) {
                (None, _) => Kind::Added,
                (_, None) => Kind::Removed,
                _ => Kind::Changed,
            };
            let masked = sides.is_none();
            let value = |text: &str| Value { masked: masked || self::masked(text), ..value(text) };
            Entry { field: field.clone(), kind, before: was.map(value), after: is.map(value) }
        };
        let entries: Vec<_> = diff.0.iter().map(entry).collect();
        let same = after.0.iter().filter(|(field, _)| diff.get(field).is_none());
        let unchanged = same.map(|(field, text)| (field.clone(), value(text))).collect();
        let count = |kind| entries.iter().filter(|entry| entry.kind == kind).count();
        let (added, removed, changed) = (count(Kind::Added), count(Kind::Removed), count(Kind::Changed));
        Some(Self { entries, unchanged, added, removed, changed, left_out: 0 })
    }
}

fn is_entry(sides: &Members<'_>) -> bool {
    !sides.0.is_empty() && sides.0.iter().all(|(side, _)| matches!(side.as_str(), "before" | "after"))
}

/// Whether it is what stands for a masked value, unless a scope chose another.
fn masked(text: &str) -> bool {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) == Some(DEFAULT_VALUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: &Change) -> Vec<(&str, &str, Option<&str>, Option<&str>)> {
        let text = |value: &Option<Value>| value.as_ref().map(|value| value.text.clone()).map(|text| &*text.leak());
        let entry =
            |entry: &Entry| (&*entry.field.clone().leak(), entry.kind.name(), text(&entry.before), text(&entry.after));
        change.entries.iter().map(entry).collect()
    }

    #[test]
    fn the_example_has_one_change() {
        let change = Change::of(
            r#"{"diff": {"price": {"after": 150, "before": 120}}, "after": {"name": "Café", "price": 150}, "before": {"name": "Café", "price": 120}}"#,
        )
        .unwrap();
        assert_eq!(told(&change), [("price", "changed", Some("120"), Some("150"))]);
        assert_eq!((change.added, change.removed, change.changed, change.left_out), (0, 0, 1, 0));
        let [(field, value)] = &change.unchanged[..] else { panic!("{:?}", change.unchanged) };
        assert_eq!((field.as_str(), value.text.as_str(), value.masked), ("name", "\"Café\"", false));
    }

    #[test]
    fn every_kind_is_told_to_the_letter() {
        let change = Change::of(
            r#"{"before": {"gone": 1.10, "pin": "[REDACTED]", "old": "[REDACTED]", "deep": {"before": 1}},
                "after": {"new": 9007199254740993, "pin": "[REDACTED]", "token": "[REDACTED]", "deep": {"after": 2}},
                "diff": {"gone": {"before": 1.10}, "new": {"after": 9007199254740993}, "pin": "[REDACTED]",
                         "old": "[REDACTED]", "token": "[REDACTED]", "lost": "***",
                         "deep": {"before": {"before": 1}, "after": {"after": 2}}}}"#,
        )
        .unwrap();
        let hidden = Some("\"[REDACTED]\"");
        assert_eq!(
            told(&change),
            [
                ("gone", "removed", Some("1.10"), None),
                ("new", "added", None, Some("9007199254740993")),
                ("pin", "changed", hidden, hidden),
                ("old", "removed", hidden, None),
                ("token", "added", None, hidden),
                ("lost", "changed", Some("\"***\""), Some("\"***\"")),
                ("deep", "changed", Some("{\n  \"before\": 1\n}"), Some("{\n  \"after\": 2\n}")),
            ]
        );
        assert!(change.entries[2].before.as_ref().unwrap().masked && change.entries[5].after.as_ref().unwrap().masked);
        assert!(!change.entries[1].after.as_ref().unwrap().masked);
        assert_eq!((change.added, change.removed, change.changed), (2, 2, 3));
    }

    #[test]
    fn other_data_says_no_change() {
        for data in ["{}", "[]", "null", r#"{"before": 1, "after": 2, "diff": {}}"#, r#"{"before": {}, "after": {}}"#] {
            assert!(Change::of(data).is_none(), "{data}");
        }
        assert!(Change::of(r#"{"before": {}, "after": {}, "diff": {}}"#).unwrap().entries.is_empty());
    }

    #[test]
    fn a_list_has_it_short() {
        let fields: Vec<_> = (0..50).map(|at| format!("\"f{at}\": {{\"after\": \"{}\"}}", "ä".repeat(1_000))).collect();
        let data = format!(r#"{{"before": {{}}, "after": {{"same": 1}}, "diff": {{{}}}}}"#, fields.join(","));
        let change = Change::brief(&data).unwrap();
        assert_eq!((change.entries.len(), change.left_out, change.added), (20, 30, 50));
        assert_eq!(change.entries[0].after.as_ref().unwrap().text.chars().count(), 201);
    }
}
