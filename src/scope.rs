//! A scope: an emitter on one table, with a queue, masks and settings of its own.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::time::Instant;
use tokio_postgres::Transaction;

use crate::{
    config::{ScopeOverrides, Settings},
    context::Context,
    emit::{Emit, EmitIn},
    encoded::{self, Encoded},
    error::{ConfigError, Error, Task},
    event::{DiffEvent, Event, Mode},
    lifecycle::Lifecycle,
    probe::CommitProbe,
    queue::{Drained, Queue, Refusal, Stats},
    receipt::{Durability, Receipt},
    record::Record,
    reservation::Reservation,
    spool::{Refused, Stream},
    store::Insert,
    table::TableName,
};

/// An emitter on one table, made by [`Tracevault::scope`](crate::Tracevault::scope). Clones share it; it is
/// `Send + Sync + 'static`.
///
/// Every scope has a queue and a writer task of its own; the connections are its root's. Dropping the last handle never
/// blocks: the writer finishes what was accepted, for up to `close_timeout`, then reports what is left.
///
/// ```
/// # #[path = "../tests/support/mod.rs"] mod support;
/// use tracevault::{Config, Event, Mode, ScopeOverrides, Tracevault};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let database = support::database(support::Purpose::Tests)?;
/// # let url = database.url();
/// let clicks = ScopeOverrides::new().table_name("doc_clicks").default_mode(Mode::Async).no_environment();
/// let config = Config::new(url).table_name("doc_scope").environment("test").scope("clicks", clicks);
/// let audit = Tracevault::connect(config.ensure_schema(true)).await?;
///
/// let clicks = audit.get_scope("clicks")?; // the same for every caller
/// clicks.emit(Event::new("button.clicked")).await?;
/// clicks.flush().await?;
/// assert_eq!(clicks.stats().stored, 1);
///
/// let loud = audit.scope(ScopeOverrides::new().mask_value("****"))?; // one of its own, the root's table
/// loud.emit("order.paid").await?;
/// loud.close().await?;
/// assert!(loud.emit("order.paid").await.unwrap_err().is_closed());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Scope(Arc<Shared>);

struct Shared {
    settings: Settings,
    queue: Queue,
    stream: Option<Stream>,
    lifecycle: Lifecycle,
    context: Arc<Context>,
    names: Arc<Names>,
}

/// The scopes that the configuration declares by name. Holding them is the root's part, so that handles and writers do
/// not keep each other alive.
pub(crate) struct Names(BTreeMap<String, Named>);

struct Named {
    settings: Settings,
    live: Mutex<Weak<Shared>>,
}

impl Names {
    pub(crate) fn new(declared: BTreeMap<String, Settings>) -> Self {
        let named = |(name, settings)| (name, Named { settings, live: Mutex::default() });
        Self(declared.into_iter().map(named).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Scope {
    pub(crate) fn new(context: &Arc<Context>, names: &Arc<Names>, settings: Settings) -> Result<Self, Error> {
        let stream = context.stream(&settings)?;
        let memory = stream.as_ref().filter(|stream| stream.spills());
        let queue = match memory {
            None => context.start_queue(&settings)?,
            Some(stream) => {
                let queue = context.start_queue(&stream.settings_of_memory(&settings))?;
                stream.follow(&queue);
                queue
            }
        };
        let lifecycle = context.lifecycle.child("the scope");
        Ok(Self(Arc::new(Shared {
            settings,
            queue,
            stream,
            lifecycle,
            context: Arc::clone(context),
            names: Arc::clone(names),
        })))
    }

    /// Stores an event, or queues it: by its mode, else by the scope's default.
    ///
    /// The event is checked, masked and written out at the call; the returned future borrows nothing of it. A sync emit
    /// is ready when the record is committed, an async one when it is queued. Records are stored in the order in which
    /// they were accepted. See [`Emit`] for errors and cancel safety.
    pub fn emit<'a>(&self, event: impl Into<Event<'a>>) -> Emit {
        Emit::new(self, Record::of(&event.into(), None, &self.0.settings), None)
    }

    /// Stores what changed: an event whose data is `{ before, after, diff }`. As [`emit`](Self::emit) otherwise.
    #[doc(alias = "emitDiff")]
    pub fn emit_diff(&self, event: DiffEvent<'_>) -> Emit {
        self.emit(event)
    }

    /// Stores an event in the caller's own transaction, by one statement on it, past the queue: it is stored if, and
    /// only if, the caller commits. The record's mode is `sync`. A [`DiffEvent`] will do too.
    ///
    /// ```
    /// # #[path = "../tests/support/mod.rs"] mod support;
    /// # use tracevault::{Config, Event, Tracevault, tokio_postgres};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let database = support::database(support::Purpose::Tests)?;
    /// # let url = database.url();
    /// # let audit = Tracevault::connect(Config::new(url).table_name("doc_emit_in").ensure_schema(true)).await?;
    /// # let (mut client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    /// # tokio::spawn(connection);
    /// let transaction = client.transaction().await?;
    /// // … your own statements, then:
    /// audit.emit_in(&transaction, Event::new("payment.intent.created").actor("ann", "user")).await?;
    /// transaction.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Works with deadpool's transaction too. After an error of the database PostgreSQL refuses everything but
    /// a rollback in that transaction, as after any failed statement; a `Validation` error leaves it untouched.
    ///
    /// # Errors
    /// As for [`emit`](Self::emit), but for `QueueFull`.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the statement may or may not run: roll the transaction back.
    pub fn emit_in<'t, 'a>(&'t self, transaction: &'t Transaction<'_>, event: impl Into<Event<'a>>) -> EmitIn<'t> {
        let record = Record::of(&event.into(), Some(Mode::Sync), &self.0.settings);
        EmitIn::new(self.insert_in(transaction, record))
    }

    async fn insert_in(
        &self,
        transaction: &Transaction<'_>,
        record: Result<Record, crate::error::ValidationError>,
    ) -> Result<Receipt, Error> {
        let record = record?;
        let _pass = self.0.lifecycle.enter()?;
        let table = &self.0.settings.table;
        let id = record.id();
        let batch = [record];
        let insert = Insert::of(&batch);
        let stored = async {
            if batch[0].own_id() {
                return Ok(insert.run_if_new(transaction, table).await?.contains(&id));
            }
            insert.run_new(transaction, table).await.map(|()| true)
        };
        let stored = stored.await.map_err(|error| Task::StoreIn(table).failed(error).of_record(id))?;
        let duplicate = !stored;
        Ok(Receipt { id, durability: Durability::InTransaction, duplicate })
    }

    /// Reads the id of a transaction, which must be on the same server as this scope's table, to learn afterwards whether
    /// it was committed. What `commit` answers does not tell: it is `Ok` also where PostgreSQL rolled back, since an
    /// earlier statement had failed; and where its answer was lost, anything may have happened.
    ///
    /// ```
    /// # #[path = "../tests/support/mod.rs"] mod support;
    /// # use tracevault::{Config, Outcome, Tracevault, tokio_postgres};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let database = support::database(support::Purpose::Tests)?;
    /// # let url = database.url();
    /// # let audit = Tracevault::connect(Config::new(url).table_name("doc_probe").ensure_schema(true)).await?;
    /// # let (mut client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    /// # tokio::spawn(connection);
    /// let transaction = client.transaction().await?;
    /// audit.emit_in(&transaction, "order.paid").await?;
    /// let probe = audit.commit_probe(&transaction).await?;
    /// match probe.resolve(transaction.commit().await).await {
    ///     Ok(()) => {} // It is committed.
    ///     Err(error) if error.outcome() == Outcome::Rejected => return Err(error.into()), // It was rolled back.
    ///     Err(error) => return Err(error.into()), // Nobody knows: look before doing it again.
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Works with deadpool's transaction too. A savepoint has no fate of its own: give the answer of the outermost
    /// `commit`. PostgreSQL 13 or later; the transaction gets an id by it even if it writes nothing.
    ///
    /// # Errors
    /// `Driver`, after which PostgreSQL refuses everything but a rollback in that transaction; `Closed`; `Config` where
    /// the records are kept in memory.
    ///
    /// # Cancel safety
    /// Dropping it leaves the transaction as it is.
    pub async fn commit_probe(&self, transaction: &Transaction<'_>) -> Result<CommitProbe, Error> {
        let _pass = self.0.lifecycle.enter()?;
        let connections = self.0.context.connections()?.clone();
        // Of the root, whose connections they are: the scope may be closed meanwhile.
        let lifecycle = self.0.context.lifecycle.clone();
        CommitProbe::of(transaction, connections, lifecycle, self.0.settings.emit_timeout).await
    }

    /// SQL that stores one event by any driver (sqlx, diesel, `SeaORM`) in a transaction of its own: the twin of
    /// [`emit_in`](Self::emit_in). Its one parameter is what [`encode`](Self::encode) gives, bound as text.
    ///
    /// The row is the same as by `emit_in`. It affects no row where the id is there already. It needs the rights INSERT
    /// and SELECT (id). The text is the same for all events of this scope.
    ///
    /// ```
    /// # #[path = "../tests/support/mod.rs"] mod support;
    /// # use tracevault::{Config, Event, Tracevault, tokio_postgres};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let database = support::database(support::Purpose::Tests)?;
    /// # let url = database.url();
    /// # let audit = Tracevault::connect(Config::new(url).table_name("doc_encode").ensure_schema(true)).await?;
    /// # let (driver, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    /// # tokio::spawn(connection);
    /// let event = audit.encode(Event::new("order.paid").actor("ann", "user"))?;
    /// // With sqlx: sqlx::query(&audit.insert_statement()).bind(event.as_str()).execute(&mut *transaction)
    /// let stored = driver.execute(&audit.insert_statement(), &[&event.as_str()]).await?;
    /// assert_eq!(stored, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn insert_statement(&self) -> String {
        encoded::insert_statement(self.table())
    }

    /// Checks and masks an event, or a [`DiffEvent`], and writes it out as the parameter of
    /// [`insert_statement`](Self::insert_statement). Nothing is stored by it. The record's mode is `sync`.
    ///
    /// # Errors
    /// `Validation` when the event breaks a rule; `Closed`.
    pub fn encode<'a>(&self, event: impl Into<Event<'a>>) -> Result<Encoded, Error> {
        let record = Record::of(&event.into(), Some(Mode::Sync), &self.0.settings)?;
        self.0.lifecycle.check()?;
        Ok(Encoded::of(&record))
    }

    /// Queues an event, or a [`DiffEvent`], without waiting: for `Drop`, middleware, and other places that cannot wait.
    /// Always async.
    ///
    /// # Errors
    /// `Validation`, `Closed`, and `QueueFull` (with a spool: `Spool`) when there is no room, whatever `when_full` says.
    pub fn try_emit<'a>(&self, event: impl Into<Event<'a>>) -> Result<Receipt, Error> {
        let record = Record::of(&event.into(), Some(Mode::Async), &self.0.settings)?;
        let id = record.id();
        self.try_queue(record)?;
        Ok(Receipt { id, durability: Durability::Queued, duplicate: false })
    }

    fn try_queue(&self, record: Record) -> Result<(), Error> {
        let on_disk = |record, stream: &Stream| {
            self.0.lifecycle.check()?;
            stream.try_append(record, None, &self.0.settings.on_error).map_err(|refused| match refused {
                Refused::Full(refused) => refused.1,
                Refused::Other(error) => error,
            })
        };
        let record = match &self.0.stream {
            Some(stream) if stream.goes_to_disk(&self.0.queue) => return on_disk(record, stream),
            _ => record,
        };
        match (self.0.queue.try_offer(record, None), &self.0.stream) {
            (Ok(()), _) => Ok(()),
            (Err(Refusal::Full(record, _)), Some(stream)) => on_disk(record, stream),
            (Err(Refusal::Full(_, error)), None) => Err(error.into()),
            (Err(Refusal::Closed(error)), _) => Err(error.into()),
        }
    }

    /// Holds room in the queue for an event that is emitted later: for those who must know beforehand that it will be
    /// taken. `bytes` is what the event will weigh, its `data`, `meta` and texts; where it weighs less, the rest is given
    /// back.
    ///
    /// ```
    /// # #[path = "../tests/support/mod.rs"] mod support;
    /// use tracevault::{Config, ScopeOverrides, Tracevault};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let database = support::database(support::Purpose::Tests)?;
    /// # let url = database.url();
    /// let config = Config::new(url).table_name("doc_reserve").ensure_schema(true);
    /// let doors = Tracevault::connect(config).await?.scope(ScopeOverrides::new())?;
    /// let room = doors.try_reserve(1_000)?;
    /// // Now that the event will be taken, what it tells of may happen.
    /// room.emit("door.opened").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `QueueFull` (with a spool: `Spool`) when there is no room, whatever `when_full` says; `Closed`.
    pub fn try_reserve(&self, bytes: usize) -> Result<Reservation, Error> {
        Reservation::new(self, bytes)
    }

    /// A scope that inherits all of this one's settings but those named.
    ///
    /// # Errors
    /// `Config` when an override cannot be used; `Closed`; `Spool` when the disk of a spool fails.
    pub fn scope(&self, overrides: ScopeOverrides) -> Result<Self, Error> {
        self.0.lifecycle.check()?;
        Self::new(&self.0.context, &self.0.names, self.0.settings.overridden(overrides)?)
    }

    /// The scope that the configuration declares by this name. All callers get the same one.
    ///
    /// # Errors
    /// `Config` when there is none; `Closed`.
    pub fn get_scope(&self, name: &str) -> Result<Self, Error> {
        self.0.lifecycle.check()?;
        Self::named(&self.0.context, &self.0.names, name)
    }

    pub(crate) fn named(context: &Arc<Context>, names: &Arc<Names>, name: &str) -> Result<Self, Error> {
        let Some(declared) = names.0.get(name) else {
            let known: Vec<_> = names.iter().collect();
            let reason = format!("has no scope `{name}`; declared are: {}", known.join(", "));
            return Err(ConfigError::new("scopes", reason).into());
        };
        // A panic under the lock leaves the old pointer, which is as good.
        let mut live = declared.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = live.upgrade() {
            return Ok(Self(shared));
        }
        let scope = Self::new(context, names, declared.settings.clone())?;
        *live = Arc::downgrade(&scope.0);
        Ok(scope)
    }

    /// Waits until everything that this scope accepted so far is stored or reported, for at most `close_timeout`.
    /// Other scopes are not waited for.
    ///
    /// # Errors
    /// None today; what was not finished in time is in [`Drained::left`], or with a spool on disk, in [`Drained::spooled`].
    ///
    /// # Cancel safety
    /// Dropping it stops the waiting only.
    pub async fn flush(&self) -> Result<Drained, Error> {
        let deadline = Instant::now() + self.0.settings.close_timeout;
        let mut drained = self.0.queue.flush().await;
        if let Some(stream) = &self.0.stream {
            drained += stream.settle(deadline, false).await;
        }
        Ok(drained)
    }

    /// Refuses new events, stores what was accepted, and ends this scope. The root and its other scopes go on.
    ///
    /// It takes at most `close_timeout`; what is not stored by then is reported with [`Error::Closed`] and counted in
    /// [`Drained::left`]. Calling it again waits for the same end and gives the same numbers.
    ///
    /// # Errors
    /// None today.
    ///
    /// # Cancel safety
    /// Dropping it stops the waiting only; the scope closes all the same.
    pub async fn close(&self) -> Result<Drained, Error> {
        self.0.lifecycle.close();
        self.0.queue.begin_close();
        let deadline = Instant::now() + self.0.settings.close_timeout;
        let mut drained = self.0.queue.ended().await;
        if let Some(stream) = &self.0.stream {
            // What the queue left is in the spool, and counted there.
            drained.spooled = 0;
            drained += stream.settle(deadline, true).await;
        }
        Ok(drained)
    }

    /// Whether this scope is open and the database answers, within the deadlines.
    ///
    /// # Cancel safety
    /// Dropping it gives up its connection.
    pub async fn healthcheck(&self) -> bool {
        let Ok(_pass) = self.0.lifecycle.enter() else { return false };
        self.0.context.answers().await
    }

    /// The numbers of this scope's queue.
    pub fn stats(&self) -> Stats {
        let mut stats = self.0.queue.stats();
        if let Some(stream) = &self.0.stream {
            stats += stream.stats();
        }
        stats
    }

    /// The table that it writes to.
    pub fn table(&self) -> &TableName {
        &self.0.settings.table
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.0.queue
    }

    pub(crate) fn stream(&self) -> Option<&Stream> {
        self.0.stream.as_ref()
    }

    pub(crate) fn is_open(&self) -> Result<(), Error> {
        Ok(self.0.lifecycle.check()?)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("table", self.table()).field("stats", &self.stats()).finish_non_exhaustive()
    }
}
