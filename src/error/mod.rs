//! What can go wrong, in one type.
//!
//! Why it looks like this: an error prints its own level only, and its cause once, through
//! [`source()`](std::error::Error::source), so that a chain printed by any reporter says each thing once. Callers
//! decide by predicates, not by matching text. Nothing here ever holds a payload value, a connection string or the
//! server's DETAIL line, because errors end up in logs; that is why a server's own error is reduced to
//! [`ServerError`] before it is kept.

mod class;
mod closed;
mod config;
mod driver;
#[expect(clippy::module_inception, reason = "the module is named for what it holds")]
mod error;
mod outcome;
mod queue_full;
mod server;
mod spool;
mod task;
mod tls;
mod validation;

pub use self::{
    class::ErrorClass, closed::ClosedError, config::ConfigError, driver::DriverError, error::Error, outcome::Outcome,
    queue_full::QueueFullError, server::ServerError, spool::SpoolError, validation::ValidationError,
};
pub(crate) use self::{
    spool::SpoolFault,
    task::{Task, create_table},
};
