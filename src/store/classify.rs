//! What a writer does about a failure: from the error's class, which comes from the SQLSTATE.
//!
//! | verdict | SQLSTATE |
//! |---|---|
//! | again | none, 08, 57P0x, 57014, 58, 25P03, 25006; 40001, 40P01, 55P03, 53; 26000, 42P05; whatever is not known |
//! | hold | 28, 3D, 3F, 42; 25P02, 0A000, 55000 |
//! | refused | 22, 23, 54, P0001; whatever a trigger raised; a missing partition (23514 without a constraint); row-level security |
//! | final | none: the pool was closed by its owner |

use crate::error::{Error, ErrorClass};

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The database is away or busy: the same again, after a pause.
    Again,
    /// The database is not as it must be, and no record is to blame: whoever waits is told, the rest is kept.
    Hold,
    /// One of the records may be to blame.
    Refused,
    /// Nothing will ever be stored.
    Final,
}

pub(crate) fn verdict(error: &Error) -> Verdict {
    if error.is_record_refused() {
        return Verdict::Refused;
    }
    match error.class() {
        Some(ErrorClass::Transient | ErrorClass::Contention | ErrorClass::Statement) => Verdict::Again,
        Some(ErrorClass::Environment) => Verdict::Hold,
        Some(ErrorClass::Record) => Verdict::Refused,
        None => Verdict::Final,
    }
}
