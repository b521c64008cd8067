//! What the server can do at most on one connection.

use std::{pin::pin, time::Instant};

use tokio_postgres::{
    binary_copy::BinaryCopyInWriter,
    types::{Json, Type},
};
use tracevault::{time::OffsetDateTime, uuid::Uuid};

use crate::{
    bench::{Bench, Outcome},
    order::Order,
    plain::{COLUMNS, row},
};

const TYPES: [Type; 9] = [
    Type::UUID,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::JSONB,
    Type::TEXT,
    Type::TIMESTAMPTZ,
];

impl Bench {
    /// As many rows as fit into a second or so, in one binary COPY.
    pub async fn copy_one_shot(&self) -> Outcome<f64> {
        self.empty().await?;
        let rows = self.rows();
        let order = Order::sample();
        let sink = self.sql.copy_in(&format!("COPY \"{}\" ({COLUMNS}) FROM STDIN (FORMAT binary)", self.table)).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &TYPES));
        let began = Instant::now();
        for _ in 0..rows {
            let (id, now) = (Uuid::now_v7(), OffsetDateTime::now_utc());
            writer.as_mut().write(&row(&id, &Json(&order), &now)).await?;
        }
        let stored = writer.finish().await?;
        assert_eq!(stored, u64::from(rows));
        Ok(f64::from(rows) / began.elapsed().as_secs_f64())
    }

    /// The same rows made by the server itself: what no client can surpass on one connection.
    pub async fn insert_select(&self) -> Outcome<f64> {
        self.empty().await?;
        let rows = self.rows();
        let sql = format!(
            "INSERT INTO \"{}\" ({COLUMNS}) SELECT gen_random_uuid(), 'order.paid', 'customer_8412', 'customer',
             'order_9', 'order', $1, 'sync', now() FROM generate_series(1, $2::int)",
            self.table
        );
        let began = Instant::now();
        self.sql.execute(&sql, &[&Json(Order::sample()), &i32::try_from(rows)?]).await?;
        Ok(f64::from(rows) / began.elapsed().as_secs_f64())
    }
}
