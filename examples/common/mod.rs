//! What the examples stand on: a database, and tables of their own that go when the example ends, however it ends.
#![allow(dead_code, unreachable_pub, clippy::print_stderr, reason = "each example uses its own part of it")]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::{
    error::Error,
    sync::{Mutex, PoisonError},
};

use tracevault::{
    tokio_postgres::{self, Client, NoTls},
    uuid::Uuid,
};

use self::support::{Database, Origin, Purpose};

pub type Shown<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// A database that was named or made, and the example's tables in it.
pub struct Sandbox {
    database: Database,
    tables: Mutex<Vec<String>>,
}

impl Sandbox {
    pub fn open() -> Shown<Self> {
        Ok(Self { database: support::database(Purpose::Examples)?, tables: Mutex::default() })
    }

    pub fn url(&self) -> &str {
        self.database.url()
    }
    pub fn origin(&self) -> &Origin {
        self.database.origin()
    }

    /// A name that no other table has; what comes to stand under it is dropped in the end.
    pub fn table(&self, theme: &str) -> String {
        let random = Uuid::new_v4().simple().to_string();
        let name = format!("tracevault_example_{theme}_{}", &random[..8]);
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        name
    }

    /// A connection for plain SQL.
    pub async fn sql(&self) -> Result<Client, tokio_postgres::Error> {
        connect(self.url()).await
    }

    /// How many rows a table has.
    pub async fn rows(&self, table: &str) -> Result<i64, tokio_postgres::Error> {
        self.sql().await?.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?.try_get(0)
    }
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner).join(", ");
        if tables.is_empty() {
            return;
        }
        let (url, sql) = (self.url().to_owned(), format!("DROP TABLE IF EXISTS {tables}"));
        // A runtime of its own: a panic may be under way, and that of the example may be going down.
        let dropping = std::thread::spawn(move || -> Shown {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { Ok(connect(&url).await?.batch_execute(&sql).await?) })
        });
        if !matches!(dropping.join(), Ok(Ok(()))) {
            eprintln!("not dropped: {tables}");
        }
    }
}
