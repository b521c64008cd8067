//! A batch on one connection, in the way that is fastest for its number, and in its turn.

use std::sync::Arc;

use super::{Batch, BoxFuture, Insert, NextGoes, Session, Turn, copy, sql::Texts};
use crate::{
    error::{Error, Outcome, Task},
    pool::{Connections, Lease},
    record::Record,
    table::TableName,
};

/// From this size on a batch goes by COPY, which takes more round trips and less work per row (see BENCHMARKS.md).
const COPY_FROM: usize = 32;

pub(super) struct PgSession {
    pub(super) connections: Connections,
    pub(super) lease: Lease,
    pub(super) table: TableName,
    pub(super) texts: Arc<Texts>,
}

impl Session for PgSession {
    fn write(self: Box<Self>, batch: Batch, again: bool, turn: Turn) -> BoxFuture<'static, Result<Vec<usize>, Error>> {
        Box::pin(async move { self.store(&batch, again, turn).await })
    }
}

impl PgSession {
    async fn store(self, batch: &[Record], again: bool, mut turn: Turn) -> Result<Vec<usize>, Error> {
        let Self { connections, lease, table, texts } = self;
        let task = Task::Store(&table);
        if again || batch.iter().any(Record::own_id) {
            turn.has_come().await;
            let answer = lease.within(Insert::of(batch).run_if_new(&*lease, &table)).await;
            let mut stored = lease.settle(task, answer)?;
            let there = |(index, record): (usize, &Record)| (!stored.remove(&record.id())).then_some(index);
            return Ok(batch.iter().enumerate().filter_map(there).collect());
        }
        if batch.len() < COPY_FROM || !texts.copies() {
            turn.has_come().await;
            return insert(lease, task, &texts, batch).await;
        }
        match copy(lease, task, &texts, batch, &mut turn).await {
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
        turn.has_come().await;
        let lease = connections.lease(task).await?;
        insert(lease, task, &texts, batch).await
    }
}

/// `false`: this connection is not to be used so.
async fn copy(lease: Lease, task: Task<'_>, texts: &Texts, batch: &[Record], turn: &mut Turn) -> Result<bool, Error> {
    let alone = turn.is_alone();
    let sent = async {
        if !texts.prepares || !lease.keeps_statements().await? {
            return Ok(false);
        }
        let statement = lease.prepared(&texts.copy, &[]).await?;
        // Refused here, the driver ends it all the same, so that one answer too many comes for whoever is next.
        let sink = copy::begin(&lease, &statement).await.inspect_err(|_| lease.spoil())?;
        if alone {
            copy::all(&lease, sink, batch).await?;
        } else {
            copy::rows(&lease, sink, batch, turn).await?;
        }
        Ok(true)
    };
    let sent = lease.within(sent).await;
    if alone || !matches!(sent, Ok(Ok(true))) {
        return lease.settle(task, sent);
    }
    turn.is(NextGoes::Taken);
    turn.has_come().await;
    let lost = lease.is_closed();
    let committed = lease.within(copy::commit(&lease)).await;
    let stored = lease.settle(task, committed).map(|()| true);
    // The server ended it while it waited: it was never told to commit.
    if lost { stored.map_err(|error| error.with_outcome(Outcome::Rejected)) } else { stored }
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
