//! The ways from an event to a row that are compared.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio_postgres::{Client, NoTls, types::Json};
use tracevault::{Config, Event, Mode, ScopeOverrides, Tracevault, generate_init_sql, uuid::Uuid};

use crate::order::Order;

type Rate = Result<f64, Box<dyn std::error::Error>>;

/// The event that every way stores.
fn event(order: &Order) -> Event<'_> {
    Event::new("order.paid").actor("customer_8412", "customer").target("order_9", "order").data(order)
}

/// The tables and connections of one run.
pub struct Ways {
    sql: Client,
    audit: Tracevault,
    table: String,
    fsync: String,
    window: Duration,
}

impl Ways {
    pub async fn prepare(url: &str, window: Duration) -> Result<Self, Box<dyn std::error::Error>> {
        let (sql, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        let table = format!("tracevault_throughput_{}", &Uuid::new_v4().simple().to_string()[..8]);
        sql.batch_execute(&generate_init_sql(&table)?).await?;
        let fsync = sql.query_one("SHOW fsync", &[]).await?.get(0);
        let config = Config::new(url).table_name(&table).mask_fields(["email", "number", "cvc", "token"]);
        Ok(Self { sql, audit: Tracevault::connect(config).await?, table, fsync, window })
    }

    pub fn fsync(&self) -> &str {
        &self.fsync
    }

    pub async fn clean_up(&self) -> Result<(), Box<dyn std::error::Error>> {
        self.audit.close().await?;
        Ok(self.sql.batch_execute(&format!("DROP TABLE \"{}\"", self.table)).await?)
    }

    /// What one would write by hand: a prepared INSERT, one row a statement.
    pub async fn baseline(&self) -> Rate {
        self.sql.batch_execute(&format!("TRUNCATE \"{}\"", self.table)).await?;
        let insert = format!(
            "INSERT INTO \"{}\" (id, event, actor_id, actor_type, target_id, target_type, data, mode, occurred_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'sync', now())",
            self.table
        );
        let insert = self.sql.prepare(&insert).await?;
        let order = Order::sample();
        let (began, mut stored) = (Instant::now(), 0_u32);
        while began.elapsed() < self.window {
            let (who, what) = ("customer_8412", "order_9");
            let id = Uuid::now_v7();
            self.sql.execute(&insert, &[&id, &"order.paid", &who, &"customer", &what, &"order", &Json(&order)]).await?;
            stored += 1;
        }
        Ok(f64::from(stored) / began.elapsed().as_secs_f64())
    }

    /// So many callers, each waiting for its commit before its next event.
    pub async fn sync(&self, callers: usize) -> Rate {
        self.sql.batch_execute(&format!("TRUNCATE \"{}\"", self.table)).await?;
        let began = Instant::now();
        let tasks = (0..callers).map(|_| {
            let (audit, window) = (self.audit.clone(), self.window);
            tokio::spawn(async move {
                let order = Order::sample();
                let mut stored = 0_u32;
                while began.elapsed() < window {
                    audit.emit(event(&order)).await?;
                    stored += 1;
                }
                Ok::<_, tracevault::Error>(stored)
            })
        });
        let counts = try_join_all(tasks).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        let elapsed = began.elapsed().as_secs_f64();
        self.check(counts.iter().sum()).await?;
        Ok(f64::from(counts.iter().sum::<u32>()) / elapsed)
    }

    /// Four tasks that emit without waiting, until the last event is stored.
    pub async fn async_stored(&self) -> Rate {
        self.sql.batch_execute(&format!("TRUNCATE \"{}\"", self.table)).await?;
        let scope = self.audit.scope(ScopeOverrides::new().default_mode(Mode::Async).async_batch_size(1_000))?;
        let began = Instant::now();
        let tasks = (0..4).map(|_| {
            let (scope, window) = (scope.clone(), self.window);
            tokio::spawn(async move {
                let order = Order::sample();
                let mut emitted = 0_u32;
                while began.elapsed() < window {
                    scope.emit(event(&order)).await?;
                    emitted += 1;
                }
                Ok::<_, tracevault::Error>(emitted)
            })
        });
        let counts = try_join_all(tasks).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        let drained = scope.close().await?;
        assert_eq!((drained.failed, drained.left), (0, 0));
        let elapsed = began.elapsed().as_secs_f64();
        self.check(counts.iter().sum()).await?;
        Ok(f64::from(counts.iter().sum::<u32>()) / elapsed)
    }

    /// Every acknowledged event is a row.
    async fn check(&self, acknowledged: u32) -> Result<(), Box<dyn std::error::Error>> {
        let rows: i64 = self.sql.query_one(&format!("SELECT count(*) FROM \"{}\"", self.table), &[]).await?.get(0);
        assert_eq!(rows, i64::from(acknowledged), "every acknowledged event is a row");
        Ok(())
    }
}
