//! What can go wrong, in one type.
//!
//! Why it looks like this: an error prints its own level only, and its cause once, through
//! [`source()`](std::error::Error::source), so that a chain printed by any reporter says each thing once. Callers
//! decide by predicates, not by matching text. Nothing here ever holds a payload value, a connection string or the
//! server's DETAIL line, because errors end up in logs; that is why a server's own error is reduced to
//! [`ServerError`] before it is kept.

mod driver;

use std::{borrow::Cow, error::Error as StdError, fmt};

use uuid::Uuid;

use self::driver::Class;
pub use self::driver::{DriverError, ServerError};
pub(crate) use self::driver::{Task, create_table};

/// Everything that this crate's functions fail with.
///
/// ```
/// use tracevault::{generate_init_sql, Error};
///
/// let error = generate_init_sql("audit-logs").unwrap_err();
/// assert!(matches!(error, Error::Config(_)));
/// assert!(!error.is_retryable());
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
#[doc(alias = "TracevaultError")]
pub enum Error {
    /// A setting is wrong; nothing was started.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An event or a filter is wrong; nothing was stored or read.
    #[error(transparent)]
    Validation(#[from] ValidationError),
    /// The database, or the way to it, failed.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The root, the scope or the query was closed, or its runtime ended.
    #[error(transparent)]
    Closed(#[from] ClosedError),
    /// The queue is full, and the emit was not to wait.
    #[error(transparent)]
    QueueFull(#[from] QueueFullError),
}

/// What became of the record of a failed emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing was stored.
    Rejected,
    /// The record may or may not be stored: the answer was lost. Emitting it again with the same
    /// [`id`](crate::Event::id) is safe.
    Unknown,
}

impl Error {
    /// Whether the same call may succeed later, unchanged.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Driver(error) => matches!(error.class(), Class::Transient | Class::Contention | Class::Statement),
            Self::QueueFull(_) => true,
            Self::Config(_) | Self::Validation(_) | Self::Closed(_) => false,
        }
    }

    /// Whether the cause is a `close`, or the end of the runtime that the writers lived on.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }

    /// The five characters by which PostgreSQL names the error, where it came from PostgreSQL.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Driver(error) => error.sqlstate(),
            _ => None,
        }
    }

    /// The id of the record that this is about: emit the event again with it, and it is stored at most once.
    pub fn record_id(&self) -> Option<Uuid> {
        match self {
            Self::Driver(error) => error.record_id(),
            Self::Closed(error) => error.record_id,
            _ => None,
        }
    }

    /// What became of the record.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Driver(error) => error.outcome(),
            Self::Closed(error) => error.outcome,
            Self::Config(_) | Self::Validation(_) | Self::QueueFull(_) => Outcome::Rejected,
        }
    }

    /// Whether one record of a batch is to blame, so that the others can be stored without it.
    pub(crate) fn blames_a_record(&self) -> bool {
        matches!(self, Self::Driver(error) if error.class() == Class::Record || error.depends_on_the_row())
    }

    /// The same error, said of one record of the batch that failed.
    pub(crate) fn of_record(&self, id: Uuid) -> Self {
        let mut error = self.clone();
        match &mut error {
            Self::Driver(driver) => driver.set_record_id(id),
            Self::Closed(closed) => closed.record_id = Some(id),
            Self::Config(_) | Self::Validation(_) | Self::QueueFull(_) => {}
        }
        error
    }
}

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

/// The thing asked is closed.
#[derive(Debug, Clone)]
pub struct ClosedError {
    pub(crate) what: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) record_id: Option<Uuid>,
}

impl ClosedError {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, outcome: Outcome::Rejected, record_id: None }
    }

    pub(crate) fn in_flight(what: &'static str, outcome: Outcome, id: Uuid) -> Self {
        Self { what, outcome, record_id: Some(id) }
    }
}

impl fmt::Display for ClosedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is closed", self.what)?;
        match (self.record_id, self.outcome) {
            (None, _) => Ok(()),
            (Some(_), Outcome::Rejected) => f.write_str("; the record was not stored"),
            (Some(_), Outcome::Unknown) => f.write_str("; the record was on its way and may be stored"),
        }
    }
}

impl StdError for ClosedError {}

/// The queue has no room, and the emit was not to wait.
#[derive(Debug, Clone)]
pub struct QueueFullError {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
}

impl QueueFullError {
    /// How many records were waiting or on their way.
    pub fn records(&self) -> usize {
        self.records
    }

    /// How many bytes they took.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl fmt::Display for QueueFullError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the queue is full ({} records, {} bytes); nothing was stored: try again later, or raise `queue_capacity` or `queue_bytes`",
            self.records, self.bytes
        )
    }
}

impl StdError for QueueFullError {}
