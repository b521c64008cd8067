//! The root: owns the connections, wires everything, closes in order.

use std::{fmt, sync::Arc, time::Duration};

use deadpool_postgres::Pool;
use tokio::{runtime::Handle, time::Instant};
use tokio_postgres::Transaction;

use crate::{
    config::{Config, Resolved, ScopeOverrides},
    context::Context,
    emit::{Emit, EmitIn},
    encoded::Encoded,
    error::{ConfigError, Error},
    event::{DiffEvent, Event},
    lifecycle::within,
    pool::Connections,
    probe::CommitProbe,
    query::Query,
    queue::{Drained, Stats},
    receipt::Receipt,
    scope::{Names, Scope},
    spool::Spooling,
    store::{PgStore, Store},
    table::TableName,
};

/// The root of an application's audit: one pool, an emitter on the default table, and any number of [`Scope`]s.
/// Clones share it; it is `Send + Sync + 'static`.
///
/// ```
/// # #[path = "../tests/support/mod.rs"] mod support;
/// use serde_json::json;
/// use tracevault::{Config, Event, Tracevault};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let database = support::database(support::Purpose::Tests)?;
/// # let url = database.url();
/// let audit = Tracevault::connect(
///     Config::new(url).table_name("doc_root").mask_fields(["password"]).ensure_schema(true),
/// )
/// .await?;
///
/// audit
///     .emit(
///         Event::new("auth.login.succeeded")
///             .actor("user_123", "user")
///             .data(json!({ "method": "form", "password": "hunter2" })),
///     )
///     .await?;
///
/// let drained = audit.close().await?;
/// assert_eq!(drained.left, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[doc(alias = "createTracevault")]
pub struct Tracevault(Arc<Shared>);

struct Shared {
    scope: Scope,
    /// Held so that the named scopes live as long as the root.
    _held: Vec<Scope>,
    names: Arc<Names>,
    context: Arc<Context>,
    /// `None`: an in-memory store, for tests.
    connections: Option<Both>,
    /// Of the root and of the named scopes, each once.
    tables: Vec<TableName>,
    ensure_schema: bool,
    close_timeout: Duration,
}

/// Where events are written and where they are read.
struct Both {
    write: Connections,
    read: Connections,
}

impl Tracevault {
    /// Opens one connection and checks that every table is there, creating what is missing if
    /// [`ensure_schema`](Config::ensure_schema) says so: [`new`](Self::new), then [`prepare`](Self::prepare).
    ///
    /// # Errors
    /// `Config` when a setting cannot be used, or outside of a tokio runtime; `Driver` when the database cannot be
    /// reached within `connect_timeout`, or a table is missing or of another version; `Spool` when the directory of a spool
    /// cannot be used.
    ///
    /// # Cancel safety
    /// Dropping it closes what was opened.
    pub async fn connect(config: Config) -> Result<Self, Error> {
        let audit = Self::new(config)?;
        audit.prepare().await?;
        Ok(audit)
    }

    /// Opens nothing yet: a service can start while its database is away. The first emit connects; tables are checked,
    /// and created if `ensure_schema` says so, only by [`prepare`](Self::prepare). The directory of a spool is opened and
    /// looked through here.
    ///
    /// # Errors
    /// `Config` when a setting cannot be used, or outside of a tokio runtime; `Spool` when the directory of a spool cannot
    /// be used.
    pub fn new(config: Config) -> Result<Self, Error> {
        let resolved = config.resolve()?;
        let Some(url) = &resolved.connection_string else {
            return Err(ConfigError::new("connection_string", "is required: use `Config::new(url)`").into());
        };
        let write = Connections::new("connection_string", url, resolved.pool)?;
        let read = match &resolved.read_connection_string {
            Some(url) => Connections::new("read_connection_string", url, resolved.pool)?,
            None => write.clone(),
        };
        let store = Arc::new(PgStore::new(write.clone()));
        Self::wire(store, Some(Both { write, read }), resolved)
    }

    /// Borrows the caller's own pools, and leaves them open on close. Reading uses the first unless a second is given.
    /// Its configuration names no connection string, and its `pool_size` is not used; nothing is opened yet, and tables
    /// are checked by [`prepare`](Self::prepare) only.
    ///
    /// ```
    /// # #[path = "../tests/support/mod.rs"] mod support;
    /// use deadpool_postgres::{Manager, Pool};
    /// use tracevault::{Config, Tracevault, deadpool_postgres, tokio_postgres::NoTls};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let database = support::database(support::Purpose::Tests)?;
    /// # let url = database.url();
    /// let pool = Pool::builder(Manager::new(url.parse()?, NoTls)).max_size(4).build()?;
    /// let config = Config::default().table_name("doc_pools").ensure_schema(true);
    /// let audit = Tracevault::with_pools(pool.clone(), None, config)?;
    /// audit.prepare().await?;
    /// audit.emit("order.paid").await?;
    /// audit.close().await?;
    /// assert!(!pool.is_closed());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Config` when a setting cannot be used, or outside of a tokio runtime; `Spool` when the directory of a spool cannot
    /// be used.
    pub fn with_pools(write: Pool, read: Option<Pool>, config: Config) -> Result<Self, Error> {
        let resolved = config.resolve()?;
        if resolved.connection_string.is_some() || resolved.read_connection_string.is_some() {
            let reason = "is not used with pools of your own: start from `Config::default()`";
            return Err(ConfigError::new("connection_string", reason).into());
        }
        let read = Connections::borrowed(read.unwrap_or_else(|| write.clone()), resolved.pool);
        let write = Connections::borrowed(write, resolved.pool);
        let store = Arc::new(PgStore::new(write.clone()));
        Self::wire(store, Some(Both { write, read }), resolved)
    }

    /// Checks that the tables of the root and of the named scopes are there and of this version, creating what is missing
    /// if `ensure_schema` says so. [`connect`](Self::connect) has done it.
    ///
    /// # Errors
    /// `Driver` when the database cannot be reached, or a table is missing or of another version; `Closed`.
    ///
    /// # Cancel safety
    /// Dropping it leaves every table whole: each is made by one transaction.
    pub async fn prepare(&self) -> Result<(), Error> {
        let _pass = self.0.context.lifecycle.enter()?;
        match &self.0.connections {
            Some(Both { write, .. }) => crate::store::prepare(write, &self.0.tables, self.0.ensure_schema).await,
            None => Ok(()),
        }
    }

    /// On a store of ours that is not PostgreSQL.
    #[cfg(feature = "testing")]
    pub(crate) fn with_store(store: Arc<dyn Store>, config: Config) -> Result<Self, Error> {
        let mut resolved = config.resolve()?;
        for settings in resolved.scopes.values_mut().chain([&mut resolved.root]) {
            settings.retries = false;
        }
        Self::wire(store, None, resolved)
    }

    fn wire(store: Arc<dyn Store>, connections: Option<Both>, resolved: Resolved) -> Result<Self, Error> {
        let runtime = Handle::try_current().map_err(|_| {
            ConfigError::new("runtime", "is missing: call this inside a tokio runtime, which the writers will live on")
        })?;
        let Resolved { root: settings, scopes, ensure_schema, spool, .. } = resolved;
        let mut tables: Vec<TableName> = Vec::new();
        for table in std::iter::once(&settings).chain(scopes.values()).map(|settings| &settings.table) {
            if !tables.contains(table) {
                tables.push(table.clone());
            }
        }
        let names = Arc::new(Names::new(scopes));
        let open = |spool| Spooling::open(spool, &settings, Arc::clone(&store), runtime.clone());
        let spool = spool.map(open).transpose()?;
        let writing = connections.as_ref().map(|both| both.write.clone());
        let context = Arc::new(Context::new(store, writing, runtime, spool));
        let close_timeout = settings.close_timeout;
        let scope = Scope::new(&context, &names, settings)?;
        let held = names.iter().map(|name| Scope::named(&context, &names, name)).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Shared {
            scope,
            _held: held,
            names,
            context,
            connections,
            tables,
            ensure_schema,
            close_timeout,
        })))
    }

    /// Stores or queues an event on the root's table; see [`Scope::emit`].
    pub fn emit<'a>(&self, event: impl Into<Event<'a>>) -> Emit {
        self.0.scope.emit(event)
    }

    /// Stores what changed; see [`Scope::emit_diff`].
    #[doc(alias = "emitDiff")]
    pub fn emit_diff(&self, event: DiffEvent<'_>) -> Emit {
        self.0.scope.emit_diff(event)
    }

    /// Stores an event in the caller's own transaction; see [`Scope::emit_in`].
    ///
    /// # Errors
    /// As there.
    pub fn emit_in<'t, 'a>(&'t self, transaction: &'t Transaction<'_>, event: impl Into<Event<'a>>) -> EmitIn<'t> {
        self.0.scope.emit_in(transaction, event)
    }

    /// Prepares to learn whether a transaction was committed; see [`Scope::commit_probe`].
    ///
    /// # Errors
    /// As there.
    pub async fn commit_probe(&self, transaction: &Transaction<'_>) -> Result<CommitProbe, Error> {
        self.0.scope.commit_probe(transaction).await
    }

    /// SQL that stores an event by any driver; see [`Scope::insert_statement`].
    pub fn insert_statement(&self) -> String {
        self.0.scope.insert_statement()
    }

    /// The parameter of [`insert_statement`](Self::insert_statement); see [`Scope::encode`].
    ///
    /// # Errors
    /// As there.
    pub fn encode<'a>(&self, event: impl Into<Event<'a>>) -> Result<Encoded, Error> {
        self.0.scope.encode(event)
    }

    /// Queues an event without waiting; see [`Scope::try_emit`].
    ///
    /// # Errors
    /// As there.
    pub fn try_emit<'a>(&self, event: impl Into<Event<'a>>) -> Result<Receipt, Error> {
        self.0.scope.try_emit(event)
    }

    /// A scope that inherits all settings but those named. It shares the pool and has a queue of its own.
    ///
    /// # Errors
    /// `Config` when an override cannot be used; `Closed`; `Spool` when the disk of a spool fails.
    pub fn scope(&self, overrides: ScopeOverrides) -> Result<Scope, Error> {
        self.0.context.lifecycle.check()?;
        Scope::new(&self.0.context, &self.0.names, self.0.scope.settings().overridden(overrides)?)
    }

    /// The scope that the configuration declares by this name. All callers get the same one.
    ///
    /// # Errors
    /// `Config` when there is none; `Closed`.
    pub fn get_scope(&self, name: &str) -> Result<Scope, Error> {
        self.0.context.lifecycle.check()?;
        Scope::named(&self.0.context, &self.0.names, name)
    }

    /// Reads what was stored, by the read connections. Closed with the root.
    #[doc(alias = "createTracevaultQuery")]
    pub fn query(&self) -> Query {
        let lifecycle = self.0.context.lifecycle.child("the query");
        let table = self.0.scope.table().clone();
        Query::new(self.0.connections.as_ref().map(|both| both.read.clone()), table, lifecycle, false)
    }

    /// Waits until everything that the root's own table was given is stored or reported, for at most `close_timeout`.
    /// Scopes are flushed by themselves.
    ///
    /// # Errors
    /// None today; what was not finished in time is in [`Drained::left`], or with a spool on disk, in [`Drained::spooled`].
    ///
    /// # Cancel safety
    /// Dropping it stops the waiting only.
    pub async fn flush(&self) -> Result<Drained, Error> {
        self.0.scope.flush().await
    }

    /// Refuses new events, stores what the root and every scope accepted, waits for calls under way, then closes the
    /// pool if it is ours. Takes at most `close_timeout`.
    ///
    /// The numbers are the sum over the root and its scopes. Calling it again changes nothing, and waits for the same end.
    ///
    /// # Errors
    /// None today; what was not finished in time is in [`Drained::left`], and was reported, or with a spool on disk, in
    /// [`Drained::spooled`].
    ///
    /// # Cancel safety
    /// Dropping it stops the waiting only: the queues are emptied all the same; the pool closes with the last handle.
    pub async fn close(&self) -> Result<Drained, Error> {
        self.0.context.lifecycle.close();
        let deadline = Instant::now() + self.0.close_timeout;
        let drained = self.0.context.drain(deadline).await;
        // A caller's own transaction that is stalled must not hold us.
        let left = deadline.saturating_duration_since(Instant::now());
        let _ = within(&self.0.context.runtime, left, self.0.context.lifecycle.idle()).await;
        if let Some(Both { write, read }) = &self.0.connections {
            write.close();
            read.close();
        }
        Ok(drained)
    }

    /// Whether the root is open and the database answers, within the deadlines.
    ///
    /// # Cancel safety
    /// Dropping it gives up its connection.
    pub async fn healthcheck(&self) -> bool {
        self.0.scope.healthcheck().await
    }

    /// The spool, where the configuration asks for one.
    #[cfg(feature = "spool")]
    pub fn spool(&self) -> Option<crate::spool::Spool> {
        self.0.context.spool().map(Spooling::face)
    }

    /// The sum of the numbers of the root and of every scope, those that are gone included.
    pub fn stats(&self) -> Stats {
        self.0.context.stats()
    }

    /// The table that the root writes to.
    pub fn table(&self) -> &TableName {
        self.0.scope.table()
    }
}

impl fmt::Debug for Tracevault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracevault").field("table", self.table()).field("stats", &self.stats()).finish_non_exhaustive()
    }
}
