//! The table and the connections of one run.

use std::time::Duration;

use tokio_postgres::{Client, NoTls};
use tracevault::{Config, Tracevault, generate_init_sql, uuid::Uuid};

pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What every way of storing is measured on.
pub struct Bench {
    pub sql: Client,
    pub audit: Tracevault,
    pub table: String,
    /// How long each way runs, each time.
    pub window: Duration,
}

impl Bench {
    pub async fn prepare(url: &str, window: Duration) -> Outcome<Self> {
        let sql = connect(url).await?;
        let table = format!("tracevault_throughput_{}", &Uuid::new_v4().simple().to_string()[..8]);
        sql.batch_execute(&generate_init_sql(&table)?).await?;
        let audit = Tracevault::connect(config(url, &table)).await?;
        Ok(Self { sql, audit, table, window })
    }

    /// How many rows the ways of a fixed number store: about as many as the others, since a larger table is slower.
    pub fn rows(&self) -> u32 {
        (self.window.as_millis() * 50).try_into().unwrap_or(50_000)
    }

    /// `on` or `off`.
    pub async fn fsync(&self) -> Outcome<String> {
        Ok(self.sql.query_one("SHOW fsync", &[]).await?.get(0))
    }

    pub async fn empty(&self) -> Outcome<()> {
        Ok(self.sql.batch_execute(&format!("TRUNCATE \"{}\"", self.table)).await?)
    }

    /// Every acknowledged event is a row.
    pub async fn check(&self, acknowledged: u32) -> Outcome<()> {
        let rows: i64 = self.sql.query_one(&format!("SELECT count(*) FROM \"{}\"", self.table), &[]).await?.get(0);
        assert_eq!(rows, i64::from(acknowledged), "every acknowledged event is a row");
        Ok(())
    }

    pub async fn clean_up(&self) -> Outcome<()> {
        self.audit.close().await?;
        Ok(self.sql.batch_execute(&format!("DROP TABLE \"{}\"", self.table)).await?)
    }
}

/// What the events are checked and masked by.
pub fn config(url: &str, table: &str) -> Config {
    Config::new(url).table_name(table).mask_fields(["email", "number", "cvc", "token"]).environment("production")
}

pub async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
