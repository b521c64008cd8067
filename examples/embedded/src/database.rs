//! An embedded PostgreSQL 17.5 (WebAssembly, compiled ahead of time) for people who have no database.
//!
//! The server runs in this process, on a thread of its own, and serves ONE connection at a time over a unix socket in a
//! private temporary folder, so the pool has a maximum size of 1. Nothing is downloaded. The unpacked runtime (99 MB) is
//! kept in the user's cache folder (`pglite-oxide`).

use std::{
    error::Error,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tracevault::{
    deadpool_postgres::{Manager, ManagerConfig, Pool, Runtime},
    tokio_postgres::Config,
};

use crate::{
    cache::{Cache, private_folder},
    connector::{Connector, Line},
    server::Server,
};

/// Longest wait for the server thread when the [`Guard`] is dropped: a query that is still running cannot be cancelled.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Keeps the embedded server alive. Dropping it closes the pool, hangs up the one connection, stops the server and
/// removes its folder. It does not run on a signal or `std::process::exit`.
#[must_use = "the database ends when the guard is dropped"]
pub(crate) struct Guard {
    pool: Pool,
    line: Line,
    server: Server,
    // These remove themselves, after the server has stopped.
    folder: TempDir,
    _cache: Cache,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pool.close();
        self.server.stop();
        // The server sits in a blocking read until its client hangs up. We do that on our own handle of the socket: it
        // needs no running tokio task, so it cannot deadlock a current-thread runtime, nor wait for a task that still
        // holds the connection.
        self.line.hang_up();
        // Wakes the server if it waits for a connection.
        let _ = UnixStream::connect(socket_in(self.folder.path()));
        self.server.wait(STOP_TIMEOUT);
    }
}

/// Starts the embedded database; the pool has one connection.
pub(crate) async fn start(cache: Cache) -> Result<(Guard, Pool), Box<dyn Error + Send + Sync>> {
    let folder = private_folder("tracevault-")?;
    let socket = socket_in(folder.path());
    let listener = UnixListener::bind(&socket)?;
    let server = Server::start(listener, folder.path().join("data"))?;

    let mut config = Config::new();
    config.host_path(folder.path()).user("postgres").dbname("template1");
    let line = Line::default();
    let connector = Connector { socket, line: line.clone() };
    let manager = Manager::from_connect(config, connector, ManagerConfig::default());
    let pool = Pool::builder(manager).max_size(1).runtime(Runtime::Tokio1).build()?;
    let guard = Guard { pool: pool.clone(), line, server, folder, _cache: cache };
    // Unpacks and starts PostgreSQL now, so that its errors come from here.
    pool.get().await?.simple_query("SELECT 1").await?;
    Ok((guard, pool))
}

/// The name that the driver makes of a folder and the usual port.
fn socket_in(folder: &Path) -> PathBuf {
    folder.join(".s.PGSQL.5432")
}
