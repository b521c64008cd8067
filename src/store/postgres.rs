//! Records into PostgreSQL tables by a pool of connections.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;

use super::{BoxFuture, Insert, Session, Store, session::PgSession, sql::Texts};
use crate::{
    error::{Error, Task},
    pool::Connections,
    record::Record,
    table::TableName,
};

/// For so many tables statements are prepared; each costs memory on every connection, at the server too.
const MOST_PREPARED: usize = 64;

/// A store on a pool.
pub(crate) struct PgStore {
    connections: Connections,
    texts: Mutex<HashMap<TableName, Arc<Texts>>>,
}

impl PgStore {
    pub(crate) fn new(connections: Connections) -> Self {
        Self { connections, texts: Mutex::default() }
    }

    fn texts(&self, table: &TableName) -> Arc<Texts> {
        // Whole at every step, so that a panic leaves it usable.
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = texts.get(table) {
            return Arc::clone(known);
        }
        let made = Arc::new(Texts::of(table, texts.len() < MOST_PREPARED));
        texts.insert(table.clone(), Arc::clone(&made));
        made
    }

    async fn begin(&self, table: &TableName, spare: bool) -> Result<Box<dyn Session>, Error> {
        let task = Task::Store(table);
        let connections = self.connections.clone();
        let lease = if spare { connections.spare_lease(task).await? } else { connections.lease(task).await? };
        Ok(Box::new(PgSession { connections, lease, table: table.clone(), texts: self.texts(table) }))
    }

    async fn try_out(&self, table: &TableName, record: &Record) -> Result<(), Error> {
        let task = Task::Store(table);
        let another = [record.with_id(Uuid::now_v7())];
        let lease = self.connections.lease(task).await?;
        let taken_back = async {
            lease.batch_execute("BEGIN").await?;
            let mut stored = Insert::of(&another).run_new(&*lease, table).await;
            if stored.is_ok() {
                // What is deferred would be checked by a commit only.
                stored = lease.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await;
            }
            lease.batch_execute("ROLLBACK").await?;
            stored
        };
        let answer = lease.within(taken_back).await;
        lease.settle(task, answer)
    }
}

impl Store for PgStore {
    fn session<'s>(&'s self, table: &'s TableName, spare: bool) -> BoxFuture<'s, Result<Box<dyn Session>, Error>> {
        Box::pin(self.begin(table, spare))
    }

    fn trial<'s>(&'s self, table: &'s TableName, record: &'s Record) -> BoxFuture<'s, Result<(), Error>> {
        Box::pin(self.try_out(table, record))
    }

    fn answers(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.connections.answers())
    }
}
