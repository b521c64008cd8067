//! What was being done when the database failed: the words and the advice of the error come from here.

use std::sync::Arc;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::{DbError, Severity};

use super::{
    class::ErrorClass,
    closed::ClosedError,
    driver::{DriverError, Source},
    error::Error,
    outcome::Outcome,
    server::ServerError,
    tls,
};
use crate::table::TableName;

/// What was being done.
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
    /// Asking what a transaction of the caller's is, or what became of it.
    Probe,
    /// Committing a transaction of the caller's.
    Commit,
    /// Something with a traffic table: the word for it stands before the table.
    #[cfg_attr(not(feature = "traffic"), expect(dead_code, reason = "only the roof's"))]
    Traffic(&'static str, &'t TableName),
}

impl Task<'_> {
    fn words(self) -> String {
        match self {
            Self::Connect => "connecting to PostgreSQL".to_owned(),
            Self::Prepare(table) => format!("preparing the table {table}"),
            Self::Store(table) | Self::StoreIn(table) => format!("storing in {table}"),
            Self::Read(table) => format!("reading {table}"),
            Self::Probe => "asking PostgreSQL about a transaction".to_owned(),
            Self::Commit => "committing the transaction".to_owned(),
            Self::Traffic(doing, table) => format!("{doing} {table}"),
        }
    }

    /// What is known of the record when no answer came.
    fn unanswered(self) -> Outcome {
        match self {
            Self::Store(_) | Self::Commit => Outcome::Unknown,
            Self::Connect | Self::Prepare(_) | Self::StoreIn(_) | Self::Read(_) | Self::Probe | Self::Traffic(..) => {
                Outcome::Rejected
            }
        }
    }

    fn table(&self) -> Option<&TableName> {
        match self {
            Self::Prepare(table) | Self::Store(table) | Self::StoreIn(table) | Self::Read(table) => Some(table),
            Self::Connect | Self::Probe | Self::Commit | Self::Traffic(..) => None,
        }
    }

    /// Gives an error of the driver its words, class and advice, and takes the row out of it.
    pub(crate) fn failed(self, error: tokio_postgres::Error) -> Error {
        let Some(db) = error.as_db_error() else {
            let class = ErrorClass::unanswered(&error);
            let usual = if class == ErrorClass::Environment {
                "the connection string and the server ask for different things, such as a password or TLS: see the cause"
            } else {
                "check that PostgreSQL runs and can be reached at the host and port of the connection string"
            };
            let advice = tls::advice(&error).unwrap_or_else(|| usual.to_owned());
            return self.error(class, self.unanswered(), Some(advice), None, Some(Arc::new(error)));
        };
        let class = ErrorClass::of(db);
        let outcome = if is_undone(db, class) { Outcome::Rejected } else { self.unanswered() };
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
        Task::Connect.error(ErrorClass::Transient, Outcome::Rejected, Some(advice.to_owned()), None, source)
    }

    /// All connections were in use for too long.
    pub(crate) fn no_free_connection(self) -> Error {
        let advice = "no connection became free within `acquire_timeout`: raise `pool_size`, or find what holds them";
        self.error(ErrorClass::Contention, Outcome::Rejected, Some(advice.to_owned()), None, None)
    }

    /// No answer came in time.
    pub(crate) fn timed_out(self) -> Error {
        let advice = "no answer within `statement_timeout`: look for locks on the table and for a stalled server";
        self.error(ErrorClass::Transient, self.unanswered(), Some(advice.to_owned()), None, None)
    }

    /// No answer came within the time that a sync emit has.
    pub(crate) fn too_late(self) -> Error {
        let advice = "not stored within `emit_timeout`: look for locks on the table, a stalled server, and a queue that \
                      grows faster than it is stored";
        self.error(ErrorClass::Transient, self.unanswered(), Some(advice.to_owned()), None, None)
    }

    /// The rows came, and hold what no record can: a column of another type, a time beyond the year 9999.
    pub(crate) fn unreadable(self, error: tokio_postgres::Error) -> Error {
        let advice = "a row does not have the types of an audit table: compare its columns with `tracevault init-sql`";
        self.error(ErrorClass::Environment, Outcome::Rejected, Some(advice.to_owned()), None, Some(Arc::new(error)))
    }

    /// The database is not as it must be, as we found ourselves.
    pub(crate) fn unprepared(self, advice: String) -> Error {
        self.error(ErrorClass::Environment, Outcome::Rejected, Some(advice), None, None)
    }

    /// PostgreSQL says so, where the driver had nothing to report.
    pub(crate) fn rolled_back(self) -> Error {
        let advice = "it was rolled back: by you, or by COMMIT itself, since an earlier statement had failed";
        self.error(ErrorClass::Environment, Outcome::Rejected, Some(advice.to_owned()), None, None)
    }

    /// Nobody could tell what became of it.
    pub(crate) fn unresolved(self, advice: &str, cause: Option<Error>) -> Error {
        if let Some(Error::Closed(closed)) = cause {
            return closed.unknown().into();
        }
        let source = cause.map(|cause| Arc::new(cause) as Source);
        self.error(ErrorClass::Transient, Outcome::Unknown, Some(advice.to_owned()), None, source)
    }

    /// The database is away, says the test recorder.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "only the recorder's"))]
    pub(crate) fn unavailable(self, advice: String) -> Error {
        self.error(ErrorClass::Transient, Outcome::Rejected, Some(advice), None, None)
    }

    fn error(
        self,
        class: ErrorClass,
        outcome: Outcome,
        advice: Option<String>,
        server: Option<ServerError>,
        source: Option<Source>,
    ) -> Error {
        DriverError::new(self.words(), class, outcome, advice, server, source).into()
    }

    fn advice(self, db: &DbError) -> Option<String> {
        let table = self.table();
        let advice = match (db.code().code(), self) {
            ("42P01" | "42703" | "42883" | "42P10", Self::Traffic(..)) => {
                "the traffic tables are missing, or not of this version's shape: call `Traffic::ensure_schema`, or run the \
                 output of `tracevault init-sql TABLE --traffic`"
                    .to_owned()
            }
            ("42P01", _) => return table.map(create_table),
            ("42703" | "42704" | "42P10", _) => {
                return table.map(|table| format!("the table is not of this version's shape: {}", create_table(table)));
            }
            ("3F000", _) => "the schema does not exist: CREATE SCHEMA it, or correct `schema`".to_owned(),
            ("42501", Self::Read(table)) => format!("GRANT SELECT ON {table} TO this user"),
            ("42501", Self::Store(table) | Self::StoreIn(table)) => {
                format!("GRANT INSERT, SELECT (id) ON {table} TO this user")
            }
            ("42501", Self::Probe) => {
                "GRANT EXECUTE ON FUNCTION pg_control_system(), pg_control_checkpoint(), pg_control_recovery() TO this user"
                    .to_owned()
            }
            ("42883", Self::Probe) => "this needs PostgreSQL 13 or later".to_owned(),
            ("42501", _) => {
                "this user may not do that: use the owner of the table, or create the table beforehand".to_owned()
            }
            ("28P01" | "28000", _) => {
                "check the user and the password of the connection string, and pg_hba.conf, which may ask for TLS or for a \
                 client's certificate"
                    .to_owned()
            }
            ("3D000", _) => "check the database name of the connection string".to_owned(),
            ("53300", _) => {
                "PostgreSQL has no connection left: lower `pool_size`, or raise its max_connections".to_owned()
            }
            ("25P02", _) => "an earlier statement of this transaction failed: roll it back".to_owned(),
            ("25006", _) => "this server only reads: connect to the primary, or name all servers as hosts and say \
                             `target_session_attrs=primary`"
                .to_owned(),
            ("57014", _) => "PostgreSQL cancelled the statement: see its statement_timeout".to_owned(),
            ("23514", _) if db.constraint().is_none() => {
                "the partition for this record is missing: create it".to_owned()
            }
            _ => return None,
        };
        Some(advice)
    }
}

/// Whether PostgreSQL has undone the statement that it answers so. An ERROR undoes it; what is graver ends the
/// connection, at whatever point it was.
fn is_undone(db: &DbError, class: ErrorClass) -> bool {
    let code = db.code().code();
    if code.starts_with("08") || code == "40003" {
        // Of connections, which a pooler may say of one behind it; and "completion unknown".
        return false;
    }
    match db.parsed_severity() {
        Some(severity) => severity == Severity::Error,
        None => class != ErrorClass::Transient,
    }
}

/// The command that makes a table.
pub(crate) fn create_table(table: &TableName) -> String {
    let schema = table.schema().map(|schema| format!(" --schema {schema}")).unwrap_or_default();
    format!("create it: tracevault init-sql {}{schema} | psql \"$DATABASE_URL\"", table.name())
}
