//! Connections: from a connection string to a pool, and from the pool to one call with a deadline.
//!
//! The writing and the reading side both stand on this. Two rules are kept here: every call ends by its deadline, and
//! a connection whose call did not end is taken out of the pool, since its next borrower would wait behind that call.

use std::{ops::Deref, str::FromStr, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio_postgres::{NoTls, config::SslMode};

use crate::{
    config::PoolSettings,
    error::{ConfigError, Error, Task},
};

/// A pool, ours or the caller's, and its limits.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: Pool,
    limits: PoolSettings,
    owned: bool,
}

impl Connections {
    /// A pool of our own. Nothing is opened yet. `key` names the setting that the string comes from.
    pub(crate) fn new(key: &'static str, connection_string: &str, limits: PoolSettings) -> Result<Self, Error> {
        let mut config = tokio_postgres::Config::from_str(connection_string).map_err(|_| {
            // The parser's own words would quote parts of the string, the password among them.
            ConfigError::new(key, "is not a `postgres://` URL or a list of `key=value` pairs that the driver knows")
        })?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(
                ConfigError::new(key, "asks for TLS (`sslmode=require`), which this version does not have").into()
            );
        }
        if config.get_application_name().is_none() {
            config.application_name("tracevault");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(limits.connect_timeout);
        }
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(limits.size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(limits.acquire_timeout))
            .create_timeout(Some(limits.connect_timeout))
            .recycle_timeout(Some(limits.connect_timeout))
            .build()
            .map_err(|error| ConfigError::new("pool_size", error.to_string()))?;
        Ok(Self { pool, limits, owned: true })
    }

    /// The caller's pool, left open when we close.
    pub(crate) fn borrowed(pool: Pool, limits: PoolSettings) -> Self {
        Self { pool, limits, owned: false }
    }

    /// A connection for one call.
    pub(crate) async fn lease(&self, task: Task<'_>) -> Result<Lease, Error> {
        // A pool of the caller's may have no time-outs of its own.
        let longest = self.limits.acquire_timeout + self.limits.connect_timeout;
        let object = tokio::time::timeout(longest, self.pool.get())
            .await
            .map_err(|_| task.no_free_connection())?
            .map_err(|error| task.no_connection(error))?;
        Ok(Lease { object: Some(object), timeout: self.limits.statement_timeout })
    }

    /// Closes the pool if it is ours.
    pub(crate) fn close(&self) {
        if self.owned {
            self.pool.close();
        }
    }

    /// Whether the server answers.
    pub(crate) async fn answers(&self) -> bool {
        let Ok(lease) = self.lease(Task::Connect).await else { return false };
        let answer = lease.within(lease.simple_query("")).await;
        lease.settle(Task::Connect, answer).is_ok()
    }
}

/// A connection on loan for one call. Dropped before the call ended, it does not go back to the pool.
pub(crate) struct Lease {
    /// Taken only where the lease ends: by `settle`, which consumes it, and by `drop`.
    object: Option<Object>,
    timeout: Duration,
}

/// The call did not end in time.
pub(crate) struct TimedOut;

type Answer<T> = Result<Result<T, tokio_postgres::Error>, TimedOut>;

impl Lease {
    /// Bounds a call on this connection.
    pub(crate) async fn within<T>(&self, call: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Answer<T> {
        tokio::time::timeout(self.timeout, call).await.map_err(|_| TimedOut)
    }

    /// Ends the loan: back to the pool, unless the call did not end.
    pub(crate) fn settle<T>(mut self, task: Task<'_>, answer: Answer<T>) -> Result<T, Error> {
        match answer {
            Ok(answer) => {
                drop(self.object.take());
                answer.map_err(|error| task.failed(error))
            }
            Err(TimedOut) => Err(task.timed_out()),
        }
    }
}

impl Deref for Lease {
    type Target = tokio_postgres::Client;

    #[expect(clippy::expect_used, reason = "the object is there for as long as the lease is")]
    fn deref(&self) -> &Self::Target {
        self.object.as_ref().expect("a lease holds its connection until it ends")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}
