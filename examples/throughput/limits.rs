//! What the server can do at most on one connection, and on two.

use std::{pin::pin, time::Instant};

use tokio_postgres::{
    Client, NoTls,
    binary_copy::BinaryCopyInWriter,
    types::{Json, Type},
};

use crate::{
    bench::{Bench, Outcome},
    order::{Meta, Order},
    plain::{COLUMNS, Row},
};

const TYPES: [Type; 13] = [
    Type::UUID,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::JSONB,
    Type::JSONB,
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
];

impl Bench {
    /// As many rows as fit into a second or so, in one binary COPY.
    pub async fn copy_one_shot(&self) -> Outcome<f64> {
        self.empty().await?;
        self.copy(&self.sql).await
    }

    /// The same twice at once, on two connections: what two writers cannot surpass.
    pub async fn two_copies(&self, url: &str) -> Outcome<f64> {
        self.empty().await?;
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        let (one, other) = tokio::join!(self.copy(&self.sql), self.copy(&client));
        Ok(one? + other?)
    }

    async fn copy(&self, client: &Client) -> Outcome<f64> {
        let rows = self.rows();
        let (order, meta) = (Order::sample(), Meta::sample());
        // The driver takes a COPY for done before its commit.
        client.batch_execute("BEGIN").await?;
        let sink = client.copy_in(&format!("COPY \"{}\" ({COLUMNS}) FROM STDIN (FORMAT binary)", self.table)).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &TYPES));
        let began = Instant::now();
        for _ in 0..rows {
            writer.as_mut().write(&Row::new().params(&Json(&order), &Json(&meta))).await?;
        }
        let stored = writer.finish().await?;
        client.batch_execute("COMMIT").await?;
        assert_eq!(stored, u64::from(rows));
        Ok(f64::from(rows) / began.elapsed().as_secs_f64())
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
