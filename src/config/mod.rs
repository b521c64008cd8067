//! Settings: what the user writes ([`Config`], [`ScopeOverrides`]), and what it comes to ([`Settings`]), checked in
//! one place each.

mod overrides;
mod settings;
mod wire;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use regex::Regex;
use serde::Deserialize;
use time::OffsetDateTime;

pub use self::overrides::ScopeOverrides;
pub(crate) use self::settings::{PoolSettings, Settings};
use crate::{clock::Clock, error::Error, event::Mode, record::Record};

/// What is called with a record that an async emit accepted and that could not be stored.
pub(crate) type OnError = Arc<dyn Fn(&Error, &Record) + Send + Sync>;

/// What an emit does when its scope's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum WhenFull {
    /// It waits for room.
    #[default]
    Wait,
    /// It fails at once with [`Error::QueueFull`].
    Reject,
}

/// The configuration of a [`Tracevault`](crate::Tracevault).
///
/// | key | default | |
/// |---|---|---|
/// | `connection_string` | required by `new` and `connect` | `postgres://` URL or `key=value` pairs |
/// | `read_connection_string` | the same | where `query()` reads |
/// | `table_name`, `schema` | `audit_logs`, the search path | `^[A-Za-z_][A-Za-z0-9_]*$`, at most 63 characters |
/// | `mask_fields` | none | keys whose values are hidden, in any case, at any depth, in data, meta, before, after and diff |
/// | `mask_patterns` | none | each match in a string value there is hidden |
/// | `mask_value` | `[REDACTED]` | what stands instead |
/// | `default_mode` | sync | for events that do not say |
/// | `environment` | none | stamped on every event; at most 128 characters |
/// | `on_error` | logs by `tracing::error!` | told once of each record that an async emit accepted and that could not be stored |
/// | `async_batch_size` | 500 | most records in one statement |
/// | `async_flush_interval` | 0 | how long the writer waits before it takes a batch; a waiting sync emit ends the wait |
/// | `queue_capacity`, `queue_bytes` | 10,000, 64 MiB | per scope, records waiting and on their way |
/// | `when_full` | wait | or reject |
/// | `max_payload_bytes` | 256 KiB | of JSON, for data and for meta each, at most 64 MiB |
/// | `pool_size` | 8 | connections |
/// | `acquire_timeout` | 5 s | for a free connection |
/// | `connect_timeout` | 5 s | for a new connection, handshake included |
/// | `statement_timeout` | 10 s | for one statement |
/// | `close_timeout` | 30 s | for `flush` and `close`, and for the writer after the last handle is dropped |
/// | `ensure_schema` | false | `connect` creates what is missing |
/// | `clock` | the system's | where "now" comes from |
/// | `scope` | none | named scopes, for [`get_scope`](crate::Tracevault::get_scope) |
///
/// Durations are at most 24 hours.
///
/// It can be deserialised: keys in camelCase or `snake_case`, durations as integers under a name that ends in `Ms`
/// (`closeTimeoutMs`), unknown keys refused; `driver` may be given and must be `"postgres"`. Nothing is checked before
/// `new` or `connect`. `Debug` shows no connection string.
///
/// ```
/// use tracevault::Config;
///
/// let built = Config::new("postgres://localhost/app").mask_fields(["password", "token"]).environment("production");
/// let read: Config = serde_json::from_str(
///     r#"{ "connectionString": "postgres://localhost/app", "maskFields": ["password", "token"],
///          "environment": "production", "asyncFlushIntervalMs": 5 }"#,
/// )?;
/// # let _ = (built, read);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[doc(alias = "TracevaultConfig")]
pub struct Config {
    driver: Option<wire::Text>,
    #[serde(alias = "connection_string")]
    connection_string: Option<wire::Text>,
    #[serde(alias = "read_connection_string")]
    read_connection_string: Option<wire::Text>,
    #[serde(alias = "table_name")]
    table_name: Option<String>,
    schema: Option<String>,
    #[serde(alias = "mask_fields")]
    mask_fields: Option<Vec<String>>,
    #[serde(alias = "mask_value")]
    mask_value: Option<String>,
    #[serde(alias = "mask_patterns", deserialize_with = "wire::patterns")]
    mask_patterns: Option<Vec<Regex>>,
    #[serde(alias = "default_mode")]
    default_mode: Option<Mode>,
    environment: Option<String>,
    #[serde(skip)]
    on_error: Option<OnError>,
    #[serde(alias = "async_batch_size")]
    async_batch_size: Option<usize>,
    #[serde(rename = "asyncFlushIntervalMs", alias = "async_flush_interval_ms", deserialize_with = "wire::millis")]
    async_flush_interval: Option<Duration>,
    #[serde(alias = "queue_capacity")]
    queue_capacity: Option<usize>,
    #[serde(alias = "queue_bytes")]
    queue_bytes: Option<usize>,
    #[serde(alias = "when_full")]
    when_full: Option<WhenFull>,
    #[serde(alias = "max_payload_bytes")]
    max_payload_bytes: Option<usize>,
    #[serde(alias = "pool_size")]
    pool_size: Option<usize>,
    #[serde(rename = "acquireTimeoutMs", alias = "acquire_timeout_ms", deserialize_with = "wire::millis")]
    acquire_timeout: Option<Duration>,
    #[serde(rename = "connectTimeoutMs", alias = "connect_timeout_ms", deserialize_with = "wire::millis")]
    connect_timeout: Option<Duration>,
    #[serde(rename = "statementTimeoutMs", alias = "statement_timeout_ms", deserialize_with = "wire::millis")]
    statement_timeout: Option<Duration>,
    #[serde(rename = "closeTimeoutMs", alias = "close_timeout_ms", deserialize_with = "wire::millis")]
    close_timeout: Option<Duration>,
    #[serde(alias = "ensure_schema")]
    ensure_schema: Option<bool>,
    #[serde(skip)]
    clock: Option<Arc<Clock>>,
    scopes: BTreeMap<String, ScopeOverrides>,
}

impl Config {
    /// A configuration that connects by this `postgres://` URL or these `key=value` pairs.
    /// [`Config::default`] is for [`with_pools`](crate::Tracevault::with_pools), which needs none.
    pub fn new(connection_string: impl Into<String>) -> Self {
        Self { connection_string: Some(wire::Text(connection_string.into())), ..Self::default() }
    }

    /// Where `query()` reads, if not where events are written: a replica, for instance.
    #[must_use]
    pub fn read_connection_string(mut self, connection_string: impl Into<String>) -> Self {
        self.read_connection_string = Some(wire::Text(connection_string.into()));
        self
    }

    /// What an emit does when the queue is full. Default: it waits.
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = Some(when_full);
        self
    }

    /// The most records that may wait or be on their way, per scope. Default: 10,000.
    #[must_use]
    pub fn queue_capacity(mut self, records: usize) -> Self {
        self.queue_capacity = Some(records);
        self
    }

    /// The most bytes that these records may take. Default: 64 MiB. A record larger than that passes alone.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = Some(bytes);
        self
    }

    /// The most bytes of JSON, for data and for meta each. Default: 256 KiB; at most 64 MiB.
    #[must_use]
    pub fn max_payload_bytes(mut self, bytes: usize) -> Self {
        self.max_payload_bytes = Some(bytes);
        self
    }

    /// The most connections. Default: 8.
    #[must_use]
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = Some(connections);
        self
    }

    /// How long to wait for a free connection. Default: 5 s.
    #[must_use]
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = Some(timeout);
        self
    }

    /// How long a new connection may take, handshake included. Default: 5 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// How long one statement may take; then its connection is given up. Default: 10 s.
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = Some(timeout);
        self
    }

    /// How long `flush` and `close` may take. Default: 30 s.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = Some(timeout);
        self
    }

    /// Whether `connect` creates the tables and indexes that are missing, here and for the named scopes, under an
    /// advisory lock, so that replicas may boot together. Default: no; tables are never created otherwise.
    #[must_use]
    pub fn ensure_schema(mut self, ensure: bool) -> Self {
        self.ensure_schema = Some(ensure);
        self
    }

    /// Where "now" comes from, for tests. Default: the system's clock.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(Clock::new(now)));
        self
    }

    /// Declares a named scope, to be found by [`get_scope`](crate::Tracevault::get_scope).
    #[must_use]
    pub fn scope(mut self, name: impl Into<String>, overrides: ScopeOverrides) -> Self {
        self.scopes.insert(name.into(), overrides);
        self
    }
}

/// The builder methods of the keys that a scope may override, standing in the docs of both types.
macro_rules! scope_setters {
    ($type:ident) => {
        impl $type {
            /// The table to write to.
            #[must_use]
            #[doc(alias = "tableName")]
            pub fn table_name(mut self, name: impl Into<String>) -> Self {
                self.table_name = Some(name.into());
                self
            }

            /// The schema of the table. Without it, the connection's search path decides.
            #[must_use]
            pub fn schema(mut self, schema: impl Into<String>) -> Self {
                self.schema = Some(schema.into());
                self
            }

            /// The mode of events that do not say.
            #[must_use]
            #[doc(alias = "defaultMode")]
            pub fn default_mode(mut self, mode: Mode) -> Self {
                self.default_mode = Some(mode);
                self
            }

            /// The keys whose values are hidden, whatever their case, at any depth.
            #[must_use]
            #[doc(alias = "maskFields")]
            pub fn mask_fields<S: Into<String>>(mut self, fields: impl IntoIterator<Item = S>) -> Self {
                self.mask_fields = Some(fields.into_iter().map(Into::into).collect());
                self
            }

            /// What stands in place of what is hidden.
            #[must_use]
            #[doc(alias = "maskValue")]
            pub fn mask_value(mut self, value: impl Into<String>) -> Self {
                self.mask_value = Some(value.into());
                self
            }

            /// Patterns whose matches in string values are hidden: a token inside a URL, an address inside a sentence.
            #[must_use]
            pub fn mask_patterns(mut self, patterns: impl IntoIterator<Item = Regex>) -> Self {
                self.mask_patterns = Some(patterns.into_iter().collect());
                self
            }

            /// What is told, exactly once, of each record that an async emit accepted and that could not be stored;
            /// the record is masked. It runs on the writer's task and must not block; a panic inside it is caught.
            #[must_use]
            #[doc(alias = "onError")]
            pub fn on_error(mut self, handler: impl Fn(&Error, &Record) + Send + Sync + 'static) -> Self {
                self.on_error = Some(std::sync::Arc::new(handler));
                self
            }

            /// The most records in one statement.
            #[must_use]
            #[doc(alias = "asyncBatchSize")]
            pub fn async_batch_size(mut self, records: usize) -> Self {
                self.async_batch_size = Some(records);
                self
            }

            /// How long the writer waits before it takes a batch; a full batch, a waiting sync emit, `flush` and
            /// `close` end the wait.
            #[must_use]
            #[doc(alias = "asyncFlushIntervalMs")]
            pub fn async_flush_interval(mut self, interval: Duration) -> Self {
                self.async_flush_interval = Some(interval);
                self
            }
        }
    };
}

scope_setters!(Config);
pub(crate) use scope_setters;

impl Config {
    /// Stamped on every event; at most 128 characters.
    #[must_use]
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("table_name", &self.table_name)
            .field("schema", &self.schema)
            .field("default_mode", &self.default_mode)
            .field("environment", &self.environment)
            .field("mask_fields", &self.mask_fields)
            .field("ensure_schema", &self.ensure_schema)
            .finish_non_exhaustive()
    }
}
