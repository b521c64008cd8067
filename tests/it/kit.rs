//! What every test stands on: the one server, a table of its own, plain SQL to look at it, and a log that is watched.

use std::{
    env,
    io::{self, Write},
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use tokio_postgres::{Client, NoTls, Row, types::ToSql};
use tracevault::{Config, Tracevault, generate_init_sql};

use crate::support::{Cluster, Database, Options, Origin, Purpose, WheelVersion, database, wheel};

/// Planted in passwords and payloads all over the suite. It must never show in a log line, an error or a Debug.
pub const CANARY: &str = "c4n4ry-9b1d";

/// The connection string of the suite's server. Its password is the canary, where the server is our own.
pub fn url() -> String {
    static URL: OnceLock<String> = OnceLock::new();
    watch_the_log();
    URL.get_or_init(find).clone()
}

/// `TRACEVAULT_TEST_POSTGRES=16` or `18` takes a server of that version from the wheels, unless one is named.
fn find() -> String {
    static VERSION: OnceLock<Cluster> = OnceLock::new();
    static DATABASE: OnceLock<Database> = OnceLock::new();
    let own = |url: &str| format!("{url} password='{CANARY}'");
    let version = match env::var("TRACEVAULT_TEST_POSTGRES").as_deref() {
        Ok(_) if env::var("TRACEVAULT_TEST_DATABASE_URL").is_ok() => None,
        Ok("16") => Some(WheelVersion::V16),
        Ok("18") => Some(WheelVersion::V18),
        Ok(other) => panic!("TRACEVAULT_TEST_POSTGRES is {other}; it can be 16 or 18"),
        Err(_) => None,
    };
    if let Some(version) = version {
        let start = || Cluster::start(Options::new(wheel::binaries(version).unwrap())).unwrap();
        return own(&VERSION.get_or_init(start).connection_string());
    }
    let database = DATABASE.get_or_init(|| database(Purpose::Tests).unwrap());
    match database.origin() {
        Origin::Cluster { .. } | Origin::Wheel => own(database.url()),
        _ => database.url().to_owned(),
    }
}

/// The same server for another user, whose password is the canary.
pub fn url_as(user: &str) -> String {
    let config: tokio_postgres::Config = url().parse().unwrap();
    let host = match &config.get_hosts()[0] {
        tokio_postgres::config::Host::Tcp(name) => name.clone(),
        tokio_postgres::config::Host::Unix(folder) => folder.to_string_lossy().into_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().unwrap_or(user);
    format!("host='{host}' port={port} dbname='{database}' user={user} password='{CANARY}'")
}

/// SQL that makes a user with the canary as password, in two parts, since the driver logs statements.
pub fn create_role(name: &str) -> String {
    let (one, other) = CANARY.split_at(5);
    format!("DO $$ BEGIN EXECUTE format('CREATE ROLE {name} LOGIN PASSWORD %L', '{one}' || '{other}'); END $$;")
}

/// A connection for plain SQL.
pub async fn client() -> Client {
    connect(&url()).await
}

pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A name that no other test uses, in this run or in another on the same server.
pub fn unique(theme: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("t_{theme}_{}_{}", NEXT.fetch_add(1, Ordering::Relaxed), &random[..8])
}

/// An audit table of one test.
pub struct Table {
    pub name: String,
    pub sql: Client,
}

impl Table {
    /// Made by the DDL that we ship.
    pub async fn new(theme: &str) -> Self {
        let table = Self::missing(theme).await;
        table.sql.batch_execute(&generate_init_sql(&table.name).unwrap()).await.unwrap();
        table
    }

    /// A name only.
    pub async fn missing(theme: &str) -> Self {
        Self { name: unique(theme), sql: client().await }
    }

    /// A configuration that writes here.
    pub fn config(&self) -> Config {
        Config::new(url()).table_name(&self.name)
    }

    /// A root that writes here.
    pub fn audit(&self) -> Tracevault {
        Tracevault::new(self.config()).unwrap()
    }

    /// `SELECT {columns} FROM this table {rest}`.
    pub async fn select(&self, columns: &str, rest: &str, params: &[&(dyn ToSql + Sync)]) -> Vec<Row> {
        self.sql.query(&format!("SELECT {columns} FROM \"{}\" {rest}", self.name), params).await.unwrap()
    }

    /// One column of all rows, in the order of reads.
    pub async fn column<T>(&self, column: &str) -> Vec<T>
    where
        T: for<'r> tokio_postgres::types::FromSql<'r>,
    {
        self.select(column, "ORDER BY occurred_at, id", &[]).await.iter().map(|row| row.get(0)).collect()
    }

    /// How many rows there are.
    pub async fn count(&self) -> i64 {
        self.select("count(*)", "", &[]).await[0].get(0)
    }

    /// The `data` of the only row, as PostgreSQL spells it.
    pub async fn data(&self) -> String {
        let rows = self.select("data::text", "", &[]).await;
        assert_eq!(rows.len(), 1, "one row");
        rows[0].get(0)
    }

    /// Drops it; a test that failed leaves it to be looked at.
    pub async fn drop(self) {
        self.sql.batch_execute(&format!("DROP TABLE IF EXISTS \"{}\"", self.name)).await.unwrap();
    }
}

/// Sends every log line of the process, at trace level, through the watcher: ours, and those of every library.
fn watch_the_log() {
    static WATCHED: OnceLock<()> = OnceLock::new();
    WATCHED.get_or_init(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(|| Watcher)
            .init();
    });
}

/// How many lines of the driver went through the watcher.
pub static DRIVER_LINES: AtomicU64 = AtomicU64::new(0);

/// Ends the whole run at the first leak, since no single test could notice it.
struct Watcher;

impl Write for Watcher {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if leaks(line) {
            let line = String::from_utf8_lossy(line);
            let _ = writeln!(io::stderr(), "a secret reached the log: {line}");
            std::process::abort();
        }
        if line.windows(b" tokio_postgres::".len()).any(|window| window == b" tokio_postgres::") {
            DRIVER_LINES.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn leaks(text: &[u8]) -> bool {
    text.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}
