//! The walk: every byte of a payload is written here, so that every rule is kept in one place.

use std::borrow::Cow;

use super::{
    escape,
    fault::{DEEPEST, Fault, Reason},
    text,
};
use crate::mask::Mask;

/// The rules of a scope that a payload is written by.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'r> {
    pub(crate) mask: &'r Mask,
    /// The most bytes of JSON.
    pub(crate) limit: usize,
}

/// What follows a key that was just written.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    /// Where it begins in the output: the path of a fault is read from there.
    at: usize,
    /// The value is not to be looked at.
    pub(crate) masked: bool,
}

/// One payload being written.
pub(crate) struct Walk<'w> {
    out: Vec<u8>,
    start: usize,
    /// Where the output must end at the latest.
    end: usize,
    depth: usize,
    rules: Rules<'w>,
    /// A part could not be written: what stands there is no JSON, whatever the value's own code makes of the error.
    broken: bool,
}

impl<'w> Walk<'w> {
    /// `out` is what the payload is appended to.
    pub(crate) fn new(out: Vec<u8>, rules: Rules<'w>) -> Self {
        let start = out.len();
        Self { out, start, end: start + rules.limit, depth: 0, rules, broken: false }
    }

    /// Says that a part was left half-written.
    pub(super) fn spoil(&mut self) {
        self.broken = true;
    }

    #[cold]
    fn fault(&mut self, reason: Reason) -> Fault {
        self.spoil();
        Fault::new(reason)
    }

    /// The last check: the top must be an object.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Fault> {
        if self.broken {
            return Err(Fault::new(Reason::Refused));
        }
        if self.out.get(self.start) != Some(&b'{') {
            return Err(Fault::new(Reason::NotAnObject));
        }
        self.room(0)?;
        Ok(self.out)
    }

    #[inline]
    pub(crate) fn open(&mut self, bracket: u8) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.fault(Reason::TooDeep));
        }
        self.out.push(bracket);
        Ok(())
    }

    #[inline]
    pub(crate) fn close(&mut self, bracket: u8) {
        self.depth -= 1;
        self.out.push(bracket);
    }

    /// What stands before an element; also where an endless sequence of small values is stopped.
    #[inline]
    pub(crate) fn separate(&mut self, first: bool) -> Result<(), Fault> {
        if !first {
            self.out.push(b',');
        }
        self.room(0)
    }

    /// A key with all that stands around it.
    pub(crate) fn key(&mut self, key: &str, first: bool) -> Result<Key, Fault> {
        let at = self.out.len() + usize::from(!first);
        self.room(key.len())?;
        if !escape::push_key(&mut self.out, key, first) {
            return Err(self.fault(Reason::Nul));
        }
        Ok(Key { at, masked: self.rules.mask.hides(key) })
    }

    /// The fault, being under this key.
    #[cold]
    pub(crate) fn under(&self, key: Key, fault: Fault) -> Fault {
        fault.under_key(text::literal(&self.out[key.at..]).unwrap_or_default())
    }

    /// The masked value, in place of whatever stands there.
    pub(crate) fn hidden(&mut self) -> Result<(), Fault> {
        let value = self.rules.mask.value();
        self.room(value.len())?;
        self.quoted(value)
    }

    /// A string value, with the patterns' matches covered.
    pub(super) fn string(&mut self, text: &str) -> Result<(), Fault> {
        self.room(text.len())?;
        match self.rules.mask.cover(text) {
            Cow::Borrowed(text) => self.quoted(text),
            Cow::Owned(covered) => {
                self.room(covered.len())?;
                self.quoted(&covered)
            }
        }
    }

    /// A number, boolean or null that needs no check.
    #[inline]
    pub(super) fn literal(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn float(&mut self, value: f64) -> Result<(), Fault> {
        if !value.is_finite() {
            return Err(self.fault(Reason::NotFinite));
        }
        self.literal(zmij::Buffer::new().format_finite(value));
        Ok(())
    }

    /// A number as text spells it: kept to the letter, or refused.
    pub(super) fn number(&mut self, spelled: &str) -> Result<(), Fault> {
        check_number(spelled).map_err(|reason| self.fault(reason))?;
        self.literal(spelled);
        Ok(())
    }

    #[inline]
    fn quoted(&mut self, text: &str) -> Result<(), Fault> {
        if escape::push_text(&mut self.out, text) { Ok(()) } else { Err(self.fault(Reason::Nul)) }
    }

    #[inline]
    fn room(&mut self, more: usize) -> Result<(), Fault> {
        if self.out.len() + more > self.end {
            return Err(self.fault(Reason::TooLarge { limit: self.rules.limit }));
        }
        Ok(())
    }
}

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
