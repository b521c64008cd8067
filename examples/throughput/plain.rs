//! What one would write by hand.

use std::time::Instant;

use futures_util::future::try_join_all;
use tokio_postgres::{
    Client,
    types::{Json, ToSql},
};
use tracevault::{time::OffsetDateTime, uuid::Uuid};

use crate::{
    bench::{Bench, Outcome, connect},
    order::{Meta, Order},
};

pub const COLUMNS: &str = "id, event, actor_id, actor_type, target_id, target_type, data, meta, mode, occurred_at, \
    correlation_id, request_id, environment";

/// What differs from row to row.
pub struct Row {
    id: Uuid,
    request: String,
    now: OffsetDateTime,
}

impl Row {
    pub fn new() -> Self {
        let id = Uuid::now_v7();
        Self { id, request: id.to_string(), now: OffsetDateTime::now_utc() }
    }

    /// In the order of [`COLUMNS`].
    pub fn params<'r>(&'r self, data: &'r Json<&Order>, meta: &'r Json<&Meta>) -> [&'r (dyn ToSql + Sync); 13] {
        let Self { id, request, now } = self;
        let (who, what) = (&"customer_8412", &"order_9");
        [id, &"order.paid", who, &"customer", what, &"order", data, meta, &"sync", now, request, request, &"production"]
    }
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
        let clients = try_join_all((0..8).map(|_| connect(url))).await?;
        let began = Instant::now();
        let stored = try_join_all(clients.iter().map(|client| self.one_by_one(client, began))).await?;
        Ok(f64::from(stored.iter().sum::<u32>()) / began.elapsed().as_secs_f64())
    }

    async fn one_by_one(&self, client: &Client, began: Instant) -> Outcome<u32> {
        let values = "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13";
        let insert = client.prepare(&format!("INSERT INTO \"{}\" ({COLUMNS}) VALUES ({values})", self.table)).await?;
        let (order, meta) = (Order::sample(), Meta::sample());
        let mut stored = 0;
        while began.elapsed() < self.window {
            client.execute(&insert, &Row::new().params(&Json(&order), &Json(&meta))).await?;
            stored += 1;
        }
        Ok(stored)
    }
}
