//! In the caller's own transaction: the event is stored if, and only if, the change that it tells of is.
//!
//! `cargo run --example transaction`
#![allow(clippy::print_stdout, clippy::expect_used, reason = "an example shows what it does, and asserts it")]

mod common;

use serde_json::json;
use tracevault::{
    Config, Durability, Event, Tracevault,
    deadpool_postgres::{Manager, Pool},
    tokio_postgres::{NoTls, Transaction},
};

use crate::common::{Sandbox, Shown};

#[tokio::main]
async fn main() -> Shown {
    let sandbox = Sandbox::open()?;
    let (audit_table, accounts) = (sandbox.table("audit"), sandbox.table("accounts"));
    let mut client = sandbox.sql().await?;
    let make = format!("CREATE TABLE {accounts} (name TEXT PRIMARY KEY, cents BIGINT NOT NULL CHECK (cents >= 0))");
    client.batch_execute(&format!("{make}; INSERT INTO {accounts} VALUES ('ann', 1000), ('bob', 0)")).await?;
    let audit = Tracevault::connect(Config::new(sandbox.url()).table_name(&audit_table).ensure_schema(true)).await?;

    // tokio_postgres, and a commit.
    let transaction = client.transaction().await?;
    transfer(&audit, &transaction, &accounts, 300).await?;
    transaction.commit().await?;
    assert_eq!(state(&sandbox, &audit_table, &accounts).await?, (1, 300));
    println!("committed          1 event, bob has 3.00");

    // The database refuses the change: dropping the transaction rolls both back.
    let transaction = client.transaction().await?;
    let refused = transfer(&audit, &transaction, &accounts, 5_000).await;
    transaction.rollback().await?;
    assert!(refused.is_err());
    assert_eq!(state(&sandbox, &audit_table, &accounts).await?, (1, 300));
    println!("rolled back        still 1 event, bob has 3.00");

    // deadpool's transaction is tokio_postgres's underneath.
    let pool = Pool::builder(Manager::new(sandbox.url().parse()?, NoTls)).max_size(2).build()?;
    let mut pooled = pool.get().await?;
    let transaction = pooled.transaction().await?;
    transfer(&audit, &transaction, &accounts, 200).await?;
    // An event that breaks a rule never reaches the server, so that the transaction can go on.
    let invalid = audit.emit_in(&transaction, Event::new("account.checked").data(json!({ "note": "a\0b" }))).await;
    println!("refused            {}", invalid.expect_err("PostgreSQL cannot store a NUL"));
    transaction.commit().await?;
    assert_eq!(state(&sandbox, &audit_table, &accounts).await?, (2, 500));
    println!("deadpool           2 events, bob has 5.00");

    audit.close().await?;
    Ok(())
}

/// The change and its event, in whatever transaction the caller has open.
async fn transfer(audit: &Tracevault, transaction: &Transaction<'_>, accounts: &str, cents: i64) -> Shown {
    let event = Event::new("money.transferred").actor("ann", "user").target("bob", "account");
    let receipt = audit.emit_in(transaction, event.data(json!({ "cents": cents }))).await?;
    assert_eq!(receipt.durability, Durability::InTransaction);
    for (name, change) in [("ann", -cents), ("bob", cents)] {
        let sql = format!("UPDATE {accounts} SET cents = cents + $2 WHERE name = $1");
        transaction.execute(&sql, &[&name, &change]).await?;
    }
    Ok(())
}

/// How many events there are, and what bob has.
async fn state(sandbox: &Sandbox, audit: &str, accounts: &str) -> Shown<(i64, i64)> {
    let sql = format!("SELECT cents FROM {accounts} WHERE name = 'bob'");
    let cents = sandbox.sql().await?.query_one(&sql, &[]).await?.try_get(0)?;
    Ok((sandbox.rows(audit).await?, cents))
}
