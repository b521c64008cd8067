//! Scopes: one pool, and for each kind of event a table, masks and a mode of its own.
//!
//! `cargo run --example scopes`
#![allow(clippy::print_stdout, clippy::expect_used, reason = "an example shows what it does, and asserts it")]

mod common;

use serde_json::json;
use tracevault::{Config, Durability, Event, Mode, ScopeOverrides, Tracevault};

use crate::common::{Sandbox, Shown};

#[tokio::main]
async fn main() -> Shown {
    let sandbox = Sandbox::open()?;
    let [main, payments, clicks] = ["scopes", "payments", "clicks"].map(|theme| sandbox.table(theme));

    // Declared up front, as a service's configuration file would: `connect` makes their tables too.
    let config = Config::new(sandbox.url())
        .table_name(&main)
        .mask_fields(["password"])
        .environment("production")
        .ensure_schema(true)
        .scope("payments", ScopeOverrides::new().table_name(&payments).mask_fields(["card"]))
        .scope("clicks", ScopeOverrides::new().table_name(&clicks).default_mode(Mode::Async).no_environment());
    let audit = Tracevault::connect(config).await?;

    let paid = audit.get_scope("payments")?;
    let receipt =
        paid.emit(Event::new("payment.captured").data(json!({ "card": "4242", "password": "shown" }))).await?;
    assert_eq!(receipt.durability, Durability::Committed);
    println!("payment.captured   {:?} in {}", receipt.durability, paid.table());

    let clicked = audit.get_scope("clicks")?;
    for n in 0..1_000 {
        clicked.emit(Event::new("button.clicked").data(json!({ "n": n }))).await?;
    }
    // A flush concerns its own scope: nobody waits for another's queue.
    let drained = clicked.flush().await?;
    let stored = clicked.stats().stored;
    assert_eq!((stored, drained.failed, drained.left), (1_000, 0, 0));
    println!("button.clicked     {stored} stored in {}", clicked.table());

    // Made on the spot, from the root or from another scope: inherits all that it does not name.
    let refunds = paid.scope(ScopeOverrides::new().environment("refunds"))?;
    refunds.emit(Event::new("payment.refunded").data(json!({ "card": "4242" }))).await?;

    // Lists are replaced, never merged: the scope masks cards, and no longer passwords.
    let sql = format!("SELECT event, environment, data::text FROM {payments} ORDER BY occurred_at, id");
    let rows = sandbox.sql().await?.query(&sql, &[]).await?;
    let rows: Vec<(String, Option<String>, String)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    for (event, environment, data) in &rows {
        println!("{event:<18} environment {:<12} {data}", environment.as_deref().unwrap_or("none"));
    }
    let environments: Vec<_> = rows.iter().map(|(_, environment, _)| environment.as_deref()).collect();
    assert_eq!(environments, [Some("production"), Some("refunds")]);
    assert_eq!(rows[0].2, r#"{"card": "[REDACTED]", "password": "shown"}"#);

    // What a scope cannot have of its own is refused in words: the connections are the root's.
    let wrong = serde_json::from_str::<ScopeOverrides>(r#"{ "connectionString": "postgres://elsewhere" }"#);
    println!("refused            {}", wrong.expect_err("a scope shares its root's connections"));
    println!("refused            {}", audit.get_scope("payment").expect_err("no scope has that name"));

    // Closing a scope leaves the others open; closing the root drains them all.
    clicked.close().await?;
    assert!(clicked.emit("button.clicked").await.is_err_and(|error| error.is_closed()));
    audit.emit("service.stopped").await?;
    let drained = audit.close().await?;
    assert_eq!((drained.failed, drained.left), (0, 0));

    let counts = [sandbox.rows(&main).await?, sandbox.rows(&payments).await?, sandbox.rows(&clicks).await?];
    assert_eq!(counts, [1, 2, 1_000]);
    println!("rows               main {}, payments {}, clicks {}", counts[0], counts[1], counts[2]);
    Ok(())
}
