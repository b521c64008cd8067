//! Reading through a pool, with a lifecycle.

use std::fmt;

use tokio::runtime::Handle;
use uuid::Uuid;

use super::{
    config::QueryConfig,
    filter::{CountFilters, Filters},
    page::{Cursor, Page, Position},
    records::Records,
    row::{self, AuditRecord},
    sql::{self, Select},
};
use crate::{
    config::PoolSettings,
    error::{ConfigError, Error, Task, ValidationError},
    lifecycle::Lifecycle,
    pool::Connections,
    table::TableName,
};

/// Reads one audit table. Clones share it.
///
/// Made by [`Tracevault::query`](crate::Tracevault::query), whose pool it shares and with which it closes, or by
/// [`Query::connect`], with a pool of its own.
///
/// ```
/// # #[path = "../../tests/support/mod.rs"] mod support;
/// use futures_util::TryStreamExt as _;
/// use tracevault::query::{Filters, Query, QueryConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let database = support::database(support::Purpose::Tests)?;
/// # let url = database.url();
/// # let config = tracevault::Config::new(url).table_name("doc_reader").ensure_schema(true);
/// # let audit = tracevault::Tracevault::connect(config).await?;
/// # for _ in 0..3 {
/// #     audit.emit("order.paid").await?;
/// # }
/// let query = Query::connect(QueryConfig::new(url).table_name("doc_reader")).await?;
///
/// // Page by page: as text, a cursor goes to a client and comes back.
/// let mut pages = Vec::new();
/// let mut cursor = None;
/// loop {
///     let page = query.page(Filters::new().event("order.paid").limit(2), cursor.as_ref()).await?;
///     pages.push(page.records);
///     cursor = page.next;
///     if cursor.is_none() {
///         break;
///     }
/// }
///
/// // All of them, in constant memory.
/// let mut records = query.stream(Filters::new().event("order.paid"));
/// let mut streamed = Vec::new();
/// while let Some(record) = records.try_next().await? {
///     streamed.push(record.id);
/// }
/// assert_eq!(streamed.len(), pages.iter().map(Vec::len).sum::<usize>());
///
/// query.close().await?;
/// # assert!(pages.len() > 1);
/// # audit.close().await?;
/// # Ok(())
/// # }
/// ```
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
    /// `Config` when a setting cannot be used, or outside of a tokio runtime; `Driver` when the database cannot be
    /// reached.
    ///
    /// # Cancel safety
    /// Dropping it closes what was opened.
    pub async fn connect(config: QueryConfig) -> Result<Self, Error> {
        let resolved = config.0.resolve()?;
        if Handle::try_current().is_err() {
            let reason = "is missing: call this inside a tokio runtime, which the connections will live on";
            return Err(ConfigError::new("runtime", reason).into());
        }
        let url = resolved.connection_string.unwrap_or_default();
        let connections = Connections::new("connection_string", &url, resolved.pool)?;
        connections.lease(Task::Connect).await?.settle(Task::Connect, Ok(Ok(())))?;
        Ok(Self::new(Some(connections), resolved.root.table, Lifecycle::new("the query"), true))
    }

    /// Reads through a pool of yours, which is left open on close, with the default deadlines.
    pub fn with_pool(pool: deadpool_postgres::Pool, table: TableName) -> Self {
        let connections = Connections::borrowed(pool, PoolSettings::default());
        Self::new(Some(connections), table, Lifecycle::new("the query"), true)
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
        Records::new(self.clone(), filters)
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
    ///
    /// # Cancel safety
    /// Dropping it abandons the question, and its connection.
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
    pub(super) async fn part(
        self,
        filters: Filters,
        position: Option<Position>,
        size: u32,
    ) -> Result<Vec<AuditRecord>, Error> {
        self.records(&sql::after(&self.table, &filters, position.as_ref(), size)?).await
    }
}

/// Pages and streams begin behind a position.
pub(super) fn refuse_offset(filters: &Filters) -> Result<(), ValidationError> {
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
