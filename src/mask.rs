//! Which keys are masked, which text is, and by what.

use std::{borrow::Cow, fmt};

use regex::Regex;

use crate::error::ConfigError;

/// What masked values become unless the configuration says otherwise.
pub(crate) const DEFAULT_VALUE: &str = "[REDACTED]";

/// The masks of one scope, ready to be asked about every key and every string.
pub(crate) struct Mask {
    /// Lower-cased, so that one fold of the key decides.
    fields: Vec<Box<str>>,
    /// Lets most keys go at a glance.
    lengths: Lengths,
    patterns: Vec<Regex>,
    value: Box<str>,
}

impl Mask {
    /// Masks nothing: for text that is to be compared, and never stored.
    pub(crate) fn none() -> Self {
        Self { fields: Vec::new(), lengths: Lengths::of(&[]), patterns: Vec::new(), value: DEFAULT_VALUE.into() }
    }

    pub(crate) fn new(fields: &[String], patterns: &[Regex], value: &str) -> Result<Self, ConfigError> {
        if value.contains('\0') {
            return Err(ConfigError::new("mask_value", "must not contain NUL, which PostgreSQL cannot store"));
        }
        if fields.iter().any(|field| field.trim().is_empty()) {
            return Err(ConfigError::new("mask_fields", "must not hold a blank name, which would mask nothing"));
        }
        if patterns.iter().any(|pattern| pattern.is_match("")) {
            return Err(ConfigError::new(
                "mask_patterns",
                "must not hold a pattern that matches the empty text, as it would match between any two characters",
            ));
        }
        let fields: Vec<Box<str>> = fields.iter().map(|field| field.to_lowercase().into()).collect();
        Ok(Self { lengths: Lengths::of(&fields), fields, patterns: patterns.to_vec(), value: value.into() })
    }

    /// Whether what stands under this key is hidden.
    #[inline]
    pub(crate) fn hides(&self, key: &str) -> bool {
        self.lengths.may_hide(key) && self.names(key)
    }

    fn names(&self, key: &str) -> bool {
        // As it is written in most places.
        if self.fields.iter().any(|field| **field == *key) {
            return true;
        }
        if key.is_ascii() {
            return self.fields.iter().any(|field| field.eq_ignore_ascii_case(key));
        }
        // Lower case may be longer or shorter than the key, and even ASCII (the Kelvin sign), so that only it decides.
        let lower = key.to_lowercase();
        self.fields.iter().any(|field| **field == *lower)
    }

    /// The text with every match of a pattern replaced.
    #[inline]
    pub(crate) fn cover<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.patterns.is_empty() {
            return Cow::Borrowed(text);
        }
        // Found in the text as it came: what one pattern replaces must not spoil another's match.
        let matches = self.patterns.iter().flat_map(|pattern| pattern.find_iter(text));
        let mut found: Vec<_> = matches.map(|found| found.range()).filter(|range| !range.is_empty()).collect();
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_unstable_by_key(|range| range.start);
        let mut covered = String::with_capacity(text.len());
        let mut end = 0;
        for range in found {
            if range.start >= end {
                covered.push_str(&text[end..range.start]);
                covered.push_str(&self.value);
            }
            end = end.max(range.end);
        }
        covered.push_str(&text[end..]);
        Cow::Owned(covered)
    }

    /// What stands in place of what is hidden.
    pub(crate) fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mask").field("fields", &self.fields).field("patterns", &self.patterns).finish_non_exhaustive()
    }
}

/// For what a key begins with, how long it is where it may be hidden: bit `n` stands for `n` bytes, 63 for 63 or more.
/// The lower five bits of a letter are the same in upper and lower case.
struct Lengths([u64; 32]);

impl Lengths {
    fn of(fields: &[Box<str>]) -> Self {
        let mut lengths = [0; 32];
        for field in fields {
            let Some(first) = field.as_bytes().first() else { continue };
            lengths[usize::from(first & 31)] |= if field.is_ascii() {
                // A key may have the Kelvin sign, of three bytes, for any k.
                let kelvins = field.bytes().filter(|byte| *byte == b'k').count();
                (0..=kelvins).fold(0, |bits, kelvins| bits | length_bit(field.len() + 2 * kelvins))
            } else {
                u64::MAX
            };
        }
        Self(lengths)
    }

    #[inline]
    fn may_hide(&self, key: &str) -> bool {
        match key.as_bytes().first() {
            None => false,
            Some(first) => !first.is_ascii() || self.0[usize::from(first & 31)] & length_bit(key.len()) != 0,
        }
    }
}

fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(fields: &[&str]) -> Mask {
        Mask::new(&fields.iter().map(ToString::to_string).collect::<Vec<_>>(), &[], DEFAULT_VALUE).unwrap()
    }

    #[test]
    fn keys_are_compared_without_case_in_every_script() {
        let mask = mask(&["Password", "ÉTAT", "to\u{212a}en"]);
        for hidden in ["password", "PASSWORD", "état", "État", "token", "TOKEN", "TO\u{212a}EN"] {
            assert!(mask.hides(hidden), "{hidden}");
        }
        for shown in ["passwor", "passwords", "", "etat", "pass_word"] {
            assert!(!mask.hides(shown), "{shown}");
        }
    }

    #[test]
    fn a_long_field_is_found_behind_its_shared_length_bit() {
        let long = "k".repeat(200);
        assert!(mask(&[&long]).hides(&long.to_uppercase()));
        assert!(!mask(&[&long]).hides(&"k".repeat(100)));
    }

    /// What the glance at the first byte and the length relies on.
    #[test]
    fn no_letter_beyond_ascii_but_the_kelvin_sign_has_an_ascii_lower_case() {
        let folded = ('\u{80}'..=char::MAX).filter(|letter| letter.to_lowercase().all(|lower| lower.is_ascii()));
        assert_eq!(folded.collect::<String>(), "\u{212a}");
    }

    #[test]
    fn every_spelling_of_a_field_is_hidden() {
        let mask = mask(&["kick_token", "x-Ключ", "a\u{2c65}", "i\u{307}d", "ß", "_", "@k"]);
        for k in ["k", "K", "\u{212a}"] {
            for c in ["k", "K", "\u{212a}"] {
                for token in ["token", "TOKEN", "to\u{212a}en"] {
                    assert!(mask.hides(&format!("{k}ic{c}_{token}")));
                }
                assert!(mask.hides(&format!("@{k}")) && !mask.hides(&format!("@{k}{c}")));
            }
        }
        for hidden in ["X-ключ", "A\u{23a}", "x-КЛЮЧ", "\u{130}D", "i\u{307}D", "ẞ", "_"] {
            assert!(mask.hides(hidden), "{hidden}");
        }
        for shown in ["x-клю", "id", "ss", "\u{7f}", "?", "`k", "\0k"] {
            assert!(!mask.hides(shown), "{shown}");
        }
    }

    #[test]
    fn patterns_replace_literally_and_in_turn() {
        let patterns = [Regex::new("[a-z]+@[a-z]+").unwrap(), Regex::new("sk_[0-9]+").unwrap()];
        let mask = Mask::new(&[], &patterns, "$0").unwrap();
        assert_eq!(mask.cover("mail ann@host with sk_12, sk_3"), "mail $0 with $0, $0");
        assert!(matches!(mask.cover("nothing here"), Cow::Borrowed(_)));
    }

    #[test]
    fn masks_that_cannot_work_are_refused() {
        assert!(Mask::new(&[" ".to_owned()], &[], "x").is_err());
        assert!(Mask::new(&[], &[Regex::new("a*").unwrap()], "x").is_err());
        assert!(Mask::new(&[], &[], "\0").is_err());
    }
}
