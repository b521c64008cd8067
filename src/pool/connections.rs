//! From a connection string to a pool.

use std::str::FromStr;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::config::SslMode;

use super::{connector::Connector, lease::Lease, statements::Statements};
use crate::{
    config::PoolSettings,
    error::{ConfigError, Error, Task},
};

/// A pool, ours or the caller's, and its limits.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: Pool,
    limits: PoolSettings,
    statements: Statements,
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
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(config, Connector, recycling);
        let pool = Pool::builder(manager)
            .max_size(limits.size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(limits.acquire_timeout))
            .create_timeout(Some(limits.connect_timeout))
            .recycle_timeout(Some(limits.connect_timeout))
            .build()
            .map_err(|error| ConfigError::new("pool_size", error.to_string()))?;
        Ok(Self { pool, limits, statements: Statements::new(limits.statement_mode), owned: true })
    }

    /// The caller's pool, left open when we close.
    pub(crate) fn borrowed(pool: Pool, limits: PoolSettings) -> Self {
        Self { pool, limits, statements: Statements::new(limits.statement_mode), owned: false }
    }

    /// A connection for one call.
    pub(crate) async fn lease(&self, task: Task<'_>) -> Result<Lease, Error> {
        // A pool of the caller's may have no time-outs of its own.
        let longest = self.limits.acquire_timeout + self.limits.connect_timeout;
        let object = tokio::time::timeout(longest, self.pool.get())
            .await
            .map_err(|_| task.no_free_connection())?
            .map_err(|error| task.no_connection(error))?;
        Ok(Lease::new(object, self.limits.statement_timeout, self.statements.clone(), self.owned))
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
