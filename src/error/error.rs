//! The one type of all failures, and what callers ask of it.

use uuid::Uuid;

use super::{
    class::ErrorClass, closed::ClosedError, config::ConfigError, driver::DriverError, outcome::Outcome,
    queue_full::QueueFullError, spool::SpoolError, validation::ValidationError,
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
    /// The spool failed, or is full (feature `spool`).
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl Error {
    /// Whether the same call may succeed later, unchanged.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Driver(error) => {
                matches!(error.class(), ErrorClass::Transient | ErrorClass::Contention | ErrorClass::Statement)
            }
            Self::QueueFull(_) => true,
            Self::Spool(error) => error.is_retryable(),
            Self::Config(_) | Self::Validation(_) | Self::Closed(_) => false,
        }
    }

    /// The kind of failure, where it is one of PostgreSQL or of the way to it.
    pub fn class(&self) -> Option<ErrorClass> {
        match self {
            Self::Driver(error) => Some(error.class()),
            Self::Config(_) | Self::Validation(_) | Self::Closed(_) | Self::QueueFull(_) | Self::Spool(_) => None,
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
            Self::Closed(error) => error.record_id(),
            Self::Spool(error) => error.record_id(),
            _ => None,
        }
    }

    /// What became of the record.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Driver(error) => error.outcome(),
            Self::Closed(error) => error.outcome(),
            Self::Spool(error) => error.outcome(),
            Self::Config(_) | Self::Validation(_) | Self::QueueFull(_) => Outcome::Rejected,
        }
    }

    /// Whether the record is refused for what it is, so that another may well be stored: it breaks a rule of this
    /// crate, a constraint or a limit of the table, or a trigger raised an error. Said of a trigger's error whatever
    /// its SQLSTATE, so that one that [`is_retryable`](Self::is_retryable) may be meant too.
    ///
    /// ```
    /// # #[path = "../../tests/support/mod.rs"] mod support;
    /// use tracevault::{Config, Event, Tracevault};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let database = support::database(support::Purpose::Tests)?;
    /// # let url = database.url();
    /// let audit = Tracevault::connect(Config::new(url).table_name("doc_refused").ensure_schema(true)).await?;
    /// let mut refused = Vec::new();
    /// for name in ["order.paid", "", "order.shipped"] {
    ///     match audit.emit(Event::new(name)).await {
    ///         Err(error) if error.is_record_refused() => refused.push(error),
    ///         // With a failure of the database, the next would fail as well.
    ///         other => drop(other?),
    ///     }
    /// }
    /// assert_eq!(refused.len(), 1);
    /// # audit.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_record_refused(&self) -> bool {
        match self {
            Self::Validation(_) => true,
            Self::Driver(error) => error.class() == ErrorClass::Record || error.depends_on_the_row(),
            Self::Config(_) | Self::Closed(_) | Self::QueueFull(_) | Self::Spool(_) => false,
        }
    }

    /// The same error, where more, or less, is known of the record.
    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        match &mut self {
            Self::Driver(driver) => driver.set_outcome(outcome),
            Self::Closed(closed) => closed.set_outcome(outcome),
            Self::Spool(spool) => spool.set_outcome(outcome),
            Self::Config(_) | Self::Validation(_) | Self::QueueFull(_) => {}
        }
        self
    }

    /// The same error, said of one record of the batch that failed.
    pub(crate) fn of_record(&self, id: Uuid) -> Self {
        let mut error = self.clone();
        match &mut error {
            Self::Driver(driver) => driver.set_record_id(id),
            Self::Closed(closed) => closed.set_record_id(id),
            Self::Spool(spool) => spool.set_record_id(id),
            Self::Config(_) | Self::Validation(_) | Self::QueueFull(_) => {}
        }
        error
    }

    /// The same error, now that PostgreSQL has told that nothing is stored.
    pub(crate) fn rejected(mut self) -> Self {
        if let Self::Driver(driver) = &mut self {
            driver.set_rejected("its answer was lost, and PostgreSQL has rolled it back");
        }
        self
    }
}
