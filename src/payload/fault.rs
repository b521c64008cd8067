//! What was wrong with a payload, and where: the path is built only when there is a fault to tell of.

use std::fmt::{self, Write as _};

use crate::error::ValidationError;

/// The rule that a payload broke. None of them carries the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Missing,
    NotAnObject,
    NotFinite,
    IntegerTooLarge,
    NumberTooPrecise,
    KeyNotText,
    Bytes,
    Nul,
    TooDeep,
    TooLarge { limit: usize },
    NotJson,
    Refused,
}

/// The deepest nesting that is accepted; the object at the top counts as one.
pub(crate) const DEEPEST: usize = 64;

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is required; pass an empty object for a thing made or removed",
            Self::NotAnObject => "must be a JSON object at the top",
            Self::NotFinite => {
                "is NaN, infinite or out of a double's range, which JSON cannot carry; send text, or leave it out"
            }
            Self::IntegerTooLarge => "is an integer beyond 64 bits, which most readers would round; send it as text",
            Self::NumberTooPrecise => "is a number spelled with over 1,000 characters; send it as text",
            Self::KeyNotText => {
                "has a key that JSON cannot spell; keys are text, integers, finite numbers, booleans or unit variants"
            }
            Self::Bytes => "is bytes, for which JSON has no form; encode them as text, such as base64",
            Self::Nul => "contains NUL (U+0000), which PostgreSQL cannot store",
            Self::TooDeep => return write!(f, "is nested deeper than {DEEPEST} levels"),
            Self::TooLarge { limit } => {
                return write!(f, "makes the payload larger than {limit} bytes of JSON (`max_payload_bytes`)");
            }
            Self::NotJson => "is not JSON, or holds a broken escape",
            Self::Refused => "could not be serialised: its own Serialize implementation failed",
        })
    }
}

/// One step of a path, kept from the inside out.
#[derive(Debug)]
enum Step {
    /// A key as it was written, with its quotes and escapes.
    Key(String),
    Index(usize),
}

/// A broken rule and the way to it.
#[derive(Debug)]
pub(crate) struct Fault(Box<Broken>);

/// Boxed, since every function of the walk would move it.
#[derive(Debug)]
struct Broken {
    reason: Reason,
    /// Where the path begins, if not at the column.
    root: Option<&'static str>,
    steps: Vec<Step>,
}

impl Fault {
    pub(crate) fn new(reason: Reason) -> Self {
        Self(Box::new(Broken { reason, root: None, steps: Vec::new() }))
    }

    /// The fault lies under this key, given as a JSON string with its quotes.
    pub(super) fn under_key(mut self, quoted: &[u8]) -> Self {
        self.0.steps.push(Step::Key(String::from_utf8_lossy(quoted).into_owned()));
        self
    }

    /// The fault lies in this element.
    pub(super) fn at_index(mut self, index: usize) -> Self {
        self.0.steps.push(Step::Index(index));
        self
    }

    /// The fault lies in a part that callers know by a name of its own.
    pub(crate) fn of(mut self, part: &'static str) -> Self {
        self.0.root = Some(part);
        self
    }

    /// The fault as callers see it, in this column.
    pub(crate) fn in_column(&self, column: &str) -> ValidationError {
        let mut path = self.0.root.unwrap_or(column).to_owned();
        for step in self.0.steps.iter().rev() {
            // Writing to a String cannot fail.
            let _ = match step {
                Step::Index(index) => write!(path, "[{index}]"),
                Step::Key(quoted) => {
                    let bare = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted);
                    let plain =
                        !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                    if plain { write!(path, ".{}", cut(bare)) } else { write!(path, "[\"{}\"]", cut(bare)) }
                }
            };
        }
        ValidationError::new(path, self.0.reason.to_string())
    }
}

/// Keys of any length come from outside; a log line should not.
fn cut(key: &str) -> String {
    const LONGEST: usize = 64;
    match key.char_indices().nth(LONGEST) {
        None => key.to_owned(),
        Some((end, _)) => format!("{}…", &key[..end]),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.reason.fmt(f)
    }
}

impl std::error::Error for Fault {}

/// serde asks for an error type that any text can be made into. That text may quote the value, so it is dropped.
#[derive(Debug)]
pub(crate) struct SerFault(pub(super) Fault);

impl fmt::Display for SerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SerFault {}

impl serde::ser::Error for SerFault {
    fn custom<T: fmt::Display>(_may_quote_the_value: T) -> Self {
        Self(Fault::new(Reason::Refused))
    }
}

impl From<Fault> for SerFault {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl From<SerFault> for Fault {
    fn from(fault: SerFault) -> Self {
        fault.0
    }
}
