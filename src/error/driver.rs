//! Failures of PostgreSQL and of the way to it.

use std::{error::Error as StdError, fmt, sync::Arc};

use uuid::Uuid;

use super::{class::ErrorClass, outcome::Outcome, server::ServerError};

pub(super) type Source = Arc<dyn StdError + Send + Sync + 'static>;

/// A failure of PostgreSQL or of the way to it.
#[derive(Debug, Clone)]
pub struct DriverError(Box<Failure>);

/// Boxed, since it is large, and every function that can fail would move it.
#[derive(Debug, Clone)]
struct Failure {
    doing: String,
    advice: Option<String>,
    class: ErrorClass,
    outcome: Outcome,
    record_id: Option<Uuid>,
    server: Option<ServerError>,
    source: Option<Source>,
}

impl DriverError {
    pub(super) fn new(
        doing: String,
        class: ErrorClass,
        outcome: Outcome,
        advice: Option<String>,
        server: Option<ServerError>,
        source: Option<Source>,
    ) -> Self {
        Self(Box::new(Failure { doing, advice, class, outcome, record_id: None, server, source }))
    }

    /// The five characters by which PostgreSQL names the error.
    pub fn sqlstate(&self) -> Option<&str> {
        self.0.server.as_ref().map(ServerError::sqlstate)
    }

    /// What PostgreSQL said, where it was PostgreSQL that failed.
    pub fn server_error(&self) -> Option<&ServerError> {
        self.0.server.as_ref()
    }

    /// What to do about it, in words, where that is known.
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    /// What became of the record, where the call was about one.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The id of the record that could not be stored, where the call was about one.
    pub fn record_id(&self) -> Option<Uuid> {
        self.0.record_id
    }

    pub(super) fn class(&self) -> ErrorClass {
        self.0.class
    }

    pub(super) fn depends_on_the_row(&self) -> bool {
        self.server_error().is_some_and(ServerError::depends_on_the_row)
    }

    pub(super) fn set_outcome(&mut self, outcome: Outcome) {
        self.0.outcome = outcome;
    }

    pub(super) fn set_record_id(&mut self, id: Uuid) {
        self.0.record_id = Some(id);
    }

    pub(super) fn set_rejected(&mut self, advice: &str) {
        self.0.outcome = Outcome::Rejected;
        self.0.advice = Some(advice.to_owned());
    }
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.0.doing)?;
        if let Some(state) = self.sqlstate() {
            write!(f, " (SQLSTATE {state})")?;
        }
        if let Some(advice) = &self.0.advice {
            write!(f, "; {advice}")?;
        }
        Ok(())
    }
}

impl StdError for DriverError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match (&self.0.server, &self.0.source) {
            (Some(server), _) => Some(server),
            (None, Some(source)) => Some(source.as_ref()),
            (None, None) => None,
        }
    }
}
