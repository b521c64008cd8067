//! Reading through a pool, with a lifecycle.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use uuid::Uuid;

use super::{
    filter::{CountFilters, Filters},
    page::{Cursor, Page, Position},
    row::{self, AuditRecord},
    sql::{self, Select},
};
use crate::{
    config::{Config, PoolSettings},
    error::{Error, Task, ValidationError},
    lifecycle::Lifecycle,
    pool::Connections,
    table::TableName,
};

/// How many records a stream reads at once.
const STREAM_PAGE: u32 = 200;

/// Where and how to read, for a service that does not write.
#[derive(Debug, Clone)]
#[doc(alias = "TracevaultQueryConfig")]
pub struct QueryConfig(Config);

impl QueryConfig {
    /// By this `postgres://` URL or these `key=value` pairs.
    pub fn new(connection_string: impl Into<String>) -> Self {
        Self(Config::new(connection_string))
    }

    /// The table. Default: `audit_logs`.
    #[must_use]
    pub fn table_name(self, name: impl Into<String>) -> Self {
        Self(self.0.table_name(name))
    }

    /// The schema of the table. Without it, the connection's search path decides.
    #[must_use]
    pub fn schema(self, schema: impl Into<String>) -> Self {
        Self(self.0.schema(schema))
    }

    /// The most connections. Default: 8.
    #[must_use]
    pub fn pool_size(self, connections: usize) -> Self {
        Self(self.0.pool_size(connections))
    }

    /// How long to wait for a free connection. Default: 5 s.
    #[must_use]
    pub fn acquire_timeout(self, timeout: Duration) -> Self {
        Self(self.0.acquire_timeout(timeout))
    }

    /// How long a new connection may take. Default: 5 s.
    #[must_use]
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        Self(self.0.connect_timeout(timeout))
    }

    /// How long one statement may take. Default: 10 s.
    #[must_use]
    pub fn statement_timeout(self, timeout: Duration) -> Self {
        Self(self.0.statement_timeout(timeout))
    }
}

/// Reads one audit table. Clones share it.
///
/// Made by [`Tracevault::query`](crate::Tracevault::query), whose pool it shares and with which it closes, or by
/// [`Query::connect`], with a pool of its own.
#[derive(Clone)]
#[doc(alias = "TracevaultQuery")]
pub struct Query {
    /// `None`: the root keeps its records in memory, for tests.
    connections: Option<Connections>,
    table: TableName,
    lifecycle: Lifecycle,
    /// Closing this one closes the pool.
    owner: bool,
}

impl Query {
    pub(crate) fn new(connections: Option<Connections>, table: TableName, lifecycle: Lifecycle, owner: bool) -> Self {
        Self { connections, table, lifecycle, owner }
    }

    /// Opens a pool and checks that the server answers.
    ///
    /// # Errors
    /// `Config` when a setting cannot be used; `Driver` when the database cannot be reached.
    pub async fn connect(config: QueryConfig) -> Result<Self, Error> {
        let resolved = config.0.resolve()?;
        let url = resolved.connection_string.unwrap_or_default();
        let connections = Connections::new("connection_string", &url, resolved.pool)?;
        connections.lease(Task::Connect).await?.settle(Task::Connect, Ok(Ok(())))?;
        Ok(Self::new(Some(connections), resolved.root.table, Lifecycle::new("the query"), true))
    }

    /// Reads through a pool of yours, which is left open on close, with the default deadlines.
    ///
    /// # Errors
    /// `Config` when the deadlines cannot be used, which the default ones can.
    pub fn with_pool(pool: deadpool_postgres::Pool, table: TableName) -> Result<Self, Error> {
        let limits: PoolSettings = Config::default().resolve()?.pool;
        Ok(Self::new(Some(Connections::borrowed(pool, limits)), table, Lifecycle::new("the query"), true))
    }

    /// At most `limit` records, the newest first unless the filters say otherwise.
    ///
    /// # Errors
    /// `Validation` when the filters contradict themselves; `Driver`; `Closed`.
    ///
    /// # Cancel safety
    /// Dropping it abandons the query, and its connection.
    #[doc(alias = "findMany")]
    pub async fn find_many(&self, filters: Filters) -> Result<Vec<AuditRecord>, Error> {
        self.records(&sql::find_many(&self.table, &filters)?).await
    }

    /// The record with this id.
    ///
    /// # Errors
    /// `Driver`; `Closed`.
    ///
    /// # Cancel safety
    /// As for [`find_many`](Self::find_many).
    #[doc(alias = "findById")]
    pub async fn find_by_id(&self, id: Uuid) -> Result<Option<AuditRecord>, Error> {
        Ok(self.records(&sql::find_by_id(&self.table, id)).await?.pop())
    }

    /// How many records there are.
    ///
    /// # Errors
    /// As for [`find_many`](Self::find_many).
    ///
    /// # Cancel safety
    /// As for [`find_many`](Self::find_many).
    pub async fn count(&self, filters: CountFilters) -> Result<u64, Error> {
        row::total(&self.table, &self.rows(&sql::count(&self.table, &filters)?).await?)
    }

    /// The page behind the cursor, or the first. Whatever was committed before the first page comes exactly once;
    /// what comes later, at most once.
    ///
    /// # Errors
    /// As for [`find_many`](Self::find_many), and `Validation` when the cursor belongs to other filters or to another
    /// table, or an offset is given.
    ///
    /// # Cancel safety
    /// As for [`find_many`](Self::find_many).
    pub async fn page(&self, filters: Filters, cursor: Option<&Cursor>) -> Result<Page, Error> {
        let limit = sql::page_size(&filters)?;
        refuse_offset(&filters)?;
        let position = cursor.map(|cursor| cursor.position(&self.table, &filters)).transpose()?;
        // One more than asked for tells whether this is the last page.
        let mut records = self.records(&sql::after(&self.table, &filters, position.as_ref(), limit + 1)?).await?;
        let more = records.len() > limit as usize;
        records.truncate(limit as usize);
        let last = records.last().filter(|_| more);
        let next = last.map(|record| Cursor::behind(record, &self.table, &filters));
        Ok(Page { records, next })
    }

    /// Every record that the filters find, or as many as their limit, in constant memory: read page by page, no
    /// connection being held between pages. The guarantee is that of [`page`](Self::page).
    ///
    /// Filters that contradict themselves, and `Closed`, come as the first and only item.
    pub fn stream(&self, filters: Filters) -> Records {
        let left = filters.limit;
        let invalid = match (left, refuse_offset(&filters)) {
            (Some(0), _) => Some(ValidationError::new("limit", "must be at least 1").into()),
            (_, Err(error)) => Some(error.into()),
            (_, Ok(())) => None,
        };
        let next = match invalid {
            Some(error) => Next::Failed(error),
            None => Next::Page(None),
        };
        Records { query: self.clone(), filters, left, ready: VecDeque::new(), next }
    }

    /// Reads another table through the same pool. Closing it leaves this one open.
    ///
    /// # Errors
    /// `Config` when the name cannot be used; `Closed`.
    pub fn scope(&self, table_name: &str) -> Result<Self, Error> {
        self.lifecycle.check()?;
        let table = TableName::new(table_name)?;
        let table = match self.table.schema() {
            Some(schema) => table.in_schema(schema)?,
            None => table,
        };
        Ok(Self::new(self.connections.clone(), table, self.lifecycle.child("the query"), false))
    }

    /// Refuses further reads, here and in the scopes made from it, waits for those under way, and closes the pool if
    /// [`connect`](Self::connect) opened it. Idempotent.
    ///
    /// # Errors
    /// None today.
    ///
    /// # Cancel safety
    /// Dropping it stops the waiting only.
    pub async fn close(&self) -> Result<(), Error> {
        self.lifecycle.close();
        // Reads end by their own deadlines.
        self.lifecycle.idle().await;
        if let (true, Some(connections)) = (self.owner, &self.connections) {
            connections.close();
        }
        Ok(())
    }

    /// Whether this is open and the server answers.
    pub async fn healthcheck(&self) -> bool {
        let Ok(_pass) = self.lifecycle.enter() else { return false };
        match &self.connections {
            Some(connections) => connections.answers().await,
            None => true,
        }
    }

    /// The table that it reads.
    pub fn table(&self) -> &TableName {
        &self.table
    }

    async fn records(&self, select: &Select) -> Result<Vec<AuditRecord>, Error> {
        row::records(&self.table, &self.rows(select).await?)
    }

    async fn rows(&self, select: &Select) -> Result<Vec<tokio_postgres::Row>, Error> {
        let _pass = self.lifecycle.enter()?;
        let task = Task::Read(&self.table);
        let Some(connections) = &self.connections else {
            return Err(task.unprepared("a recorder keeps no table: read its `records()`".to_owned()));
        };
        let lease = connections.lease(task).await?;
        let answer = lease.within(lease.query_typed(select.text(), &select.params())).await;
        lease.settle(task, answer)
    }

    /// The next part of a stream.
    async fn part(self, filters: Filters, position: Option<Position>, size: u32) -> Result<Vec<AuditRecord>, Error> {
        self.records(&sql::after(&self.table, &filters, position.as_ref(), size)?).await
    }
}

fn refuse_offset(filters: &Filters) -> Result<(), ValidationError> {
    match filters.offset {
        None => Ok(()),
        Some(_) => Err(ValidationError::new("offset", "is for `find_many` only: pages go by their cursor")),
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("table", &self.table).finish_non_exhaustive()
    }
}

/// The records of a [`stream`](Query::stream), in order. After an error it ends.
#[must_use = "nothing is read before this is polled"]
pub struct Records {
    query: Query,
    filters: Filters,
    /// How many more may come; `None`: all.
    left: Option<u32>,
    ready: VecDeque<AuditRecord>,
    next: Next,
}

enum Next {
    /// The page behind this position is to be asked for.
    Page(Option<Position>),
    Reading(Pin<Box<dyn Future<Output = Result<Vec<AuditRecord>, Error>> + Send>>, u32),
    Failed(Error),
    End,
}

impl Stream for Records {
    type Item = Result<AuditRecord, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(record)));
            }
            match std::mem::replace(&mut self.next, Next::End) {
                Next::Page(position) => {
                    let size = self.left.map_or(STREAM_PAGE, |left| left.min(STREAM_PAGE));
                    if size > 0 {
                        let part = self.query.clone().part(self.filters.clone(), position, size);
                        self.next = Next::Reading(Box::pin(part), size);
                    }
                }
                Next::Reading(mut reading, size) => match reading.as_mut().poll(context) {
                    Poll::Pending => {
                        self.next = Next::Reading(reading, size);
                        return Poll::Pending;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready(Ok(records)) => {
                        self.left = self.left.map(|left| left - size);
                        if records.len() == size as usize {
                            let last = records.last();
                            self.next =
                                Next::Page(last.map(|last| Position { occurred_at: last.occurred_at, id: last.id }));
                        }
                        self.ready = records.into();
                    }
                },
                Next::Failed(error) => return Poll::Ready(Some(Err(error))),
                Next::End => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("query", &self.query).finish_non_exhaustive()
    }
}
