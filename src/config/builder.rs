//! What the user writes for a root.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use regex::Regex;
use serde::Deserialize;
use time::OffsetDateTime;

use super::{OnError, RetryFor, ScopeOverrides, SpoolConfig, StatementMode, WhenFull, setters::scope_setters, wire};
use crate::{clock::Clock, error::Error, event::Mode, object, record::Record};

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
/// | `writers` | 1 | per scope, at most 64; more than one trade order for speed |
/// | `queue_capacity`, `queue_bytes` | 10,000, 64 MiB | per scope, records waiting and on their way |
/// | `when_full` | wait | or reject; with a spool also spill |
/// | `spool` | none | a directory where async emits are kept until PostgreSQL has them (feature `spool`) |
/// | `max_payload_bytes` | 256 KiB | of JSON, for data and for meta each, at most 64 MiB |
/// | `pool_size` | 8 | connections |
/// | `acquire_timeout` | 5 s | for a free connection |
/// | `connect_timeout` | 5 s | for a new connection, handshake included |
/// | `statement_timeout` | 10 s | for one statement |
/// | `emit_timeout` | 10 s | for a sync emit, every further try and the wait for room included |
/// | `retry_for` | 10 min | how long an async emit's record is tried again; `RetryFor::Forever`: until the close |
/// | `statement_mode` | auto | whether statements are kept prepared; found out by itself |
/// | `close_timeout` | 30 s | for `flush` and `close`, and for the writer after the last handle is dropped |
/// | `ensure_schema` | false | `connect` creates what is missing |
/// | `clock` | the system's | where "now" comes from |
/// | `scope` | none | named scopes, for [`get_scope`](crate::Tracevault::get_scope) |
///
/// Durations are at most 24 hours.
///
/// A server that goes silent is found within about 5 s (on Linux): a keepalive probe after 2 s, then one a second, three
/// at most (`keepalives_idle`, `keepalives_interval`, `keepalives_count`), and 5 s for data that is not acknowledged
/// (`tcp_user_timeout`, in milliseconds). The connection string overrides each; 0 leaves it to the system. The manual has
/// [more](crate::docs::configuration).
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
#[serde(remote = "Self", default, deny_unknown_fields, rename_all = "camelCase")]
#[doc(alias = "TracevaultConfig")]
pub struct Config {
    pub(super) driver: Option<wire::Text>,
    #[serde(alias = "connection_string")]
    pub(super) connection_string: Option<wire::Text>,
    #[serde(alias = "read_connection_string")]
    pub(super) read_connection_string: Option<wire::Text>,
    #[serde(alias = "table_name", deserialize_with = "object::quietly")]
    pub(super) table_name: Option<String>,
    #[serde(deserialize_with = "object::quietly")]
    pub(super) schema: Option<String>,
    #[serde(alias = "mask_fields", deserialize_with = "object::quietly")]
    pub(super) mask_fields: Option<Vec<String>>,
    #[serde(alias = "mask_value", deserialize_with = "object::quietly")]
    pub(super) mask_value: Option<String>,
    #[serde(alias = "mask_patterns", deserialize_with = "wire::patterns")]
    pub(super) mask_patterns: Option<Vec<Regex>>,
    #[serde(alias = "default_mode", deserialize_with = "object::quietly")]
    pub(super) default_mode: Option<Mode>,
    #[serde(deserialize_with = "object::quietly")]
    pub(super) environment: Option<String>,
    #[serde(skip)]
    pub(super) on_error: Option<OnError>,
    #[serde(alias = "async_batch_size", deserialize_with = "object::quietly")]
    pub(super) async_batch_size: Option<usize>,
    #[serde(rename = "asyncFlushIntervalMs", alias = "async_flush_interval_ms", deserialize_with = "wire::millis")]
    pub(super) async_flush_interval: Option<Duration>,
    #[serde(deserialize_with = "object::quietly")]
    pub(super) writers: Option<usize>,
    #[serde(alias = "queue_capacity", deserialize_with = "object::quietly")]
    pub(super) queue_capacity: Option<usize>,
    #[serde(alias = "queue_bytes", deserialize_with = "object::quietly")]
    pub(super) queue_bytes: Option<usize>,
    #[serde(alias = "when_full", deserialize_with = "object::quietly")]
    pub(super) when_full: Option<WhenFull>,
    #[serde(alias = "max_payload_bytes", deserialize_with = "object::quietly")]
    pub(super) max_payload_bytes: Option<usize>,
    #[serde(alias = "pool_size", deserialize_with = "object::quietly")]
    pub(super) pool_size: Option<usize>,
    #[serde(rename = "acquireTimeoutMs", alias = "acquire_timeout_ms", deserialize_with = "wire::millis")]
    pub(super) acquire_timeout: Option<Duration>,
    #[serde(rename = "connectTimeoutMs", alias = "connect_timeout_ms", deserialize_with = "wire::millis")]
    pub(super) connect_timeout: Option<Duration>,
    #[serde(rename = "statementTimeoutMs", alias = "statement_timeout_ms", deserialize_with = "wire::millis")]
    pub(super) statement_timeout: Option<Duration>,
    #[serde(rename = "emitTimeoutMs", alias = "emit_timeout_ms", deserialize_with = "wire::millis")]
    pub(super) emit_timeout: Option<Duration>,
    #[serde(rename = "retryForMs", alias = "retry_for_ms", deserialize_with = "object::quietly")]
    pub(super) retry_for: Option<RetryFor>,
    #[serde(alias = "statement_mode", deserialize_with = "object::quietly")]
    pub(super) statement_mode: Option<StatementMode>,
    #[serde(rename = "closeTimeoutMs", alias = "close_timeout_ms", deserialize_with = "wire::millis")]
    pub(super) close_timeout: Option<Duration>,
    #[serde(alias = "ensure_schema", deserialize_with = "object::quietly")]
    pub(super) ensure_schema: Option<bool>,
    #[serde(skip)]
    pub(super) clock: Option<Arc<Clock>>,
    pub(super) spool: Option<SpoolConfig>,
    #[serde(deserialize_with = "wire::scopes")]
    pub(super) scopes: BTreeMap<String, ScopeOverrides>,
}

impl Config {
    /// A configuration that connects by this `postgres://` URL or these `key=value` pairs.
    /// [`Config::default`] is for [`with_pools`](crate::Tracevault::with_pools), which needs none.
    #[doc(alias = "connectionString")]
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

    /// How long a sync emit may take: the wait for room, and every further try while the failure allows one. Then its
    /// error says whether the record may be stored after all. Default: 10 s.
    #[must_use]
    pub fn emit_timeout(mut self, timeout: Duration) -> Self {
        self.emit_timeout = Some(timeout);
        self
    }

    /// How long the record of an async emit is tried again, from when it was accepted, before it goes to `on_error`.
    /// Default: 10 minutes.
    #[must_use]
    pub fn retry_for(mut self, retry_for: impl Into<RetryFor>) -> Self {
        self.retry_for = Some(retry_for.into());
        self
    }

    /// Whether statements are kept prepared. Default: found out by itself.
    #[must_use]
    pub fn statement_mode(mut self, mode: StatementMode) -> Self {
        self.statement_mode = Some(mode);
        self
    }

    /// How long `flush` and `close` may take. Default: 30 s.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = Some(timeout);
        self
    }

    /// Whether `connect` (or `prepare`) creates the tables and indexes that are missing, here and for the named scopes,
    /// under an advisory lock, so that replicas may boot together. A table of this version is left alone. Default: no;
    /// tables are never created otherwise.
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

    /// Keeps the records of async emits in a directory until PostgreSQL has them: they survive the process and the machine
    /// (feature `spool`; without it, `new` and `connect` refuse this). Default: none.
    #[must_use]
    pub fn spool(mut self, spool: SpoolConfig) -> Self {
        self.spool = Some(spool);
        self
    }

    /// Declares a named scope, to be found by [`get_scope`](crate::Tracevault::get_scope).
    #[must_use]
    pub fn scope(mut self, name: impl Into<String>, overrides: ScopeOverrides) -> Self {
        self.scopes.insert(name.into(), overrides);
        self
    }
}

scope_setters!(Config);

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
