//! Which table of which database.

use crate::console::{self, Exit};

/// The arguments by which a database is found.
#[derive(clap::Args)]
pub(crate) struct Connection {
    /// Where to connect: a postgres:// URL or key=value pairs
    ///
    /// Other users of the machine can see the arguments of a process: prefer the variable.
    #[arg(long = "database-url", env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    url: Option<String>,
}

/// The arguments by which a table is found.
#[derive(clap::Args)]
pub(crate) struct Database {
    #[command(flatten)]
    connection: Connection,

    /// The audit table
    #[arg(long, default_value = "audit_logs")]
    pub(crate) table: String,

    /// The schema of the table [default: the connection's search path]
    #[arg(long)]
    pub(crate) schema: Option<String>,
}

impl Database {
    /// The connection string.
    pub(crate) fn url(&self) -> Result<&str, Exit> {
        self.connection.url()
    }
}

impl Connection {
    /// The connection string.
    pub(crate) fn url(&self) -> Result<&str, Exit> {
        match self.url.as_deref().map(str::trim) {
            Some(url) if !url.is_empty() => Ok(url),
            _ => {
                console::say("no database: set DATABASE_URL, or pass --database-url");
                Err(Exit::Usage)
            }
        }
    }
}
