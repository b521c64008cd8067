//! Parts of events and filters that break a rule.

use std::{borrow::Cow, error::Error as StdError, fmt};

/// A part of an event or of a filter that breaks a rule. Names the path and the reason, never the value.
#[derive(Debug, Clone)]
pub struct ValidationError {
    path: String,
    reason: Cow<'static, str>,
}

impl ValidationError {
    pub(crate) fn new(path: impl Into<String>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { path: path.into(), reason: reason.into() }
    }

    /// Where the fault is, such as `data.items[3].price`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The rule that is broken.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.reason)
    }
}

impl StdError for ValidationError {}
