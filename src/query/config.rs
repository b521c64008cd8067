//! What a reader of its own is configured by.

use std::time::Duration;

use crate::config::Config;

/// Where and how to read, for a service that does not write.
#[derive(Debug, Clone)]
#[doc(alias = "TracevaultQueryConfig")]
pub struct QueryConfig(pub(super) Config);

impl QueryConfig {
    /// By this `postgres://` URL or these `key=value` pairs.
    pub fn new(connection_string: impl Into<String>) -> Self {
        Self(Config::new(connection_string))
    }

    /// The table. Default: `audit_logs`.
    #[must_use]
    #[doc(alias = "tableName")]
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
