//! From a failure to what can be said about trying again.

use std::{
    error::Error as _,
    io::{self, ErrorKind},
};

use tokio_postgres::error::DbError;

use super::tls;

/// What a failure of PostgreSQL, or of the way to it, says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
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

impl ErrorClass {
    pub(super) fn of(db: &DbError) -> Self {
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

    /// The same where PostgreSQL said nothing, and the driver failed.
    pub(super) fn unanswered(error: &tokio_postgres::Error) -> Self {
        // The driver keeps the kinds of its errors to itself: these are the words of those that stay until the
        // connection string or the server is another.
        const LASTING: [&str; 3] = ["invalid configuration", "authentication error", "error performing TLS handshake"];
        let words = error.to_string();
        if tls::is_refused_by_server(error) {
            return Self::Environment;
        }
        if LASTING.iter().any(|lasting| words.starts_with(lasting)) && !broken_off(error) {
            return Self::Environment;
        }
        Self::Transient
    }
}

/// Whether the network ended it, in the middle of a TLS handshake.
fn broken_off(error: &tokio_postgres::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    matches!(
        cause,
        Some(
            ErrorKind::UnexpectedEof
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::TimedOut
        )
    )
}
