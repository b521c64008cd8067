//! JSON that comes as text (`RawValue`, deserialised events, both sides of a diff): checked and masked without ever
//! becoming a tree, so that numbers stay as they were spelled.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    escape::{is_plain, plain_prefix},
    fault::{Fault, Reason},
    walk::Walk,
};

type Outcome<T> = Result<T, Fault>;

impl Walk<'_> {
    /// One value from text of any origin.
    pub(super) fn json(&mut self, text: &str) -> Outcome<()> {
        // serde_json skips a value without recursion, so depth cannot hurt here.
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|_| Fault::new(Reason::NotJson))?;
        self.valid_json(text)
    }

    /// One value from text that is known to be JSON.
    pub(crate) fn valid_json(&mut self, text: &str) -> Outcome<()> {
        self.value(&mut Scanner { text, at: 0 })
    }

    /// A member with a name of ours, which no mask applies to, its value being text that is known to be JSON.
    pub(crate) fn member(&mut self, name: &str, text: &str, first: bool) -> Outcome<()> {
        let key = self.key(name, first)?;
        self.valid_json(text).map_err(|fault| self.under(key, fault))
    }

    // Recursion is bounded: `open` refuses the 65th level.
    fn value(&mut self, from: &mut Scanner<'_>) -> Outcome<()> {
        match from.peek()? {
            b'{' => {
                self.open(b'{')?;
                let mut first = true;
                while let Some(literal) = from.next_key(first)? {
                    let key = self.key(&unescape(literal)?, first)?;
                    first = false;
                    if key.masked {
                        from.skip_value()?;
                        self.hidden()?;
                    } else {
                        self.value(from).map_err(|fault| self.under(key, fault))?;
                    }
                }
                self.close(b'}');
                Ok(())
            }
            b'[' => {
                self.open(b'[')?;
                let mut index = 0;
                while from.next_element(index == 0)? {
                    self.separate(index == 0)?;
                    self.value(from).map_err(|fault| fault.at_index(index))?;
                    index += 1;
                }
                self.close(b']');
                Ok(())
            }
            b'"' => self.string(&unescape(from.string()?)?),
            b'-' | b'0'..=b'9' => self.number(from.scalar()),
            _ => {
                self.literal(from.scalar());
                Ok(())
            }
        }
    }
}

/// The keys of an object's text, in order, each with the text of its value. Of a key that stands twice the last
/// counts, as in jsonb.
pub(crate) struct Entries<'t>(Vec<(Cow<'t, str>, &'t str)>);

impl<'t> Entries<'t> {
    /// `text` must be a JSON object that was written by a walk.
    pub(crate) fn of(text: &'t str) -> Outcome<Self> {
        let mut from = Scanner { text, at: 0 };
        let mut entries: Vec<(Cow<'t, str>, &str)> = Vec::new();
        let mut places: BTreeMap<Cow<'t, str>, usize> = BTreeMap::new();
        from.peek()?;
        while let Some(literal) = from.next_key(entries.is_empty())? {
            let key = unescape(literal)?;
            from.peek()?;
            let start = from.at;
            from.skip_value()?;
            let value = &text[start..from.at];
            if let Some(&place) = places.get(&key) {
                entries[place].1 = value;
            } else {
                places.insert(key.clone(), entries.len());
                entries.push((key, value));
            }
        }
        Ok(Self(entries))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'t str)> {
        self.0.iter().map(|(key, value)| (&**key, *value))
    }

    /// The same entries, by key.
    pub(crate) fn by_key(&self) -> BTreeMap<&str, &'t str> {
        self.iter().collect()
    }
}

/// Whether two JSON texts, both written by a walk, mean the same: whatever the order of keys, and numbers by their
/// exact decimal value, so that `1` is `1.0` and 9007199254740993 is not 9007199254740992.0.
pub(crate) fn same(one: &str, other: &str) -> Outcome<bool> {
    Ok(one == other || Node::of(one)? == Node::of(other)?)
}

/// A value in the form in which equal values are equal.
#[derive(PartialEq)]
enum Node<'t> {
    Literal(&'t str),
    Number(Decimal),
    Text(Cow<'t, str>),
    Array(Vec<Node<'t>>),
    Object(BTreeMap<Cow<'t, str>, Node<'t>>),
}

impl<'t> Node<'t> {
    fn of(text: &'t str) -> Outcome<Self> {
        Self::read(&mut Scanner { text, at: 0 })
    }

    // Recursion is bounded, as the text was written by a walk.
    fn read(from: &mut Scanner<'t>) -> Outcome<Self> {
        Ok(match from.peek()? {
            b'{' => {
                let mut object = BTreeMap::new();
                let mut first = true;
                while let Some(literal) = from.next_key(first)? {
                    first = false;
                    object.insert(unescape(literal)?, Self::read(from)?);
                }
                Self::Object(object)
            }
            b'[' => {
                let mut array = Vec::new();
                while from.next_element(array.is_empty())? {
                    array.push(Self::read(from)?);
                }
                Self::Array(array)
            }
            b'"' => Self::Text(unescape(from.string()?)?),
            b'-' | b'0'..=b'9' => Self::Number(Decimal::of(from.scalar())),
            _ => Self::Literal(from.scalar()),
        })
    }
}

/// `digits` times ten to the `exponent`, without leading or trailing zeros.
#[derive(PartialEq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn of(spelled: &str) -> Self {
        let (mantissa, exponent) = spelled.split_once(['e', 'E']).unwrap_or((spelled, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        // The walk has refused longer numbers and exponents, so that these cannot overflow.
        let exponent = exponent.parse::<i64>().unwrap_or_default() - i64::try_from(fraction.len()).unwrap_or_default();
        let all = format!("{}{fraction}", whole.trim_start_matches('-'));
        let digits = all.trim_end_matches('0');
        let exponent = exponent + i64::try_from(all.len() - digits.len()).unwrap_or_default();
        let digits = digits.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Self { negative: false, digits, exponent: 0 };
        }
        Self { negative: whole.starts_with('-'), digits, exponent }
    }
}

/// The string, with its quotes, that JSON text begins with.
pub(super) fn literal(text: &[u8]) -> Option<&[u8]> {
    let mut at = 1;
    loop {
        at += plain_prefix(text.get(at..)?);
        match text.get(at)? {
            b'"' => return Some(&text[..=at]),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// What a string with its quotes says.
fn unescape(literal: &str) -> Outcome<Cow<'_, str>> {
    let bare = literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(literal);
    if is_plain(bare.as_bytes()) {
        return Ok(Cow::Borrowed(bare));
    }
    serde_json::from_str(literal).map(Cow::Owned).map_err(|_| Fault::new(Reason::NotJson))
}

/// Finds where the pieces of JSON text begin and end. It relies on the text being JSON only for its answers to be
/// right: on any other text it ends with a fault, never outside the text.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    /// The next byte that is not white space.
    fn peek(&mut self) -> Outcome<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
        self.at += blanks;
        rest.get(blanks).copied().ok_or_else(|| Fault::new(Reason::NotJson))
    }

    /// The next key of an object, with its quotes; `None` at the object's end. `first` opens the object.
    fn next_key(&mut self, first: bool) -> Outcome<Option<&'t str>> {
        if !self.next_part(first, b'{', b'}')? {
            return Ok(None);
        }
        self.peek()?;
        let key = self.string()?;
        if self.peek()? != b':' {
            return Err(Fault::new(Reason::NotJson));
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// Whether an array has a further element. `first` opens the array.
    fn next_element(&mut self, first: bool) -> Outcome<bool> {
        self.next_part(first, b'[', b']')
    }

    fn next_part(&mut self, first: bool, open: u8, close: u8) -> Outcome<bool> {
        let before = if first { open } else { b',' };
        let mut next = self.peek()?;
        if next == before {
            self.at += 1;
            if !first {
                return Ok(true);
            }
            next = self.peek()?;
            if next != close {
                return Ok(true);
            }
        }
        if next != close {
            return Err(Fault::new(Reason::NotJson));
        }
        self.at += 1;
        Ok(false)
    }

    /// A string with its quotes.
    fn string(&mut self) -> Outcome<&'t str> {
        let start = self.at;
        let literal = literal(&self.text.as_bytes()[start..]).ok_or_else(|| Fault::new(Reason::NotJson))?;
        self.at += literal.len();
        Ok(&self.text[start..self.at])
    }

    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self) -> &'t str {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let ends =
            |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'[' | b'{' | b':');
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        self.at += length;
        &self.text[start..self.at]
    }

    /// Passes over a value of any depth without recursion.
    fn skip_value(&mut self) -> Outcome<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1).ok_or_else(|| Fault::new(Reason::NotJson))?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => self.at += 1,
                _ => {
                    if self.scalar().is_empty() {
                        return Err(Fault::new(Reason::NotJson));
                    }
                }
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }
}
