//! An event in the transaction of the change that it tells of.

use serde_json::json;
use tracevault::{
    Event, Tracevault,
    deadpool_postgres::Pool,
    query::{CountFilters, Filters},
};

use super::{Told, chapters::heading};

pub(super) async fn commit_and_rollback(audit: &Tracevault, pool: &Pool) -> Told {
    heading(6, "audit.emit_in(&transaction, event)", "Stored if, and only if, your own transaction commits.");
    for (order, commits) in [("o-1", true), ("o-2", false)] {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        let event = Event::new("order.paid").actor("ann", "user").target(order, "order");
        let receipt = audit.emit_in(&transaction, event.data(json!({ "total": 150 }))).await?;
        let end = if commits {
            transaction.commit().await?;
            "COMMIT"
        } else {
            transaction.rollback().await?;
            "ROLLBACK"
        };
        // There may be no other connection than this one.
        drop(client);
        let rows = audit.query().count(CountFilters::new().target_id(order)).await?;
        assert_eq!(rows, u64::from(commits));
        println!("   {:<22} {order} {:?}, then {end:<8}  in the table: {rows}", "order.paid", receipt.durability);
    }
    let found = audit.query().find_many(Filters::new().event("order.paid")).await?;
    assert_eq!(found[0].target_id.as_deref(), Some("o-1"));
    Ok(())
}
