//! Every door into the table, and the row behind it, column by column.

use serde_json::json;
use time::macros::datetime;
use tokio_postgres::Row;
use tracevault::{DiffEvent, Durability, Event, Mode, Tracevault};
use uuid::Uuid;

use crate::kit::{CANARY, Table, client, url};

/// All columns that a record fills, as text.
const COLUMNS: &str = "id::text, event, actor_id, actor_type, target_id, target_type, data::text, meta::text, mode, \
     to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), correlation_id, request_id, environment";

fn texts(row: &Row) -> Vec<Option<String>> {
    (0..row.len()).map(|column| row.get(column)).collect()
}

fn full_event(id: Uuid) -> Event<'static> {
    Event::new("product.price.updated")
        .id(id)
        .actor("user_123", "user")
        .target("product_456", "product")
        .data(json!({ "newPrice": 150, "name": "Café \"à la carte\" \u{1f980}\n\\" }))
        .meta(json!({ "ip": "127.0.0.1" }))
        .correlation_id("corr")
        .request_id("req")
        .occurred_at(datetime!(2026-01-31 09:30:00.123456789 +02:00))
}

fn full_row(id: Uuid, mode: &str) -> Vec<Option<String>> {
    let data = r#"{"name": "Café \"à la carte\" 🦀\n\\", "newPrice": 150}"#;
    [
        &id.to_string(),
        "product.price.updated",
        "user_123",
        "user",
        "product_456",
        "product",
        data,
        r#"{"ip": "127.0.0.1"}"#,
        mode,
        "2026-01-31 07:30:00.123456",
        "corr",
        "req",
        "production",
    ]
    .map(|text| Some(text.to_owned()))
    .into()
}

#[tokio::test]
async fn each_column_gets_what_the_event_says() {
    let table = Table::new("columns").await;
    let audit = Tracevault::connect(table.config().environment("production")).await.unwrap();
    let (alone, queued, in_transaction) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(audit.emit(full_event(alone)).await.unwrap().durability, Durability::Committed);
    let receipt = audit.emit(full_event(queued).mode(Mode::Async)).await.unwrap();
    assert_eq!((receipt.id, receipt.durability), (queued, Durability::Queued));
    audit.flush().await.unwrap();
    let mut sql = client().await;
    let transaction = sql.transaction().await.unwrap();
    let receipt = audit.emit_in(&transaction, full_event(in_transaction).mode(Mode::Async)).await.unwrap();
    assert_eq!((receipt.id, receipt.durability), (in_transaction, Durability::InTransaction));
    transaction.commit().await.unwrap();
    let rows = table.select(COLUMNS, "ORDER BY id", &[]).await;
    assert_eq!(texts(&rows[0]), full_row(alone, "sync"));
    assert_eq!(texts(&rows[1]), full_row(queued, "async"));
    assert_eq!(texts(&rows[2]), full_row(in_transaction, "sync"), "in a transaction it is sync, whatever it says");
    let recent = table.select("created_at > now() - interval '1 minute'", "", &[]).await;
    assert!(recent.iter().all(|row| row.get(0)));
    table.drop().await;
}

#[tokio::test]
async fn what_an_event_leaves_out_is_null_alone_and_in_a_batch() {
    let table = Table::new("nulls").await;
    let audit = table.audit();
    audit.emit("alone").await.unwrap();
    for mask in 0..32_u32 {
        let mut event = Event::new(format!("e{mask:02}"));
        let has = |bit: u32| mask & (1 << bit) != 0;
        if has(0) {
            event = event.actor("a", "t");
        }
        if has(1) {
            event = event.target("a", "t");
        }
        if has(2) {
            event = event.data(json!({}));
        }
        if has(3) {
            event = event.meta(json!({}));
        }
        if has(4) {
            event = event.correlation_id("c").request_id("r");
        }
        audit.try_emit(event).unwrap();
    }
    audit.close().await.unwrap();
    let columns = "event, actor_id, actor_type, target_id, target_type, data::text, meta::text, correlation_id, \
         request_id, environment";
    let rows = table.select(columns, "ORDER BY event", &[]).await;
    assert!(texts(&rows[0])[1..].iter().all(Option::is_none));
    for (mask, row) in rows[1..].iter().enumerate() {
        let there: Vec<bool> = texts(row)[1..].iter().map(Option::is_some).collect();
        let has = |bit: usize| mask & (1 << bit) != 0;
        assert_eq!(there, [has(0), has(0), has(1), has(1), has(2), has(3), has(4), has(4), false], "{mask}");
    }
    table.drop().await;
}

#[tokio::test]
async fn an_event_in_a_transaction_shares_its_fate() {
    let table = Table::new("fate").await;
    let audit = table.audit();
    let mut sql = client().await;
    let transaction = sql.transaction().await.unwrap();
    audit.emit_in(&transaction, "rolled back").await.unwrap();
    transaction.rollback().await.unwrap();
    let transaction = sql.transaction().await.unwrap();
    assert!(audit.emit_in(&transaction, " ").await.is_err(), "an invalid event");
    audit.emit_in(&transaction, "committed").await.unwrap();
    assert_eq!(table.count().await, 0, "not before the commit");
    transaction.commit().await.unwrap();

    let config: tokio_postgres::Config = url().parse().unwrap();
    let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
    let pool = deadpool_postgres::Pool::builder(manager).max_size(1).build().unwrap();
    let mut pooled = pool.get().await.unwrap();
    let transaction = pooled.transaction().await.unwrap();
    audit.emit_in(&transaction, "by deadpool").await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(table.column::<String>("event").await, ["committed", "by deadpool"]);
    table.drop().await;
}

#[tokio::test]
async fn an_id_is_stored_once_through_every_door() {
    let table = Table::new("once").await;
    let audit = table.audit();
    let id = Uuid::new_v4();
    let event = |name: &'static str| Event::new(name).id(id);
    assert!(!audit.emit(event("first")).await.unwrap().duplicate);
    assert!(audit.emit(event("second")).await.unwrap().duplicate);
    let mut sql = client().await;
    let transaction = sql.transaction().await.unwrap();
    assert!(audit.emit_in(&transaction, event("third")).await.unwrap().duplicate);
    let other = Uuid::new_v4();
    assert!(!audit.emit_in(&transaction, Event::new("other").id(other)).await.unwrap().duplicate);
    transaction.commit().await.unwrap();
    let twice = [event("fourth"), Event::new("new").id(Uuid::new_v4()), event("fifth"), Event::new("plain")];
    let answers = futures_util::future::join_all(twice.map(|event| audit.emit(event))).await;
    let duplicates: Vec<bool> = answers.into_iter().map(|answer| answer.unwrap().duplicate).collect();
    assert_eq!(duplicates, [true, false, true, false], "told apart within one batch");
    audit.try_emit(event("sixth")).unwrap();
    let drained = audit.flush().await.unwrap();
    assert_eq!((drained.stored, drained.failed), (1, 0), "a duplicate is there, and so not a failure");
    let mut names: Vec<String> = table.column("event").await;
    names.sort();
    assert_eq!(names, ["first", "new", "other", "plain"]);
    table.drop().await;
}

#[tokio::test]
async fn a_diff_is_stored_in_its_documented_shape() {
    let table = Table::new("diff_shape").await;
    let audit = Tracevault::new(table.config().mask_fields(["password"])).unwrap();
    let event = DiffEvent::new("product.updated")
        .before(json!({ "name": "Café", "price": 120, "password": CANARY, "old": [1] }))
        .after(json!({ "name": "Café", "price": 150, "password": "other", "new": null }));
    audit.emit_diff(event).await.unwrap();
    let stored: serde_json::Value = serde_json::from_str(&table.data().await).unwrap();
    let expected = json!({
        "before": { "name": "Café", "price": 120, "password": "[REDACTED]", "old": [1] },
        "after": { "name": "Café", "price": 150, "password": "[REDACTED]", "new": null },
        "diff": {
            "price": { "before": 120, "after": 150 },
            "password": "[REDACTED]",
            "old": { "before": [1] },
            "new": { "after": null },
        },
    });
    assert_eq!(stored, expected);
    table.drop().await;
}

#[tokio::test]
async fn a_change_goes_through_every_door() {
    let table = Table::new("diff_doors").await;
    let audit = table.audit();
    let change = || DiffEvent::new("c").before(json!({ "a": 1 })).after(json!({ "a": 2 }));
    audit.emit(change()).await.unwrap();
    audit.try_emit(change()).unwrap();
    audit.flush().await.unwrap();
    let mut sql = client().await;
    let transaction = sql.transaction().await.unwrap();
    audit.emit_in(&transaction, change()).await.unwrap();
    let error = audit.emit_in(&transaction, DiffEvent::new("c").after(json!({}))).await.unwrap_err();
    assert!(error.to_string().starts_with("`before` is required"), "{error}");
    transaction.commit().await.unwrap();
    let expected = r#"{"a": {"after": 2, "before": 1}}"#;
    assert_eq!(table.column::<String>("(data -> 'diff')::text").await, [expected; 3]);
    table.drop().await;
}

#[tokio::test]
async fn the_largest_payload_is_stored_whole() {
    let table = Table::new("largest").await;
    let audit = table.audit();
    let fill = (256 << 10) - r#"{"fill":""}"#.len();
    audit.emit(Event::new("largest").data(json!({ "fill": "x".repeat(fill) }))).await.unwrap();
    let error = audit.emit(Event::new("larger").data(json!({ "fill": "x".repeat(fill + 1) }))).await.unwrap_err();
    assert!(error.to_string().contains("max_payload_bytes"), "{error}");
    let lengths = table.select("length(data ->> 'fill')", "", &[]).await;
    assert_eq!(lengths.iter().map(|row| row.get(0)).collect::<Vec<i32>>(), [i32::try_from(fill).unwrap()]);
    table.drop().await;
}

#[tokio::test]
async fn health_is_of_the_server_and_the_root() {
    let table = Table::new("health").await;
    let audit = table.audit();
    assert!(audit.healthcheck().await);
    let away = Tracevault::new(tracevault::Config::new("host=127.0.0.1 port=1 user=nobody")).unwrap();
    assert!(!away.healthcheck().await);
    table.drop().await;
}

/// The driver ends a COPY that was refused before it began all the same, and PostgreSQL answers that too: whoever has
/// the connection next would read each answer one too early, and take another's for its own.
#[tokio::test]
async fn a_refused_copy_leaves_no_connection_out_of_step() {
    let table = Table::missing("copy").await;
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let ear = std::sync::Arc::clone(&told);
    let config = tracevault::Config::default().table_name(&table.name).retry_for(std::time::Duration::ZERO);
    let config = config.on_error(move |error, _| {
        ear.lock().unwrap().push((error.sqlstate().map(ToOwned::to_owned), error.outcome()));
    });
    let audit = tracevault::Tracevault::with_pools(crate::query::pool(1), None, config).unwrap();
    for round in 1..=3 {
        // By COPY, from 64 on.
        for _ in 0..200 {
            audit.try_emit(Event::new("e")).unwrap();
        }
        audit.flush().await.unwrap();
        let told = std::mem::take(&mut *told.lock().unwrap());
        let missing = (Some("42P01".to_owned()), tracevault::Outcome::Rejected);
        assert_eq!(told, vec![missing; 200], "round {round}");
    }
}
