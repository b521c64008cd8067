//! What PostgreSQL itself said.

use std::{error::Error as StdError, fmt};

use tokio_postgres::error::DbError;

use super::class::ErrorClass;

/// What is kept of an error that PostgreSQL reported: never its DETAIL, HINT or CONTEXT, which quote rows.
#[derive(Clone)]
pub struct ServerError {
    sqlstate: String,
    severity: String,
    message: String,
    /// The row is at fault, not the circumstances.
    refused: bool,
    may_quote: bool,
    by_row: bool,
    constraint: Option<String>,
    column: Option<String>,
}

impl ServerError {
    pub(super) fn of(db: &DbError, class: ErrorClass) -> Self {
        Self {
            sqlstate: db.code().code().to_owned(),
            severity: db.severity().to_owned(),
            message: db.message().to_owned(),
            refused: class == ErrorClass::Record,
            // With a context it came from inside a function: a trigger may say anything, under any SQLSTATE.
            may_quote: class == ErrorClass::Record || db.where_().is_some(),
            // Row-level security and WITH CHECK OPTION, which have the code of a missing grant: only the place in the
            // server's source that said it tells them apart, in every language.
            by_row: (db.where_().is_some() && !of_the_process(db))
                || db.code().code() == "23514"
                || db.routine() == Some("ExecWithCheckOptions"),
            constraint: db.constraint().map(ToOwned::to_owned),
            column: db.column().map(ToOwned::to_owned),
        }
    }

    /// Of another row it may not be true: a missing partition, a policy, or whatever a function (a trigger) raised.
    pub(super) fn depends_on_the_row(&self) -> bool {
        self.by_row
    }

    /// The five characters by which PostgreSQL names the error.
    pub fn sqlstate(&self) -> &str {
        &self.sqlstate
    }

    /// The constraint that was broken, where there is one.
    pub fn constraint(&self) -> Option<&str> {
        self.constraint.as_deref()
    }

    /// The column at fault, where PostgreSQL names one.
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }

    /// PostgreSQL's primary message. It may quote a value of the row: look before it goes into a log.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Whether the server process itself was stopped in the middle of it: a deadlock, a time-out, a cancel, a shutdown. Their
/// context is where that was, and not who raised it.
fn of_the_process(db: &DbError) -> bool {
    matches!(db.routine(), Some("DeadLockReport" | "ProcessInterrupts"))
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.severity)?;
        if !self.may_quote {
            return f.write_str(&self.message);
        }
        f.write_str(if self.refused { "PostgreSQL refused the row" } else { "PostgreSQL refused the statement" })?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        if let Some(constraint) = &self.constraint {
            write!(f, ", constraint {constraint}")?;
        }
        f.write_str(" (its message is withheld, as it may quote the row)")
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerError({}, {self})", self.sqlstate)
    }
}

impl StdError for ServerError {}
