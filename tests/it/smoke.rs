use serde_json::json;
use tracevault::{DiffEvent, Durability, Event, Mode, query::Filters};

use crate::kit::{CANARY, Table};

#[tokio::test]
async fn an_event_becomes_a_row_and_comes_back() {
    let table = Table::new("smoke").await;
    let audit = tracevault::Tracevault::connect(table.config().mask_fields(["password"])).await.unwrap();
    let receipt = audit
        .emit(
            Event::new("a.b").actor("u", "user").data(json!({"n": 1, "password": CANARY, "x": [{"PassWord": CANARY}]})),
        )
        .await
        .unwrap();
    assert_eq!(receipt.durability, Durability::Committed);
    assert_eq!(table.data().await, r#"{"n": 1, "x": [{"PassWord": "[REDACTED]"}], "password": "[REDACTED]"}"#);
    for n in 0..1000 {
        audit.emit(Event::new("q").mode(Mode::Async).data(json!({ "n": n }))).await.unwrap();
    }
    let drained = audit.flush().await.unwrap();
    assert_eq!((drained.stored, drained.failed, drained.left), (1000, 0, 0));
    assert_eq!(table.count().await, 1001);
    audit
        .emit_diff(DiffEvent::new("d").before(json!({"a": 1, "b": 2})).after(json!({"a": 2, "c": [1]})))
        .await
        .unwrap();
    let found = audit.query().find_many(Filters::new().event("d")).await.unwrap();
    assert_eq!(
        found[0].data.as_ref().unwrap().as_str(),
        r#"{"diff": {"a": {"after": 2, "before": 1}, "b": {"before": 2}, "c": {"after": [1]}}, "after": {"a": 2, "c": [1]}, "before": {"a": 1, "b": 2}}"#
    );
    audit.close().await.unwrap();
    assert!(audit.emit("x").await.unwrap_err().is_closed());
    table.drop().await;
}
