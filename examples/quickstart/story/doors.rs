//! The ways in: now, in the background, as a change, and into a table of its own.

use std::time::Instant;

use serde_json::{Value, json};
use tracevault::{DiffEvent, Durability, Event, Mode, ScopeOverrides, Tracevault, query::Filters};

use super::{Told, chapters::heading, tables::Tables};

pub(super) const VIEWS: u32 = 200;

pub(super) async fn sync(audit: &Tracevault) -> Told {
    heading(1, "audit.emit(event)", "When it returns, the row is committed.");
    let succeeded = json!({ "method": "form", "outcome": "success" });
    let failed = json!({ "method": "form", "outcome": "failure", "error": { "code": "PASSWORD_WRONG" } });
    for (name, data) in [("auth.login.failed", failed), ("auth.login.succeeded", succeeded)] {
        let began = Instant::now();
        let receipt = audit.emit(Event::new(name).actor("ann", "user").data(data)).await?;
        assert_eq!(receipt.durability, Durability::Committed);
        println!("   {name:<22} {:?} in {}, id {}", receipt.durability, ms(began), receipt.id);
    }
    Ok(())
}

pub(super) async fn in_background(audit: &Tracevault) -> Told {
    heading(3, "audit.emit(event.mode(Mode::Async)), audit.flush()", "It returns at once; a writer stores in batches.");
    let (began, before) = (Instant::now(), audit.stats().stored);
    for n in 0..VIEWS {
        let event = Event::new("page.viewed").actor("a visitor", "anonymous").mode(Mode::Async);
        let receipt = audit.emit(event.data(json!({ "page": n }))).await?;
        assert_eq!(receipt.durability, Durability::Queued);
    }
    println!("   {:<22} {VIEWS} times Queued in {}", "page.viewed", ms(began));
    let drained = audit.flush().await?;
    let stored = audit.stats().stored - before;
    assert_eq!((stored, drained.failed, drained.left), (u64::from(VIEWS), 0, 0));
    println!("   {:<22} {stored} stored after {}, {} failed", "flush", ms(began), drained.failed);
    Ok(())
}

pub(super) async fn diff(audit: &Tracevault) -> Told {
    heading(4, "audit.emit_diff(DiffEvent::new(name).before(old).after(new))", "It finds what changed.");
    let before = json!({ "name": "Maté", "price": 120, "stock": 7 });
    let after = json!({ "name": "Maté", "price": 150, "stock": 7, "sale": true });
    let event = DiffEvent::new("product.updated").actor("ann", "user").target("p-1", "product");
    let receipt = audit.emit_diff(event.before(before).after(after)).await?;
    let stored = audit.query().find_by_id(receipt.id).await?.and_then(|record| record.data);
    let data: Value = stored.ok_or("what was committed is there")?.to_value()?;
    assert_eq!(data["diff"], json!({ "price": { "before": 120, "after": 150 }, "sale": { "after": true } }));
    println!("   {:<22} {}", "product.updated", data["diff"]);
    Ok(())
}

pub(super) async fn scope(audit: &Tracevault, tables: &Tables) -> Told {
    heading(5, "audit.scope(overrides)", "Another table, other masks, the same connections.");
    let overrides = ScopeOverrides::new().table_name(&tables.payments).mask_fields(["card"]).mask_value("****");
    let payments = audit.scope(overrides)?;
    payments.emit(Event::new("payment.captured").data(json!({ "amount": 150, "card": "4242 4242" }))).await?;
    let stored = audit.query().scope(&tables.payments)?.find_many(Filters::new()).await?;
    let data = stored[0].data.as_ref().map_or("", |data| data.as_str());
    assert_eq!((stored.len(), data), (1, r#"{"card": "****", "amount": 150}"#));
    println!("   {:<22} {data}", "payment.captured");
    Ok(())
}

fn ms(began: Instant) -> String {
    format!("{:.1} ms", began.elapsed().as_secs_f64() * 1e3)
}
