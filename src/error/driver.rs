//! Failures of PostgreSQL and of the way to it: what class they are of, what became of the record, what to do.

use std::{error::Error as StdError, fmt, sync::Arc};

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::DbError;
use uuid::Uuid;

use super::{ClosedError, Error, Outcome};
use crate::table::TableName;

type Source = Arc<dyn StdError + Send + Sync + 'static>;

/// What was being done when the database failed: the words and the advice of the error come from here.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task<'t> {
    /// Opening a connection.
    Connect,
    /// Creating or checking a table.
    Prepare(&'t TableName),
    /// Storing records.
    Store(&'t TableName),
    /// Storing a record in the caller's transaction: whatever fails, nothing is stored, since nothing is committed.
    StoreIn(&'t TableName),
    /// Reading records.
    Read(&'t TableName),
}

impl Task<'_> {
    fn words(self) -> String {
        match self {
            Self::Connect => "connecting to PostgreSQL".to_owned(),
            Self::Prepare(table) => format!("preparing the table {table}"),
            Self::Store(table) | Self::StoreIn(table) => format!("storing in {table}"),
            Self::Read(table) => format!("reading {table}"),
        }
    }

    /// What is known of the record when no answer came.
    fn unanswered(self) -> Outcome {
        match self {
            Self::Store(_) => Outcome::Unknown,
            Self::Connect | Self::Prepare(_) | Self::StoreIn(_) | Self::Read(_) => Outcome::Rejected,
        }
    }

    fn table(&self) -> Option<&TableName> {
        match self {
            Self::Prepare(table) | Self::Store(table) | Self::StoreIn(table) | Self::Read(table) => Some(table),
            Self::Connect => None,
        }
    }

    /// Gives an error of the driver its words, class and advice, and takes the row out of it.
    pub(crate) fn failed(self, error: tokio_postgres::Error) -> Error {
        let Some(db) = error.as_db_error() else {
            let advice = "check that PostgreSQL runs and can be reached at the host and port of the connection string";
            return self.error(
                Class::Transient,
                self.unanswered(),
                Some(advice.to_owned()),
                None,
                Some(Arc::new(error)),
            );
        };
        let class = Class::of(db);
        let lost = class == Class::Transient && db.code().code() != "25006";
        let outcome = if lost { self.unanswered() } else { Outcome::Rejected };
        self.error(class, outcome, self.advice(db), Some(ServerError::of(db, class)), None)
    }

    /// The same for the pool. A failed connection attempt has stored nothing.
    pub(crate) fn no_connection(self, error: PoolError) -> Error {
        let (advice, source): (_, Option<Source>) = match error {
            PoolError::Backend(error) => return Task::Connect.failed(error),
            PoolError::Closed => return ClosedError::new("the connection pool").into(),
            PoolError::Timeout(TimeoutType::Wait) => return self.no_free_connection(),
            PoolError::Timeout(_) => (
                "PostgreSQL did not answer within `connect_timeout`: check the host and port, and whether it is stalled",
                None,
            ),
            other => ("check the pool's configuration", Some(Arc::new(other))),
        };
        Task::Connect.error(Class::Transient, Outcome::Rejected, Some(advice.to_owned()), None, source)
    }

    /// All connections were in use for too long.
    pub(crate) fn no_free_connection(self) -> Error {
        let advice = "no connection became free within `acquire_timeout`: raise `pool_size`, or find what holds them";
        self.error(Class::Contention, Outcome::Rejected, Some(advice.to_owned()), None, None)
    }

    /// No answer came in time.
    pub(crate) fn timed_out(self) -> Error {
        let advice = "no answer within `statement_timeout`: look for locks on the table and for a stalled server";
        self.error(Class::Transient, self.unanswered(), Some(advice.to_owned()), None, None)
    }

    /// The rows came, and hold what no record can: a column of another type, a time beyond the year 9999.
    pub(crate) fn unreadable(self, error: tokio_postgres::Error) -> Error {
        let advice = "a row does not have the types of an audit table: compare its columns with `tracevault init-sql`";
        self.error(Class::Environment, Outcome::Rejected, Some(advice.to_owned()), None, Some(Arc::new(error)))
    }

    /// The database is not as it must be, as we found ourselves.
    pub(crate) fn unprepared(self, advice: String) -> Error {
        self.error(Class::Environment, Outcome::Rejected, Some(advice), None, None)
    }

    /// The database is away, says the test recorder.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "only the recorder's"))]
    pub(crate) fn unavailable(self, advice: String) -> Error {
        self.error(Class::Transient, Outcome::Rejected, Some(advice), None, None)
    }

    fn error(
        self,
        class: Class,
        outcome: Outcome,
        advice: Option<String>,
        server: Option<ServerError>,
        source: Option<Source>,
    ) -> Error {
        let doing = self.words();
        DriverError(Box::new(Failure { doing, advice, class, outcome, record_id: None, server, source })).into()
    }

    fn advice(self, db: &DbError) -> Option<String> {
        let table = self.table();
        let advice = match (db.code().code(), self) {
            ("42P01", _) => return table.map(create_table),
            ("42703" | "42704" | "42P10", _) => {
                return table.map(|table| format!("the table is not of this version's shape: {}", create_table(table)));
            }
            ("3F000", _) => "the schema does not exist: CREATE SCHEMA it, or correct `schema`".to_owned(),
            ("42501", Self::Read(table)) => format!("GRANT SELECT ON {table} TO this user"),
            ("42501", Self::Store(table) | Self::StoreIn(table)) => {
                format!("GRANT INSERT, SELECT (id) ON {table} TO this user")
            }
            ("42501", _) => {
                "this user may not do that: use the owner of the table, or create the table beforehand".to_owned()
            }
            ("28P01" | "28000", _) => {
                "check the user and the password of the connection string, and pg_hba.conf".to_owned()
            }
            ("3D000", _) => "check the database name of the connection string".to_owned(),
            ("53300", _) => {
                "PostgreSQL has no connection left: lower `pool_size`, or raise its max_connections".to_owned()
            }
            ("25P02", _) => "an earlier statement of this transaction failed: roll it back".to_owned(),
            ("25006", _) => "this server only reads: connect to the primary".to_owned(),
            ("57014", _) => "PostgreSQL cancelled the statement: see its statement_timeout".to_owned(),
            ("23514", _) if db.constraint().is_none() => {
                "the partition for this record is missing: create it".to_owned()
            }
            _ => return None,
        };
        Some(advice)
    }
}

/// The command that makes a table.
pub(crate) fn create_table(table: &TableName) -> String {
    let schema = table.schema().map(|schema| format!(" --schema {schema}")).unwrap_or_default();
    format!("create it: tracevault init-sql {}{schema} | psql \"$DATABASE_URL\"", table.name())
}

/// What an error of the driver says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The connection or the server went away: again, on a new connection.
    Transient,
    /// The server is busy or the transaction lost a race: again, on the same connection.
    Contention,
    /// The connection no longer knows a prepared statement: again, with its statements cleared.
    Statement,
    /// The database is not as it must be (a table, a permission, a password): a person has to act.
    Environment,
    /// The record itself is refused.
    Record,
}

impl Class {
    fn of(db: &DbError) -> Self {
        let code = db.code().code();
        match code {
            "25P03" | "25006" => Self::Transient,
            "40001" | "40P01" | "55P03" => Self::Contention,
            "26000" | "42P05" => Self::Statement,
            "25P02" => Self::Environment,
            "23514" if db.constraint().is_none() => Self::Environment,
            "P0001" => Self::Record,
            _ => match code.get(..2).unwrap_or_default() {
                "53" => Self::Contention,
                "28" | "3D" | "3F" | "42" => Self::Environment,
                "22" | "23" | "54" => Self::Record,
                // 08, 57P0x, 58, and whatever is not known: nothing can be said but that another try may go through.
                _ => Self::Transient,
            },
        }
    }
}

/// A failure of PostgreSQL or of the way to it.
#[derive(Debug, Clone)]
pub struct DriverError(Box<Failure>);

/// Boxed, since it is large, and every function that can fail would move it.
#[derive(Debug, Clone)]
struct Failure {
    doing: String,
    advice: Option<String>,
    class: Class,
    outcome: Outcome,
    record_id: Option<Uuid>,
    server: Option<ServerError>,
    source: Option<Source>,
}

impl DriverError {
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

    pub(super) fn class(&self) -> Class {
        self.0.class
    }

    /// A missing partition, or whatever a function (a trigger) raised: of another row it may not be true.
    pub(super) fn depends_on_the_row(&self) -> bool {
        self.server_error().is_some_and(|server| server.may_quote || server.sqlstate == "23514")
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    pub(super) fn record_id(&self) -> Option<Uuid> {
        self.0.record_id
    }

    pub(super) fn set_record_id(&mut self, id: Uuid) {
        self.0.record_id = Some(id);
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

/// What is kept of an error that PostgreSQL reported: never its DETAIL, HINT or CONTEXT, which quote rows.
#[derive(Clone)]
pub struct ServerError {
    sqlstate: String,
    severity: String,
    message: String,
    /// The row is at fault, not the circumstances.
    refused: bool,
    may_quote: bool,
    constraint: Option<String>,
    column: Option<String>,
}

impl ServerError {
    fn of(db: &DbError, class: Class) -> Self {
        Self {
            sqlstate: db.code().code().to_owned(),
            severity: db.severity().to_owned(),
            message: db.message().to_owned(),
            refused: class == Class::Record,
            // With a context it came from inside a function: a trigger may say anything, under any SQLSTATE.
            may_quote: class == Class::Record || db.where_().is_some(),
            constraint: db.constraint().map(ToOwned::to_owned),
            column: db.column().map(ToOwned::to_owned),
        }
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
