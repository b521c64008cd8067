//! What is closed, and what became of a record on its way.

use std::{error::Error as StdError, fmt};

use uuid::Uuid;

use super::outcome::Outcome;

/// The thing asked is closed.
#[derive(Debug, Clone)]
pub struct ClosedError {
    what: &'static str,
    outcome: Outcome,
    record_id: Option<Uuid>,
}

impl ClosedError {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, outcome: Outcome::Rejected, record_id: None }
    }

    pub(crate) fn in_flight(what: &'static str, outcome: Outcome, id: Uuid) -> Self {
        Self { what, outcome, record_id: Some(id) }
    }

    /// The same, said of something that may have been done all the same.
    pub(crate) fn unknown(self) -> Self {
        Self { outcome: Outcome::Unknown, ..self }
    }

    /// What became of the record, where the call was about one.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The id of the record that was on its way, where there was one.
    pub fn record_id(&self) -> Option<Uuid> {
        self.record_id
    }

    pub(super) fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    pub(super) fn set_record_id(&mut self, id: Uuid) {
        self.record_id = Some(id);
    }
}

impl fmt::Display for ClosedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is closed", self.what)?;
        match (self.record_id, self.outcome) {
            (None, Outcome::Rejected) => Ok(()),
            (None, Outcome::Unknown) => f.write_str("; whether the transaction was committed is not known"),
            (Some(_), Outcome::Rejected) => f.write_str("; the record was not stored"),
            (Some(_), Outcome::Unknown) => f.write_str("; the record was on its way and may be stored"),
        }
    }
}

impl StdError for ClosedError {}
