//! What one would write by hand.

use std::time::Instant;

use futures_util::future::try_join_all;
use tokio_postgres::{
    Client, NoTls,
    types::{Json, ToSql},
};
use tracevault::{time::OffsetDateTime, uuid::Uuid};

use crate::{
    bench::{Bench, Outcome},
    order::Order,
};

pub const COLUMNS: &str = "id, event, actor_id, actor_type, target_id, target_type, data, mode, occurred_at";

/// One row's parameters, given an id, the payload and the time.
pub fn row<'r>(id: &'r Uuid, order: &'r Json<&'r Order>, now: &'r OffsetDateTime) -> [&'r (dyn ToSql + Sync); 9] {
    [id, &"order.paid", &"customer_8412", &"customer", &"order_9", &"order", order, &"sync", now]
}

impl Bench {
    /// A prepared INSERT, one row a statement.
    pub async fn baseline(&self) -> Outcome<f64> {
        self.empty().await?;
        let began = Instant::now();
        let stored = self.one_by_one(&self.sql, began).await?;
        Ok(f64::from(stored) / began.elapsed().as_secs_f64())
    }

    /// The same on eight connections at once.
    pub async fn eight_connections(&self, url: &str) -> Outcome<f64> {
        self.empty().await?;
        let connect = || async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            Ok::<_, tokio_postgres::Error>(client)
        };
        let clients = try_join_all((0..8).map(|_| connect())).await?;
        let began = Instant::now();
        let stored = try_join_all(clients.iter().map(|client| self.one_by_one(client, began))).await?;
        Ok(f64::from(stored.iter().sum::<u32>()) / began.elapsed().as_secs_f64())
    }

    async fn one_by_one(&self, client: &Client, began: Instant) -> Outcome<u32> {
        let sql = format!("INSERT INTO \"{}\" ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", self.table);
        let insert = client.prepare(&sql).await?;
        let order = Order::sample();
        let mut stored = 0;
        while began.elapsed() < self.window {
            let (id, now) = (Uuid::now_v7(), OffsetDateTime::now_utc());
            client.execute(&insert, &row(&id, &Json(&order), &now)).await?;
            stored += 1;
        }
        Ok(stored)
    }
}
