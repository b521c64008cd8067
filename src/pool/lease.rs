//! One call on a connection.

use std::{
    ops::Deref,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use deadpool_postgres::Object;
use tokio_postgres::{Error as PgError, NoTls, Statement, error::SqlState, types::Type};

use super::{statements::Statements, tls::Tls};
use crate::{
    config::PoolSettings,
    error::{Error, Task},
};

/// A connection on loan for one call. Dropped while the call is under way, it does not go back to the pool.
pub(crate) struct Lease {
    /// Taken only where the lease ends: by `settle`, which consumes it, and by `drop`.
    object: Option<Object>,
    timeout: Duration,
    /// A cancel takes a connection of its own.
    connect_timeout: Duration,
    statements: Statements,
    tls: Option<Tls>,
    /// Whether the pool is ours.
    owned: bool,
    since: Instant,
    begun: AtomicBool,
    spoilt: AtomicBool,
}

/// The call did not end in time.
pub(crate) struct TimedOut;

type Answer<T> = Result<Result<T, PgError>, TimedOut>;

impl Lease {
    pub(super) fn new(
        object: Object,
        limits: &PoolSettings,
        statements: Statements,
        tls: Option<Tls>,
        owned: bool,
    ) -> Self {
        Self {
            object: Some(object),
            timeout: limits.statement_timeout,
            connect_timeout: limits.connect_timeout,
            statements,
            tls,
            owned,
            since: Instant::now(),
            begun: AtomicBool::new(false),
            spoilt: AtomicBool::new(false),
        }
    }

    /// Whether statements may be prepared by name on this connection.
    pub(crate) async fn keeps_statements(&self) -> Result<bool, PgError> {
        self.statements.are_kept(self).await
    }

    /// The statement, prepared once a connection. Only where [`keeps_statements`](Self::keeps_statements).
    pub(crate) async fn prepared(&self, sql: &str, types: &[Type]) -> Result<Statement, PgError> {
        self.object().prepare_typed_cached(sql, types).await
    }

    /// Nobody else is to have this connection.
    pub(crate) fn spoil(&self) {
        self.spoilt.store(true, Ordering::Relaxed);
    }

    #[expect(clippy::expect_used, reason = "the object is there for as long as the lease is")]
    fn object(&self) -> &Object {
        self.object.as_ref().expect("a lease holds its connection until it ends")
    }

    /// Bounds a call on this connection.
    pub(crate) async fn within<T>(&self, call: impl Future<Output = Result<T, PgError>>) -> Answer<T> {
        self.begun.store(true, Ordering::Relaxed);
        tokio::time::timeout(self.timeout, call).await.map_err(|_| TimedOut)
    }

    /// Ends the loan: back to the pool, unless the call did not end, or the connection was spoilt.
    pub(crate) fn settle<T>(mut self, task: Task<'_>, answer: Answer<T>) -> Result<T, Error> {
        let Ok(answer) = answer else {
            self.forget_the_idle();
            return Err(task.timed_out());
        };
        // Somebody else's failed transaction, and it would stay so.
        let aborted = |error: &PgError| error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION);
        let object = self.object.take();
        if self.spoilt.load(Ordering::Relaxed) || answer.as_ref().is_err_and(aborted) {
            drop(object.map(Object::take));
        }
        answer.map_err(|error| {
            self.statements.learn(&error);
            task.failed(error)
        })
    }

    /// Closes the pool's idle connections that were not used since this call began: where a router forgot them, each
    /// would take as long again to be found out. Not a caller's, whose others may be busy with other tables.
    fn forget_the_idle(&self) {
        if let Some(pool) = self.object.as_ref().filter(|_| self.owned).and_then(Object::pool) {
            pool.retain(|_, metrics| metrics.recycled.unwrap_or(metrics.created) > self.since);
        }
    }
}

impl Deref for Lease {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &Self::Target {
        self.object()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Where nothing was begun, it goes back with the object.
        if let Some(object) = self.object.take_if(|_| self.begun.load(Ordering::Relaxed)) {
            let client = Object::take(object);
            // Else the server goes on with it, on a connection that the pool no longer counts.
            let cancel = client.cancel_token();
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                let (timeout, tls) = (self.connect_timeout, self.tls.take());
                let cancelled = async move {
                    match tls {
                        Some(tls) => cancel.cancel_query(tls.connector()).await,
                        None => cancel.cancel_query(NoTls).await,
                    }
                };
                runtime.spawn(async move { drop(tokio::time::timeout(timeout, cancelled).await) });
            }
        }
    }
}
