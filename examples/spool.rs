//! A spool: events are accepted while PostgreSQL is away, on this machine's disk, and stored once it is there.
//!
//! `cargo run --example spool --features spool`
#![allow(clippy::print_stdout, clippy::expect_used, reason = "an example shows what it does, and asserts it")]

mod common;

use serde_json::json;
use tracevault::{Config, Durability, Event, Mode, SpoolConfig, Tracevault, spool, uuid::Uuid};

use crate::common::{Sandbox, Shown};

fn order(n: u32) -> Event<'static> {
    Event::new("order.paid").mode(Mode::Async).actor("ann", "user").data(json!({ "n": n, "total": 1 << n }))
}

#[tokio::main]
async fn main() -> Shown {
    let sandbox = Sandbox::open()?;
    let table = sandbox.table("spool");
    sandbox.sql().await?.batch_execute(&tracevault::generate_init_sql(&table)?).await?;
    let dir = std::env::temp_dir().join(format!("tracevault-spool-{}", Uuid::new_v4().simple()));
    let config = |url: &str| Config::new(url).table_name(&table).spool(SpoolConfig::new(&dir));

    // PostgreSQL is away: the service starts all the same, and every event is on disk when `emit` returns.
    let audit = Tracevault::new(config("host=127.0.0.1 port=1 user=nobody"))?;
    for n in 0..10 {
        let receipt = audit.emit(order(n)).await?;
        assert_eq!(receipt.durability, Durability::Spooled);
    }
    let stats = audit.spool().expect("the configuration asks for one").stats();
    println!("away      {} records, {} bytes on disk", stats.records, stats.bytes);
    assert_eq!((stats.records, sandbox.rows(&table).await?), (10, 0));

    // The process ends. Nothing is lost, and nothing has to be reported.
    let drained = audit.close().await?;
    assert_eq!((drained.stored, drained.failed, drained.left, drained.spooled), (0, 0, 0, 10));
    drop(audit);

    // Anybody may look, with or without a process that uses it.
    for listed in spool::list(&dir)? {
        println!("on disk   {} records for {}, in {} file", listed.records, listed.table, listed.segments);
        assert_eq!(listed.records, 10);
    }

    // The next start finds them, and PostgreSQL is there: they are stored, in their order, before what comes now.
    let audit = Tracevault::new(config(sandbox.url()))?;
    let recovery = audit.spool().expect("the configuration asks for one").recovery().clone();
    assert_eq!((recovery.records, recovery.damage.len()), (10, 0));
    audit.emit(order(10)).await?;
    let drained = audit.flush().await?;
    assert_eq!((drained.failed, drained.left, drained.spooled), (0, 0, 0));
    println!("back      {} records found, {} stored", recovery.records, sandbox.rows(&table).await?);

    let sql = format!("SELECT (data->>'n')::int FROM {table} ORDER BY ctid");
    let stored: Vec<i32> = sandbox.sql().await?.query(&sql, &[]).await?.iter().map(|row| row.get(0)).collect();
    assert_eq!(stored, (0..=10).collect::<Vec<_>>());

    // What is stored is no longer on disk.
    audit.close().await?;
    assert_eq!(spool::list(&dir)?.iter().map(|listed| listed.records + listed.segments).sum::<u64>(), 0);
    Ok(std::fs::remove_dir_all(dir)?)
}
