//! For the tests of your own code: a root that keeps its records in memory, after the same checks and masks.
//!
//! ```
//! use serde_json::json;
//! use tracevault::{Config, Event, testing};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tracevault::Error> {
//! let (audit, recorder) = testing::recorder(Config::default().mask_fields(["password"]))?;
//!
//! audit.emit(Event::new("user.created").data(json!({ "name": "ann", "password": "hunter2" }))).await?;
//!
//! let records = recorder.records();
//! assert_eq!(records[0].event(), "user.created");
//! assert_eq!(records[0].data(), Some(r#"{"name":"ann","password":"[REDACTED]"}"#));
//!
//! recorder.fail_next();
//! assert!(audit.emit(Event::new("user.deleted")).await.is_err());
//! # Ok(())
//! # }
//! ```

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use crate::{
    config::Config,
    error::{Error, Task},
    record::Record,
    root::Tracevault,
    store::{Batch, BoxFuture, Session, Store, Turn},
    table::TableName,
};

/// A root whose records are kept in memory, and the handle to look at them. Works without a connection string.
///
/// # Errors
/// `Config` when a setting cannot be used, or outside of a tokio runtime.
pub fn recorder(config: Config) -> Result<(Tracevault, Recorder), Error> {
    let recorder = Recorder(Arc::new(Memory::default()));
    let audit = Tracevault::with_store(Arc::new(Arc::clone(&recorder.0)), config)?;
    Ok((audit, recorder))
}

/// What was emitted. Clones share it.
#[derive(Clone)]
pub struct Recorder(Arc<Memory>);

impl Recorder {
    /// All records so far, of every scope, in the order in which they were stored. Async ones are there after `flush`.
    pub fn records(&self) -> Vec<Record> {
        self.0.state().stored.iter().map(|(_, record)| record.clone()).collect()
    }

    /// The records of one table.
    pub fn records_of(&self, table_name: &str) -> Vec<Record> {
        let state = self.0.state();
        state.stored.iter().filter(|(table, _)| table.name() == table_name).map(|(_, record)| record.clone()).collect()
    }

    /// Lets the next write of a batch fail, as if the database were away.
    pub fn fail_next(&self) {
        self.0.state().failures += 1;
    }

    /// Forgets all records.
    pub fn clear(&self) {
        let mut state = self.0.state();
        state.stored.clear();
        state.ids.clear();
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("records", &self.0.state().stored.len()).finish()
    }
}

#[derive(Default)]
struct Memory(Mutex<State>);

#[derive(Default)]
struct State {
    stored: Vec<(TableName, Record)>,
    ids: HashSet<(TableName, Uuid)>,
    failures: usize,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, table: &TableName, batch: &[Record]) -> Result<Vec<usize>, Error> {
        let mut state = self.state();
        if let Some(left) = state.failures.checked_sub(1) {
            state.failures = left;
            return Err(Task::Store(table).unavailable("`fail_next` asked for it".to_owned()));
        }
        let mut duplicates = Vec::new();
        for (index, record) in batch.iter().enumerate() {
            if state.ids.insert((table.clone(), record.id())) {
                state.stored.push((table.clone(), record.clone()));
            } else {
                duplicates.push(index);
            }
        }
        Ok(duplicates)
    }
}

impl Store for Arc<Memory> {
    fn session<'s>(&'s self, table: &'s TableName, _: bool) -> BoxFuture<'s, Result<Box<dyn Session>, Error>> {
        let session: Box<dyn Session> = Box::new(Keeping(Arc::clone(self), table.clone()));
        Box::pin(std::future::ready(Ok(session)))
    }

    fn trial<'s>(&'s self, _: &'s TableName, _: &'s Record) -> BoxFuture<'s, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn answers(&self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(true))
    }
}

struct Keeping(Arc<Memory>, TableName);

impl Session for Keeping {
    fn write(self: Box<Self>, batch: Batch, _: bool, mut turn: Turn) -> BoxFuture<'static, Result<Vec<usize>, Error>> {
        Box::pin(async move {
            turn.has_come().await;
            self.0.keep(&self.1, &batch)
        })
    }
}
