//! Settings that cannot be used.

use std::{borrow::Cow, error::Error as StdError, fmt};

/// A setting that cannot be used.
#[derive(Debug, Clone)]
pub struct ConfigError {
    key: Cow<'static, str>,
    reason: String,
}

impl ConfigError {
    pub(crate) fn new(key: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), reason: reason.into() }
    }

    /// The setting, as the builder method spells it.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Why it cannot be used, and what can.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration: `{}` {}", self.key, self.reason)
    }
}

impl StdError for ConfigError {}
