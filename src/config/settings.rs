//! What a configuration comes to: every value present and checked.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use regex::Regex;
use uuid::Uuid;

use super::{Config, RetryFor, ScopeOverrides, SpoolConfig, SpoolSettings, StatementMode, WhenFull};
use crate::{
    clock::Clock,
    error::{ConfigError, Error},
    event::Mode,
    mask::{self, Mask},
    moment::Moment,
    record::{Record, check_text},
    table::TableName,
};

/// What is called with a record that an async emit accepted and that could not be stored.
pub(crate) type OnError = Arc<dyn Fn(&Error, &Record) + Send + Sync>;

/// What takes over a record that a close leaves.
pub(crate) type Leftovers = Arc<dyn Fn(&Record) + Send + Sync>;

/// A whole configuration, checked.
pub(crate) struct Resolved {
    pub(crate) connection_string: Option<String>,
    pub(crate) read_connection_string: Option<String>,
    pub(crate) pool: PoolSettings,
    pub(crate) ensure_schema: bool,
    pub(crate) spool: Option<SpoolSettings>,
    pub(crate) root: Settings,
    pub(crate) scopes: BTreeMap<String, Settings>,
}

/// 64 GiB, or what a semaphore counts to on a small machine.
const MOST_BYTES: usize = if usize::BITS > 32 { 1 << (usize::BITS - 28) } else { usize::MAX >> 3 };

/// The limits on connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolSettings {
    pub(crate) size: usize,
    pub(crate) acquire_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) statement_timeout: Duration,
    pub(crate) statement_mode: StatementMode,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            size: 8,
            acquire_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            statement_mode: StatementMode::Auto,
        }
    }
}

/// The settings of one scope.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) table: TableName,
    pub(crate) default_mode: Mode,
    pub(crate) environment: Option<Arc<str>>,
    pub(crate) mask: Arc<Mask>,
    /// What the mask was made of, since a scope may replace a part.
    mask_parts: Arc<MaskParts>,
    pub(crate) on_error: OnError,
    pub(crate) batch_size: usize,
    pub(crate) flush_interval: Duration,
    pub(crate) writers: usize,
    pub(crate) emit_timeout: Duration,
    pub(crate) retry_for: RetryFor,
    /// Takes over what a close leaves of async records; `None`: they are reported.
    pub(crate) leftovers: Option<Leftovers>,
    /// Off for the test recorder, where a failure is to be seen at once.
    pub(crate) retries: bool,
    /// Async records are on disk: those that no record is to blame for wait, also where others would pass.
    pub(crate) holds: bool,
    pub(crate) queue_capacity: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) when_full: WhenFull,
    pub(crate) max_payload_bytes: usize,
    pub(crate) close_timeout: Duration,
    clock: Arc<Clock>,
}

#[derive(Clone)]
struct MaskParts {
    fields: Vec<String>,
    patterns: Vec<Regex>,
    value: String,
}

impl Default for MaskParts {
    fn default() -> Self {
        Self { fields: Vec::new(), patterns: Vec::new(), value: mask::DEFAULT_VALUE.to_owned() }
    }
}

impl Config {
    /// Checks every key. Destructured in full, so that a new key does not compile until it is handled here.
    pub(crate) fn resolve(self) -> Result<Resolved, Error> {
        let Self {
            driver,
            connection_string,
            read_connection_string,
            table_name,
            schema,
            mask_fields,
            mask_value,
            mask_patterns,
            default_mode,
            environment,
            on_error,
            async_batch_size,
            async_flush_interval,
            writers,
            emit_timeout,
            retry_for,
            statement_mode,
            queue_capacity,
            queue_bytes,
            when_full,
            max_payload_bytes,
            pool_size,
            acquire_timeout,
            connect_timeout,
            statement_timeout,
            close_timeout,
            ensure_schema,
            clock,
            spool,
            scopes,
        } = self;
        if driver.is_some_and(|driver| driver.0 != "postgres") {
            return Err(ConfigError::new("driver", "must be \"postgres\", the only one there is").into());
        }
        let defaults = Settings {
            table: TableName::new("audit_logs")?,
            default_mode: Mode::Sync,
            environment: None,
            mask: Arc::new(Mask::none()),
            mask_parts: Arc::default(),
            on_error: Arc::new(log),
            batch_size: 500,
            flush_interval: Duration::ZERO,
            writers: 1,
            emit_timeout: positive("emit_timeout", emit_timeout.unwrap_or(Duration::from_secs(10)))?,
            retry_for: retries(retry_for.unwrap_or_default())?,
            leftovers: None,
            retries: true,
            holds: false,
            queue_capacity: within("queue_capacity", queue_capacity.unwrap_or(10_000), 1, 1 << 24)?,
            queue_bytes: within("queue_bytes", queue_bytes.unwrap_or(64 << 20), 1, MOST_BYTES)?,
            when_full: when_full.unwrap_or_default(),
            max_payload_bytes: within("max_payload_bytes", max_payload_bytes.unwrap_or(256 << 10), 2, 64 << 20)?,
            close_timeout: positive("close_timeout", close_timeout.unwrap_or(Duration::from_secs(30)))?,
            clock: clock.unwrap_or_default(),
        };
        let mut own = ScopeOverrides::new();
        own.table_name = table_name;
        own.schema = schema;
        own.default_mode = default_mode;
        own.environment = environment.map(Some);
        own.mask_fields = mask_fields;
        own.mask_value = mask_value;
        own.mask_patterns = mask_patterns;
        own.on_error = on_error;
        own.async_batch_size = async_batch_size;
        own.async_flush_interval = async_flush_interval;
        own.writers = writers;
        let root = defaults.overridden(own)?;
        let named = |(name, overrides): (String, ScopeOverrides)| {
            let settings = root.overridden(overrides).map_err(|error| match error {
                Error::Config(inner) => {
                    ConfigError::new(format!("scopes.{name}.{}", inner.key()), inner.reason()).into()
                }
                other => other,
            })?;
            Ok((name, settings))
        };
        let scopes = scopes.into_iter().map(named).collect::<Result<_, Error>>()?;
        let usual = PoolSettings::default();
        let spool = spool.map(SpoolConfig::resolve).transpose()?;
        root.check_spilling(spool.as_ref())?;
        Ok(Resolved {
            connection_string: connection_string.map(|text| text.0),
            read_connection_string: read_connection_string.map(|text| text.0),
            pool: PoolSettings {
                size: within("pool_size", pool_size.unwrap_or(usual.size), 1, 10_000)?,
                acquire_timeout: positive("acquire_timeout", acquire_timeout.unwrap_or(usual.acquire_timeout))?,
                connect_timeout: positive("connect_timeout", connect_timeout.unwrap_or(usual.connect_timeout))?,
                statement_timeout: positive("statement_timeout", statement_timeout.unwrap_or(usual.statement_timeout))?,
                statement_mode: statement_mode.unwrap_or(usual.statement_mode),
            },
            ensure_schema: ensure_schema.unwrap_or(false),
            spool,
            root,
            scopes,
        })
    }
}

impl Settings {
    /// The settings of a scope made from this one.
    pub(crate) fn overridden(&self, overrides: ScopeOverrides) -> Result<Self, Error> {
        let ScopeOverrides {
            driver: _,
            connection_string: _,
            table_name,
            schema,
            default_mode,
            environment,
            mask_fields,
            mask_value,
            mask_patterns,
            on_error,
            async_batch_size,
            async_flush_interval,
            writers,
        } = overrides;
        let mut settings = self.clone();
        if table_name.is_some() || schema.is_some() {
            let table = TableName::new(table_name.as_deref().unwrap_or(self.table.name()))?;
            settings.table = match schema.as_deref().or(self.table.schema()) {
                Some(schema) => table.in_schema(schema)?,
                None => table,
            };
        }
        if let Some(environment) = environment {
            settings.environment = environment.map(checked_environment).transpose()?;
        }
        if mask_fields.is_some() || mask_value.is_some() || mask_patterns.is_some() {
            let parts = MaskParts {
                fields: mask_fields.unwrap_or_else(|| self.mask_parts.fields.clone()),
                patterns: mask_patterns.unwrap_or_else(|| self.mask_parts.patterns.clone()),
                value: mask_value.unwrap_or_else(|| self.mask_parts.value.clone()),
            };
            settings.mask = Arc::new(Mask::new(&parts.fields, &parts.patterns, &parts.value)?);
            settings.mask_parts = Arc::new(parts);
        }
        settings.default_mode = default_mode.unwrap_or(self.default_mode);
        settings.on_error = on_error.unwrap_or_else(|| Arc::clone(&self.on_error));
        settings.batch_size = within("async_batch_size", async_batch_size.unwrap_or(self.batch_size), 1, 100_000)?;
        settings.flush_interval = bounded("async_flush_interval", async_flush_interval.unwrap_or(self.flush_interval))?;
        settings.writers = within("writers", writers.unwrap_or(self.writers), 1, 64)?;
        Ok(settings)
    }

    fn check_spilling(&self, spool: Option<&SpoolSettings>) -> Result<(), ConfigError> {
        if spool.is_none() && self.when_full == WhenFull::Spill {
            return Err(ConfigError::new("when_full", "cannot be `Spill` without a `spool`"));
        }
        Ok(())
    }

    /// A new id and the time, or what is wrong with it.
    pub(crate) fn stamp(&self) -> (Uuid, Result<Moment, &'static str>) {
        self.clock.stamp()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("table", &self.table)
            .field("default_mode", &self.default_mode)
            .field("environment", &self.environment)
            .field("mask", &self.mask)
            .finish_non_exhaustive()
    }
}

/// What is done about a failed record unless the user says otherwise.
fn log(error: &Error, record: &Record) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(%error, cause, id = %record.id(), event = record.event(), "an accepted audit event was not stored");
}

fn checked_environment(environment: String) -> Result<Arc<str>, ConfigError> {
    if environment.is_empty() {
        return Err(ConfigError::new(
            "environment",
            "must not be empty; leave it out, or clear it in a scope by `no_environment`",
        ));
    }
    check_text("environment", &environment, 128).map_err(|error| ConfigError::new("environment", error.reason()))?;
    Ok(environment.into())
}

fn within(key: &'static str, value: usize, least: usize, most: usize) -> Result<usize, ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(ConfigError::new(key, format!("must be from {least} to {most}")))
}

fn positive(key: &'static str, duration: Duration) -> Result<Duration, ConfigError> {
    if duration.is_zero() {
        return Err(ConfigError::new(key, "must be longer than zero"));
    }
    bounded(key, duration)
}

fn retries(retry_for: RetryFor) -> Result<RetryFor, ConfigError> {
    match retry_for {
        RetryFor::For(duration) => Ok(RetryFor::For(bounded("retry_for", duration)?)),
        RetryFor::Forever => Ok(RetryFor::Forever),
    }
}

/// Added to an instant, a longer one could overflow; and who asks for one means "never", which no wait here may be.
fn bounded(key: &'static str, duration: Duration) -> Result<Duration, ConfigError> {
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    if duration > LONGEST {
        return Err(ConfigError::new(key, "must be at most 24 hours"));
    }
    Ok(duration)
}
