//! Where records are kept: the seam between the queue, which knows nothing of PostgreSQL, and PostgreSQL.
//!
//! - `classify`: what a writer does about a failure.
//! - `postgres`: the store on a pool, and its choice among the ways below, by the size of the batch.
//! - `insert`: one statement, of one row or of many. `copy`: binary COPY. `sql`: their texts, made once a table.
//! - `prepare`: tables before the first record.

mod classify;
mod copy;
mod insert;
mod postgres;
mod prepare;
mod sql;

use std::pin::Pin;

pub(crate) use self::{
    classify::{Verdict, verdict},
    insert::Insert,
    postgres::PgStore,
    prepare::prepare,
};
use crate::{error::Error, record::Record, table::TableName};

pub(crate) type BoxFuture<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// Keeps records.
pub(crate) trait Store: Send + Sync {
    /// Stores all of the batch or nothing, and answers which of its records (by index, rising) were there already.
    /// `again`: an answer was lost, so that some of it may be there.
    fn write<'s>(
        &'s self,
        table: &'s TableName,
        batch: &'s [Record],
        again: bool,
    ) -> BoxFuture<'s, Result<Vec<usize>, Error>>;

    /// Whether the table takes records now: this one is stored under another id, and taken back.
    fn trial<'s>(&'s self, table: &'s TableName, record: &'s Record) -> BoxFuture<'s, Result<(), Error>>;

    /// Whether it can be reached.
    fn answers(&self) -> BoxFuture<'_, bool>;
}
