//! The walk: every byte of a payload is written here, so that every rule is kept in one place.

use std::ops::Range;

use super::fault::{DEEPEST, Fault, Reason};
use crate::mask::Mask;

/// The rules of a scope that a payload is written by.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'r> {
    pub(crate) mask: &'r Mask,
    /// The most bytes of JSON.
    pub(crate) limit: usize,
}

/// What follows a key that was just written.
pub(crate) struct Key {
    /// Where it stands in the output, with its quotes: the path of a fault is read from there.
    pub(super) at: Range<usize>,
    /// The value is not to be looked at.
    pub(crate) masked: bool,
}

/// One payload being written.
pub(crate) struct Walk<'w> {
    out: &'w mut Vec<u8>,
    start: usize,
    depth: usize,
    rules: Rules<'w>,
    /// A part could not be written: what stands there is no JSON, whatever the value's own code makes of the error.
    broken: bool,
}

impl<'w> Walk<'w> {
    pub(crate) fn new(out: &'w mut Vec<u8>, rules: Rules<'w>) -> Self {
        let start = out.len();
        Self { out, start, depth: 0, rules, broken: false }
    }

    /// Says that a part was left half-written.
    pub(super) fn spoil(&mut self) {
        self.broken = true;
    }

    /// The last check: the top must be an object.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        if self.broken {
            return Err(Fault::new(Reason::Refused));
        }
        if self.out.get(self.start) != Some(&b'{') {
            return Err(Fault::new(Reason::NotAnObject));
        }
        self.room(0)
    }

    pub(crate) fn open(&mut self, bracket: u8) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fault::new(Reason::TooDeep));
        }
        self.out.push(bracket);
        Ok(())
    }

    pub(crate) fn close(&mut self, bracket: u8) {
        self.depth -= 1;
        self.out.push(bracket);
    }

    /// The comma between two parts; also where an endless sequence of small values is stopped.
    pub(crate) fn separate(&mut self, first: bool) -> Result<(), Fault> {
        if !first {
            self.out.push(b',');
        }
        self.room(0)
    }

    pub(crate) fn key(&mut self, key: &str) -> Result<Key, Fault> {
        let start = self.out.len();
        self.quoted(key)?;
        let at = start..self.out.len();
        self.out.push(b':');
        Ok(Key { at, masked: self.rules.mask.hides(key) })
    }

    /// The fault, being under this key.
    pub(crate) fn under(&self, key: Key, fault: Fault) -> Fault {
        fault.under_key(self.written(key.at))
    }

    /// The bytes of a key that was written.
    pub(super) fn written(&self, at: Range<usize>) -> &[u8] {
        &self.out[at]
    }

    /// The masked value, in place of whatever stands there.
    pub(crate) fn hidden(&mut self) -> Result<(), Fault> {
        let mask = self.rules.mask;
        self.quoted(mask.value())
    }

    /// A string value, with the patterns' matches covered.
    pub(super) fn string(&mut self, text: &str) -> Result<(), Fault> {
        self.room(text.len())?;
        let covered = self.rules.mask.cover(text);
        self.quoted(&covered)
    }

    /// A number, boolean or null that needs no check.
    pub(super) fn literal(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn float(&mut self, value: f64) -> Result<(), Fault> {
        if !value.is_finite() {
            return Err(Fault::new(Reason::NotFinite));
        }
        self.literal(ryu::Buffer::new().format_finite(value));
        Ok(())
    }

    /// A number as text spells it: kept to the letter, or refused.
    pub(super) fn number(&mut self, spelled: &str) -> Result<(), Fault> {
        check_number(spelled).map_err(Fault::new)?;
        self.literal(spelled);
        Ok(())
    }

    fn quoted(&mut self, text: &str) -> Result<(), Fault> {
        self.room(text.len())?;
        let bytes = text.as_bytes();
        self.out.push(b'"');
        let mut plain_from = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            let escape = ESCAPES[usize::from(byte)];
            if escape == PLAIN {
                continue;
            }
            if byte == 0 {
                return Err(Fault::new(Reason::Nul));
            }
            self.out.extend_from_slice(&bytes[plain_from..at]);
            plain_from = at + 1;
            if escape == HEX {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let (high, low) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
                self.out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            } else {
                self.out.extend_from_slice(&[b'\\', escape]);
            }
        }
        self.out.extend_from_slice(&bytes[plain_from..]);
        self.out.push(b'"');
        Ok(())
    }

    fn room(&self, more: usize) -> Result<(), Fault> {
        let limit = self.rules.limit;
        if self.out.len() - self.start + more > limit {
            return Err(Fault::new(Reason::TooLarge { limit }));
        }
        Ok(())
    }
}

/// What a byte needs inside a JSON string: nothing, a letter behind a backslash, or its hex form.
const PLAIN: u8 = 0;
const HEX: u8 = b'u';
static ESCAPES: [u8; 256] = {
    let mut table = [PLAIN; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = HEX;
        control += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Numbers that a reader would get otherwise than they were sent are refused: integers beyond 64 bits, and what a
/// double turns into an infinity or into zero. Longer than 1,000 characters is beyond what PostgreSQL's numeric is sure to keep.
fn check_number(spelled: &str) -> Result<(), Reason> {
    const LONGEST: usize = 1_000;
    if spelled.len() > LONGEST {
        return Err(Reason::NumberTooPrecise);
    }
    if !spelled.contains(['.', 'e', 'E']) {
        let fits = spelled.parse::<i64>().is_ok() || spelled.parse::<u64>().is_ok();
        return if fits { Ok(()) } else { Err(Reason::IntegerTooLarge) };
    }
    let value: f64 = spelled.parse().map_err(|_| Reason::NotJson)?;
    let mantissa = spelled.split(['e', 'E']).next().unwrap_or_default();
    let is_zero = mantissa.bytes().all(|byte| matches!(byte, b'0' | b'.' | b'-'));
    // A zero with an endless exponent is a number to a double, and an error to PostgreSQL.
    let exponent: Option<i32> = spelled.split(['e', 'E']).nth(1).map_or(Some(0), |text| text.parse().ok());
    if value.is_infinite()
        || (value == 0.0 && !is_zero)
        || exponent.is_none_or(|exponent| !(-1_000..=1_000).contains(&exponent))
    {
        return Err(Reason::NotFinite);
    }
    Ok(())
}
