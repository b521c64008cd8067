//! The one type of all failures, and what callers ask of it.

use uuid::Uuid;

use super::{
    class::Class, closed::ClosedError, config::ConfigError, driver::DriverError, outcome::Outcome,
    queue_full::QueueFullError, validation::ValidationError,
};

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
