//! What a scope may set for itself.

use std::{fmt, time::Duration};

use regex::Regex;
use serde::Deserialize;

use super::{OnError, setters::scope_setters, wire};
use crate::{error::Error, event::Mode, object, record::Record};

/// The settings that a scope replaces; all others are inherited. Lists are replaced, never merged.
///
/// A scope may set `table_name`, `schema`, `default_mode`, `environment`, `mask_fields`, `mask_value`, `mask_patterns`,
/// `on_error`, `async_batch_size`, `async_flush_interval` and `writers`, and nothing else: the pool and its limits are
/// the root's.
/// Deserialised like [`Config`](crate::Config); `"environment": null` clears it.
///
/// ```
/// use tracevault::{Mode, ScopeOverrides};
///
/// let users = ScopeOverrides::new().table_name("audit_user_events").default_mode(Mode::Async);
/// # let _ = users;
/// let error = serde_json::from_str::<ScopeOverrides>(r#"{ "connectionString": "postgres://elsewhere" }"#).unwrap_err();
/// assert!(error.to_string().contains("a scope shares its root's connections"));
/// ```
#[derive(Clone, Default, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields, rename_all = "camelCase")]
#[doc(alias = "TracevaultScopeOverrides")]
pub struct ScopeOverrides {
    /// Known only so that it can be refused in words.
    pub(super) driver: wire::NotOverridable,
    #[serde(alias = "connection_string")]
    pub(super) connection_string: wire::NotOverridable,
    #[serde(alias = "table_name", deserialize_with = "object::quietly")]
    pub(super) table_name: Option<String>,
    #[serde(deserialize_with = "object::quietly")]
    pub(super) schema: Option<String>,
    #[serde(alias = "default_mode", deserialize_with = "object::quietly")]
    pub(super) default_mode: Option<Mode>,
    #[expect(clippy::option_option, reason = "inherited, cleared, or set: three things that a file can say")]
    #[serde(deserialize_with = "wire::given")]
    pub(super) environment: Option<Option<String>>,
    #[serde(alias = "mask_fields", deserialize_with = "object::quietly")]
    pub(super) mask_fields: Option<Vec<String>>,
    #[serde(alias = "mask_value", deserialize_with = "object::quietly")]
    pub(super) mask_value: Option<String>,
    #[serde(alias = "mask_patterns", deserialize_with = "wire::patterns")]
    pub(super) mask_patterns: Option<Vec<Regex>>,
    #[serde(skip)]
    pub(super) on_error: Option<OnError>,
    #[serde(alias = "async_batch_size", deserialize_with = "object::quietly")]
    pub(super) async_batch_size: Option<usize>,
    #[serde(rename = "asyncFlushIntervalMs", alias = "async_flush_interval_ms", deserialize_with = "wire::millis")]
    pub(super) async_flush_interval: Option<Duration>,
    #[serde(deserialize_with = "object::quietly")]
    pub(super) writers: Option<usize>,
}

impl ScopeOverrides {
    /// Overrides nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stamped on every event of the scope; at most 128 characters.
    #[must_use]
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(Some(environment.into()));
        self
    }

    /// Stamps no environment, whatever the parent does.
    #[must_use]
    pub fn no_environment(mut self) -> Self {
        self.environment = Some(None);
        self
    }
}

scope_setters!(ScopeOverrides);

impl fmt::Debug for ScopeOverrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeOverrides")
            .field("table_name", &self.table_name)
            .field("schema", &self.schema)
            .field("default_mode", &self.default_mode)
            .field("environment", &self.environment)
            .field("mask_fields", &self.mask_fields)
            .finish_non_exhaustive()
    }
}
