//! Reading: filters, pages with a cursor that fits a URL, a stream, counts, and plain SQL beside them.
//!
//! `cargo run --example read`
#![allow(clippy::print_stdout, clippy::expect_used, reason = "an example shows what it does, and asserts it")]

mod common;

use futures_util::TryStreamExt as _;
use serde_json::json;
use tracevault::{
    Config, Event, Mode, Tracevault,
    query::{self, CountFilters, Cursor, Filters, Order},
};

use crate::common::{Sandbox, Shown};

#[tokio::main]
async fn main() -> Shown {
    let sandbox = Sandbox::open()?;
    let table = sandbox.table("read");
    let audit = Tracevault::connect(Config::new(sandbox.url()).table_name(&table).ensure_schema(true)).await?;
    for n in 0..1_000 {
        let outcome = if n % 100 == 0 { "failure" } else { "success" };
        let event = Event::new("order.paid").actor(["ann", "bob"][n % 2], "user").mode(Mode::Async);
        audit.emit(event.data(json!({ "outcome": outcome, "total": n }))).await?;
    }
    audit.flush().await?;
    let query = audit.query();

    // All conditions must hold, by equality; the newest first.
    let failed = query.find_many(Filters::new().actor_id("ann").errors_only().limit(3)).await?;
    for record in &failed {
        #[derive(serde::Deserialize)]
        struct Order {
            total: u32,
        }
        let order: Order = record.data.as_ref().ok_or("every order has data")?.parse()?;
        println!("failed      {} {} total {}", record.event, record.actor_id.as_deref().unwrap_or("-"), order.total);
    }
    assert_eq!(failed.len(), 3);
    let again = query.find_by_id(failed[0].id).await?.ok_or("it was there a moment ago")?;
    assert_eq!(again.outcome.as_deref(), Some("failure"));

    // Pages: the cursor goes to the browser and comes back as text.
    let filters = Filters::new().actor_id("bob").limit(200).order(Order::Asc);
    let (mut seen, mut link) = (0, String::from("/audit?actor=bob"));
    loop {
        let cursor: Option<Cursor> = link.split_once("&after=").map(|(_, text)| text.parse()).transpose()?;
        let page = query.page(filters.clone(), cursor.as_ref()).await?;
        seen += page.records.len();
        let Some(next) = page.next else { break };
        link = format!("/audit?actor=bob&after={next}");
    }
    assert_eq!(seen, 500);
    println!("pages       {seen} records of bob's; the last link was {link}");

    // A cursor answers its own question only.
    let cursor: Cursor = link.rsplit('=').next().unwrap_or_default().parse()?;
    let misused = query.page(Filters::new().actor_id("ann"), Some(&cursor)).await;
    println!("refused     {}", misused.expect_err("that cursor is for bob's records"));

    // Everything, in constant memory.
    let total = query.stream(Filters::new()).try_fold(0, |n, _| async move { Ok(n + 1) }).await?;
    let counted = query.count(CountFilters::new().errors_only()).await?;
    assert_eq!((total, counted), (1_000, 10));
    println!("stream      {total} records, {counted} of them failures by count");

    // Anything more is plain SQL, and in a transaction both see the same.
    let mut client = sandbox.sql().await?;
    let transaction = client.build_transaction().read_only(true).start().await?;
    let sql = format!("SELECT actor_id, sum((data ->> 'total')::bigint)::bigint FROM {table} GROUP BY 1 ORDER BY 1");
    let sums: Vec<(String, i64)> =
        transaction.query(&sql, &[]).await?.iter().map(|row| (row.get(0), row.get(1))).collect();
    let bobs = query::count(&transaction, query.table(), &CountFilters::new().actor_id("bob")).await?;
    assert_eq!((sums.len(), sums[1].1, bobs), (2, 250_000, 500));
    println!("plain SQL   {sums:?}");

    audit.close().await?;
    Ok(())
}
