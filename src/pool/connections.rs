//! From a connection string to a pool.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};

use super::{address::Address, connector::Connector, lease::Lease, statements::Statements, tls::Tls};
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
    /// How our own connections speak TLS; what the caller's do is not known.
    tls: Option<Tls>,
    owned: bool,
}

impl Connections {
    /// A pool of our own. Nothing is opened yet. `key` names the setting that the string comes from.
    pub(crate) fn new(key: &'static str, connection_string: &str, limits: PoolSettings) -> Result<Self, Error> {
        let (connector, tls) = connector(key, connection_string, limits.connect_timeout)?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        // The connector knows the servers: the pool's own configuration is not used.
        let unused = tokio_postgres::Config::new();
        let manager = Manager::from_connect(unused, connector, recycling);
        let pool = Pool::builder(manager)
            .max_size(limits.size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(limits.acquire_timeout))
            .create_timeout(Some(limits.connect_timeout))
            .recycle_timeout(Some(limits.connect_timeout))
            .build()
            .map_err(|error| ConfigError::new("pool_size", error.to_string()))?;
        Ok(Self { pool, limits, statements: Statements::new(limits.statement_mode), tls, owned: true })
    }

    /// The caller's pool, left open when we close.
    pub(crate) fn borrowed(pool: Pool, limits: PoolSettings) -> Self {
        Self { pool, limits, statements: Statements::new(limits.statement_mode), tls: None, owned: false }
    }

    /// The same pool, with another limit on the length of statements.
    #[allow(dead_code, reason = "only features ask for it")]
    pub(crate) fn with_statement_timeout(&self, timeout: Duration) -> Self {
        Self { limits: PoolSettings { statement_timeout: timeout, ..self.limits }, ..self.clone() }
    }

    /// A connection for one call.
    pub(crate) async fn lease(&self, task: Task<'_>) -> Result<Lease, Error> {
        self.lease_within(self.limits.acquire_timeout, &self.pool.timeouts(), task).await
    }

    /// A connection for one call, if there is one more than others wait for.
    pub(crate) async fn spare_lease(&self, task: Task<'_>) -> Result<Lease, Error> {
        let timeouts = Timeouts { wait: Some(Duration::ZERO), ..self.pool.timeouts() };
        self.lease_within(Duration::ZERO, &timeouts, task).await
    }

    async fn lease_within(&self, wait: Duration, timeouts: &Timeouts, task: Task<'_>) -> Result<Lease, Error> {
        // A pool of the caller's may have no time-outs of its own.
        let longest = wait + self.limits.connect_timeout;
        let object = tokio::time::timeout(longest, self.pool.timeout_get(timeouts))
            .await
            .map_err(|_| task.no_free_connection())?
            .map_err(|error| task.no_connection(error))?;
        Ok(Lease::new(object, &self.limits, self.statements.clone(), self.tls.clone(), self.owned))
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

/// What opens connections by this string, and how they speak TLS.
pub(super) fn connector(
    key: &'static str,
    connection_string: &str,
    connect_timeout: Duration,
) -> Result<(Connector, Option<Tls>), Error> {
    let wrong = |reason: String| ConfigError::new(key, reason);
    let mut address = Address::read(connection_string).map_err(wrong)?;
    // Where there is no TLS, its files are not looked at.
    let tls = if address.is_local() { None } else { Tls::of(&address.security).map_err(wrong)? };
    // A server that does not answer must leave some of the time to the next.
    let tries = address.servers.len() * address.sessions.len();
    let share = connect_timeout / u32::try_from(tries).unwrap_or(u32::MAX);
    for server in &mut address.servers {
        if server.get_application_name().is_none() {
            server.application_name("tracevault");
        }
        if server.get_connect_timeout().is_none() {
            server.connect_timeout(share);
        }
    }
    Ok((Connector::new(address, tls.clone(), share), tls))
}
