//! Records into PostgreSQL tables by a pool of connections, in the way that is fastest for their number.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;

use super::{BoxFuture, Insert, Store, copy, sql::Texts};
use crate::{
    error::{Error, Outcome, Task},
    pool::{Connections, Lease},
    record::Record,
    table::TableName,
};

/// From this size on a batch goes by COPY, which takes two round trips and less work per row (see BENCHMARKS.md).
const COPY_FROM: usize = 32;

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

    async fn store(&self, table: &TableName, batch: &[Record], again: bool) -> Result<Vec<usize>, Error> {
        let task = Task::Store(table);
        let lease = self.connections.lease(task).await?;
        if again || batch.iter().any(Record::own_id) {
            let answer = lease.within(Insert::of(batch).run_if_new(&*lease, table)).await;
            let mut stored = lease.settle(task, answer)?;
            let there = |(index, record): (usize, &Record)| (!stored.remove(&record.id())).then_some(index);
            return Ok(batch.iter().enumerate().filter_map(there).collect());
        }
        let texts = self.texts(table);
        if batch.len() >= COPY_FROM && texts.copies() {
            let answer = lease.within(try_copy(&lease, &texts, batch)).await;
            match lease.settle(task, answer) {
                Ok(true) => return Ok(Vec::new()),
                Ok(false) => {}
                // PostgreSQL's context of a failed COPY hides whether a row is to blame, and it is no way into every
                // table. Nothing is stored, so that an INSERT may try, and say.
                Err(error) if error.sqlstate().is_some() && error.outcome() == Outcome::Rejected => {
                    if matches!(error.sqlstate(), Some("0A000" | "42809")) {
                        texts.never_copy();
                    }
                }
                Err(error) => return Err(error),
            }
            let lease = self.connections.lease(task).await?;
            return insert(lease, task, &texts, batch).await;
        }
        insert(lease, task, &texts, batch).await
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

/// `false`: this connection is not to be used so.
async fn try_copy(lease: &Lease, texts: &Texts, batch: &[Record]) -> Result<bool, tokio_postgres::Error> {
    if !texts.prepares || !lease.keeps_statements().await? {
        return Ok(false);
    }
    let statement = lease.prepared(&texts.copy, &[]).await?;
    // Refused here, the driver ends it all the same, so that one answer too many comes for whoever is next.
    let sink = copy::begin(lease, &statement).await.inspect_err(|_| lease.spoil())?;
    copy::copy(sink, batch).await?;
    Ok(true)
}

async fn insert(lease: Lease, task: Task<'_>, texts: &Texts, batch: &[Record]) -> Result<Vec<usize>, Error> {
    let insert = Insert::of(batch);
    let text = if batch.len() == 1 { &texts.row } else { &texts.arrays };
    let run = async {
        if texts.prepares && lease.keeps_statements().await? {
            let statement = lease.prepared(text, insert.types()).await?;
            insert.run_prepared(&*lease, &statement).await
        } else {
            insert.run_unnamed(&*lease, text).await
        }
    };
    let answer = lease.within(run).await;
    lease.settle(task, answer)?;
    Ok(Vec::new())
}

impl Store for PgStore {
    fn write<'s>(
        &'s self,
        table: &'s TableName,
        batch: &'s [Record],
        again: bool,
    ) -> BoxFuture<'s, Result<Vec<usize>, Error>> {
        Box::pin(self.store(table, batch, again))
    }

    fn trial<'s>(&'s self, table: &'s TableName, record: &'s Record) -> BoxFuture<'s, Result<(), Error>> {
        Box::pin(self.try_out(table, record))
    }

    fn answers(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.connections.answers())
    }
}
