//! With sqlx, or any driver that can bind a text: the event goes by its statement, in its transaction.
//!
//! `cargo run --example sqlx`
#![allow(clippy::print_stdout, reason = "an example shows what it does, and asserts it")]

#[path = "../common/mod.rs"]
mod common;
mod connect;

use serde_json::json;
use sqlx::{PgConnection, PgPool};
use tracevault::{Config, Encoded, Event, Tracevault};

use crate::common::{Sandbox, Shown};

#[tokio::main]
async fn main() -> Shown {
    let sandbox = Sandbox::open()?;
    let (audit_table, orders) = (sandbox.table("sqlx_audit"), sandbox.table("sqlx_orders"));
    let config = Config::new(sandbox.url()).table_name(&audit_table).mask_fields(["card"]).ensure_schema(true);
    let audit = Tracevault::connect(config).await?;
    let pool = connect::pool(&sandbox).await?;
    sqlx::query(&format!("CREATE TABLE {orders} (id BIGINT PRIMARY KEY, cents BIGINT NOT NULL)"))
        .execute(&pool)
        .await?;

    // The order and the event, or neither.
    let mut transaction = pool.begin().await?;
    let event = pay(&audit, &mut transaction, &orders, 1).await?;
    transaction.commit().await?;
    assert_eq!(state(&pool, &audit_table, &orders).await?, (1, 1));
    println!("committed     1 order, 1 event");

    let mut transaction = pool.begin().await?;
    pay(&audit, &mut transaction, &orders, 2).await?;
    transaction.rollback().await?;
    assert_eq!(state(&pool, &audit_table, &orders).await?, (1, 1));
    println!("rolled back   still 1 order, 1 event");

    // The same event again, as after an answer that was lost: it is there once.
    let again = sqlx::query(&audit.insert_statement()).bind(event.as_str()).execute(&pool).await?;
    assert_eq!((again.rows_affected(), sandbox.rows(&audit_table).await?), (0, 1));
    println!("repeated      0 rows, still 1 event");

    let read = audit.query().find_by_id(event.id()).await?.ok_or("it was committed")?;
    let data = read.data.ok_or("it has data")?;
    assert_eq!(data.as_str(), r#"{"card": "[REDACTED]", "cents": 110}"#);
    println!("read          {} {}", read.event, data.as_str());

    audit.close().await?;
    pool.close().await;
    Ok(())
}

/// The change and its event, in whatever transaction the caller has open.
async fn pay(audit: &Tracevault, transaction: &mut PgConnection, orders: &str, id: i64) -> Shown<Encoded> {
    sqlx::query(&format!("INSERT INTO {orders} VALUES ($1, 110)")).bind(id).execute(&mut *transaction).await?;
    // Checked and masked here.
    let data = json!({ "cents": 110, "card": "4000 0000 0000 0002" });
    let event = Event::new("order.paid").actor("ann", "user").target(id.to_string(), "order").data(data);
    let event = audit.encode(event)?;
    sqlx::query(&audit.insert_statement()).bind(event.as_str()).execute(transaction).await?;
    Ok(event)
}

/// How many orders and events there are.
async fn state(pool: &PgPool, audit: &str, orders: &str) -> Shown<(i64, i64)> {
    let sql = format!("SELECT (SELECT count(*) FROM {orders}), (SELECT count(*) FROM {audit})");
    Ok(sqlx::query_as(&sql).fetch_one(pool).await?)
}
