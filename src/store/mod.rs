//! Where records are kept: the seam between the queue, which knows nothing of PostgreSQL, and PostgreSQL.
//!
//! - `classify`: what a writer does about a failure.
//! - `postgres`: the store on a pool. `session`: a batch on one of its connections, in the way that suits its size.
//! - `turn`: the order in which two sessions of one writer commit.
//! - `insert`: one statement, of one row or of many. `copy`: binary COPY. `sql`: their texts, made once a table.
//! - `prepare`: tables before the first record.

mod classify;
mod copy;
#[cfg(test)]
pub(crate) mod fake;
mod insert;
mod postgres;
mod prepare;
mod session;
mod sql;
mod turn;

use std::{pin::Pin, sync::Arc};

pub(crate) use self::{
    classify::{Verdict, verdict},
    insert::Insert,
    postgres::PgStore,
    prepare::prepare,
    turn::{NextGoes, Turn},
};
use crate::{error::Error, record::Record, table::TableName};

pub(crate) type BoxFuture<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// Records that go to the store together.
pub(crate) type Batch = Arc<Vec<Record>>;

/// Keeps records.
pub(crate) trait Store: Send + Sync {
    /// Begins: waits until a batch can be written. `spare`: only if nobody else is kept waiting by that.
    fn session<'s>(&'s self, table: &'s TableName, spare: bool) -> BoxFuture<'s, Result<Box<dyn Session>, Error>>;

    /// Whether the table takes records now: this one is stored under another id, and taken back.
    fn trial<'s>(&'s self, table: &'s TableName, record: &'s Record) -> BoxFuture<'s, Result<(), Error>>;

    /// Whether it can be reached.
    fn answers(&self) -> BoxFuture<'_, bool>;
}

/// Writes one batch. Dropped before that, nothing was sent.
pub(crate) trait Session: Send {
    /// Stores all of the batch or nothing when its turn has come, and answers which of its records (by index, rising)
    /// were there already. `again`: an answer was lost, so that some of it may be there. Dropped before its turn has
    /// come, nothing is stored.
    fn write(self: Box<Self>, batch: Batch, again: bool, turn: Turn) -> BoxFuture<'static, Result<Vec<usize>, Error>>;
}
