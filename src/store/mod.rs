//! Where records are kept: the seam between the queue, which knows nothing of PostgreSQL, and PostgreSQL.

mod postgres;
mod prepare;

use std::pin::Pin;

pub(crate) use self::{
    postgres::{Insert, PgStore},
    prepare::prepare,
};
use crate::{error::Error, record::Record, table::TableName};

pub(crate) type BoxFuture<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// Keeps records.
pub(crate) trait Store: Send + Sync {
    /// Stores all of the batch or nothing, and answers which of its records (by index) were there already.
    fn write<'s>(&'s self, table: &'s TableName, batch: &'s [Record]) -> BoxFuture<'s, Result<Vec<usize>, Error>>;

    /// Whether it can be reached.
    fn answers(&self) -> BoxFuture<'_, bool>;
}
