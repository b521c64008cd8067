//! What the server can do at most on one connection, and on two.

use std::{pin::pin, time::Instant};

use futures_util::future::try_join_all;
use tokio_postgres::{
    Client,
    binary_copy::BinaryCopyInWriter,
    types::{Json, Type},
};

use crate::{
    bench::{Bench, Outcome, connect},
    order::{Meta, Order},
    plain::{COLUMNS, Row},
};

#[rustfmt::skip]
const TYPES: [Type; 13] = [
    Type::UUID, Type::TEXT, Type::TEXT, Type::TEXT, Type::TEXT, Type::TEXT, Type::JSONB, Type::JSONB, Type::TEXT,
    Type::TIMESTAMPTZ, Type::TEXT, Type::TEXT, Type::TEXT,
];

impl Bench {
    /// As many rows as fit into a second or so, in one binary COPY.
    pub async fn copy_one_shot(&self) -> Outcome<f64> {
        self.empty().await?;
        let began = Instant::now();
        copy(&self.sql, &self.table, self.rows()).await?;
        Ok(f64::from(self.rows()) / began.elapsed().as_secs_f64())
    }

    /// The same twice at once, on two connections and tasks: what two writers cannot surpass.
    pub async fn two_copies(&self, url: &str) -> Outcome<f64> {
        self.empty().await?;
        let clients = try_join_all((0..2).map(|_| connect(url))).await?;
        let (began, rows) = (Instant::now(), self.rows());
        let copying = clients.into_iter().map(|client| {
            let table = self.table.clone();
            tokio::spawn(async move { copy(&client, &table, rows).await })
        });
        try_join_all(copying).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(2.0 * f64::from(rows) / began.elapsed().as_secs_f64())
    }

    /// The same rows made by the server itself: what no client can surpass on one connection.
    pub async fn insert_select(&self) -> Outcome<f64> {
        self.empty().await?;
        let rows = self.rows();
        let sql = format!(
            "INSERT INTO \"{}\" ({COLUMNS}) SELECT gen_random_uuid(), 'order.paid', 'customer_8412', 'customer',
             'order_9', 'order', $1, $2, 'sync', now(), gen_random_uuid()::text, gen_random_uuid()::text, 'production'
             FROM generate_series(1, $3::int)",
            self.table
        );
        let began = Instant::now();
        self.sql.execute(&sql, &[&Json(Order::sample()), &Json(Meta::sample()), &i32::try_from(rows)?]).await?;
        Ok(f64::from(rows) / began.elapsed().as_secs_f64())
    }
}

async fn copy(client: &Client, table: &str, rows: u32) -> Result<(), tokio_postgres::Error> {
    let (order, meta) = (Order::sample(), Meta::sample());
    // The driver takes a COPY for done before its commit.
    client.batch_execute("BEGIN").await?;
    let sink = client.copy_in(&format!("COPY \"{table}\" ({COLUMNS}) FROM STDIN (FORMAT binary)")).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &TYPES));
    for _ in 0..rows {
        writer.as_mut().write(&Row::new().params(&Json(&order), &Json(&meta))).await?;
    }
    assert_eq!(writer.finish().await?, u64::from(rows));
    client.batch_execute("COMMIT").await
}
