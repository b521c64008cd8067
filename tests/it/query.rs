//! Reading: what is found, in which order, how much of it, and through what.

mod model;
mod paging;
mod stream;

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, macros::datetime};
use tracevault::{
    Error, Event, Mode, TableName, deadpool_postgres,
    query::{self, AuditRecord, CountFilters, Filters, Order, Query, QueryConfig},
};
use uuid::Uuid;

use crate::{
    kit::{self, Table},
    sql::node::{self, Made},
};

fn events(records: &[AuditRecord]) -> Vec<&str> {
    records.iter().map(|record| record.event.as_str()).collect()
}

async fn rows(table: &Table, rows: u32) {
    let sql = format!(
        "INSERT INTO \"{}\" (id, event, mode, occurred_at) SELECT gen_random_uuid(), 'e' || n, 'sync', \
         '2026-01-31T09:30:00Z'::timestamptz + n * interval '1 second' FROM generate_series(1, {rows}) AS n",
        table.name
    );
    table.sql.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn the_window_includes_both_ends_to_the_microsecond() {
    let table = Table::new("window").await;
    let (audit, at) = (table.audit(), datetime!(2026-01-31 09:30:00.000005 UTC));
    for micros in 3..8 {
        let at = datetime!(2026-01-31 09:30 UTC) + Duration::microseconds(micros);
        audit.emit(Event::new(micros.to_string()).occurred_at(at)).await.unwrap();
    }
    let query = audit.query();
    let micro = Duration::microseconds(1);
    for (filters, found) in [
        (Filters::new().from(at), vec!["5", "6", "7"]),
        (Filters::new().to(at), vec!["3", "4", "5"]),
        (Filters::new().from(at).to(at), vec!["5"]),
        (Filters::new().from(at - micro).to(at + micro), vec!["4", "5", "6"]),
        (Filters::new().from(at + micro * 10), vec![]),
        // The same instant elsewhere on earth.
        (Filters::new().from(at.to_offset(time::macros::offset!(+5:45))), vec!["5", "6", "7"]),
    ] {
        assert_eq!(events(&query.find_many(filters.clone().order(Order::Asc)).await.unwrap()), found, "{filters:?}");
    }
    let error = query.find_many(Filters::new().from(at + micro).to(at)).await.unwrap_err();
    assert_eq!(error.to_string(), "`from` is later than `to`: nothing could be found");
    assert!(matches!(query.count(CountFilters::new().from(at + micro).to(at)).await, Err(Error::Validation(_))));
    assert!(matches!(query.page(Filters::new().from(at + micro).to(at), None).await, Err(Error::Validation(_))));
    table.drop().await;
}

#[tokio::test]
async fn an_instant_before_postgresqls_epoch_is_cut_like_any_other() {
    let table = Table::new("epoch").await;
    let audit = table.audit();
    for micros in [1, 2] {
        let at = datetime!(1999-12-31 23:59 UTC) + Duration::microseconds(micros);
        audit.emit(Event::new(micros.to_string()).occurred_at(at)).await.unwrap();
    }
    let to = datetime!(1999-12-31 23:59 UTC) + Duration::nanoseconds(1_900);
    assert_eq!(events(&audit.query().find_many(Filters::new().to(to)).await.unwrap()), ["1"]);
    table.drop().await;
}

#[tokio::test]
async fn an_instant_that_postgresql_does_not_have_is_refused_in_words() {
    let query = Table::missing("epoch").await.audit().query();
    let first = time::PrimitiveDateTime::MIN.assume_utc();
    let error = query.find_many(Filters::new().from(first)).await.unwrap_err();
    assert!(matches!(&error, Error::Validation(error) if error.path() == "from"), "{error}");
    let error = query.count(CountFilters::new().to(first)).await.unwrap_err();
    assert!(matches!(&error, Error::Validation(error) if error.path() == "to"), "{error}");
}

#[tokio::test]
async fn limits_and_offsets() {
    let table = Table::new("limits").await;
    rows(&table, 510).await;
    let query = table.audit().query();
    assert_eq!(query.find_many(Filters::new()).await.unwrap().len(), 50);
    assert_eq!(query.page(Filters::new(), None).await.unwrap().records.len(), 50);
    for limit in [1, 500] {
        assert_eq!(query.find_many(Filters::new().limit(limit)).await.unwrap().len(), limit as usize);
        assert_eq!(query.page(Filters::new().limit(limit), None).await.unwrap().records.len(), limit as usize);
    }
    for limit in [0, 501, u32::MAX] {
        for error in [
            query.find_many(Filters::new().limit(limit)).await.unwrap_err(),
            query.page(Filters::new().limit(limit), None).await.unwrap_err(),
        ] {
            assert_eq!(error.to_string(), "`limit` must be from 1 to 500");
        }
    }
    let found = query.find_many(Filters::new().order(Order::Asc).offset(507)).await.unwrap();
    assert_eq!(events(&found), ["e508", "e509", "e510"]);
    assert!(query.find_many(Filters::new().offset(510)).await.unwrap().is_empty());
    let error = query.find_many(Filters::new().offset(u64::MAX)).await.unwrap_err();
    assert!(matches!(&error, Error::Validation(error) if error.path() == "offset"), "{error}");
    let error = query.page(Filters::new().offset(0), None).await.unwrap_err();
    assert!(error.to_string().contains("`find_many` only"), "{error}");
    table.drop().await;
}

#[test]
fn unknown_keys_are_refused() {
    let refused = |text: &str| serde_json::from_str::<Filters>(text).unwrap_err().to_string();
    for key in ["actorID", "actor_id", "tableName", "scope", ""] {
        assert!(refused(&format!(r#"{{"{key}": "x"}}"#)).contains(&format!("no filter `{key}`")), "{key}");
    }
    assert!(refused(r#"{"event": "a", "event": "b"}"#).contains("twice"));
    assert!(refused(r#"{"from": "yesterday"}"#).contains("RFC 3339"));
    assert!(refused(r#"{"order": "up"}"#).contains("`order`"));
    refused(r#"{"limit": -1}"#);
    refused(r#"{"mode": "later"}"#);
    refused("[]");
    for key in ["order", "limit", "offset"] {
        let error = serde_json::from_str::<CountFilters>(&format!(r#"{{"{key}": null}}"#)).unwrap_err();
        assert!(error.to_string().contains(&format!("`{key}` is not a filter of count")), "{error}");
    }
    assert_eq!(
        serde_json::from_str::<CountFilters>(r#"{"mode": "async", "errorsOnly": true, "severities": ["info"]}"#)
            .unwrap(),
        CountFilters::new().mode(Mode::Async).errors_only().severities(["info"])
    );
    let nothing = json!({ "event": null, "errorsOnly": null, "from": null, "limit": null, "order": null });
    assert_eq!(serde_json::from_value::<Filters>(nothing).unwrap(), Filters::new());
}

#[tokio::test]
async fn text_that_no_record_can_hold_is_refused() {
    let query = Table::missing("nul").await.audit().query();
    for filters in [Filters::new().event("a\0"), Filters::new().severities(["info", "\0"])] {
        assert!(matches!(query.find_many(filters).await, Err(Error::Validation(_))));
    }
}

#[tokio::test]
async fn json_comes_back_to_the_letter() {
    let table = Table::new("json").await;
    let audit = table.audit();
    let data =
        r#"{"big":9007199254740993,"price":1.10,"text":"naïve \"☃\" \\ \n","tiny":1e-7,"huge":18446744073709551615}"#;
    let event: Event<'_> = serde_json::from_str(&format!(r#"{{"event":"e","data":{data},"meta":{{}}}}"#)).unwrap();
    let id = audit.emit(event).await.unwrap().id;
    let record = audit.query().find_by_id(id).await.unwrap().unwrap();
    let stored = table.data().await;
    let json = record.data.as_ref().unwrap();
    assert_eq!(json.as_str(), stored);
    assert_eq!(json.to_string(), stored);
    assert!(stored.contains("9007199254740993") && stored.contains("18446744073709551615"), "{stored}");
    assert!(!format!("{json:?} {record:?}").contains("9007199254740993"), "Debug shows no payload");
    let written = serde_json::to_string(&record).unwrap();
    assert!(written.contains(&stored), "{written}");
    let price: Value = json.to_value().unwrap();
    assert_eq!(price["big"], json!(9_007_199_254_740_993_u64));

    table.sql.batch_execute(&format!("UPDATE \"{}\" SET data = '{data}', meta = NULL", table.name)).await.unwrap();
    let record = audit.query().find_by_id(id).await.unwrap().unwrap();
    let json = record.data.as_ref().unwrap();
    assert!(json.as_str().contains(r#""price": 1.10"#), "{json}");
    let written = serde_json::to_string(&record).unwrap();
    assert!(written.contains(r#""price": 1.10"#) && written.contains(r#""meta":null"#), "{written}");
    table.drop().await;
}

#[tokio::test]
async fn a_record_serialises_with_the_keys_of_node() {
    let table = Table::new("serialise").await;
    let audit = tracevault::Tracevault::new(table.config().environment("production")).unwrap();
    let id = audit
        .emit(
            Event::new("payment.failed")
                .actor("u1", "user")
                .target("p1", "payment")
                .data(json!({ "outcome": "failure", "severity": "error", "error": { "code": "E1" } }))
                .meta(json!({ "ip": "127.0.0.1" }))
                .correlation_id("c1")
                .request_id("r1")
                .occurred_at(datetime!(2026-01-31 09:30:00.000001 +01:00)),
        )
        .await
        .unwrap()
        .id;
    let record = audit.query().find_by_id(id).await.unwrap().unwrap();
    let mut written = serde_json::to_value(&record).unwrap();
    let created = written.as_object_mut().unwrap().remove("createdAt").unwrap();
    let created = OffsetDateTime::parse(created.as_str().unwrap(), &time::format_description::well_known::Rfc3339);
    assert!((OffsetDateTime::now_utc() - created.unwrap()).abs() < Duration::minutes(5));
    assert_eq!(
        written,
        json!({
            "id": id, "event": "payment.failed", "actorId": "u1", "actorType": "user", "targetId": "p1",
            "targetType": "payment", "meta": { "ip": "127.0.0.1" }, "mode": "sync",
            "data": { "outcome": "failure", "severity": "error", "error": { "code": "E1" } },
            "occurredAt": "2026-01-31T08:30:00.000001Z", "correlationId": "c1", "requestId": "r1",
            "environment": "production", "outcome": "failure", "errorCode": "E1", "severity": "error",
        })
    );
    table.drop().await;
}

#[tokio::test]
async fn the_free_functions_read_through_any_client() {
    async fn all(client: &impl query::Client, table: &TableName, id: Uuid) -> (Vec<String>, bool, u64) {
        let found = query::find_many(client, table, &Filters::new()).await.unwrap();
        let one = query::find_by_id(client, table, id).await.unwrap();
        let total = query::count(client, table, &CountFilters::new()).await.unwrap();
        (found.into_iter().map(|record| record.event).collect(), one.is_some(), total)
    }

    let table = Table::new("free").await;
    let name = TableName::new(&table.name).unwrap();
    let audit = table.audit();
    let committed = audit.emit("committed").await.unwrap().id;
    let one = (vec!["committed".to_owned()], true, 1);

    let mut client = kit::client().await;
    assert_eq!(all(&client, &name, committed).await, one);
    let transaction = client.transaction().await.unwrap();
    let pending = audit.emit_in(&transaction, "pending").await.unwrap().id;
    assert_eq!(all(&transaction, &name, pending).await, (vec!["pending".into(), "committed".into()], true, 2));

    let pool = pool(2);
    let mut client = pool.get().await.unwrap();
    assert_eq!(all(&client, &name, committed).await, one);
    let wrapper: &deadpool_postgres::ClientWrapper = &client;
    assert_eq!(all(wrapper, &name, pending).await, (one.0.clone(), false, 1), "not committed yet");
    let of_pool = client.transaction().await.unwrap();
    assert_eq!(all(&of_pool, &name, committed).await, one);

    let filters = Filters::new().limit(0);
    assert!(matches!(query::find_many(&of_pool, &name, &filters).await, Err(Error::Validation(_))));
    assert_eq!(all(&of_pool, &name, committed).await, one, "a refused filter leaves the transaction alone");
    let nowhere = TableName::new("nowhere_at_all").unwrap();
    let error = query::count(&of_pool, &nowhere, &CountFilters::new()).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42P01"));
    drop(of_pool);
    transaction.rollback().await.unwrap();
    table.drop().await;
}

pub fn pool(size: usize) -> deadpool_postgres::Pool {
    let config: tokio_postgres::Config = kit::url().parse().unwrap();
    let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
    deadpool_postgres::Pool::builder(manager).max_size(size).build().unwrap()
}

#[tokio::test]
async fn a_query_has_a_pool_of_its_own_or_borrows_one() {
    let (table, other) = (Table::new("own").await, Table::new("own").await);
    table.audit().emit("here").await.unwrap();
    other.audit().emit("there").await.unwrap();

    let own = Query::connect(QueryConfig::new(kit::url()).table_name(&table.name).pool_size(1)).await.unwrap();
    assert_eq!(events(&own.find_many(Filters::new()).await.unwrap()), ["here"]);
    let scope = own.scope(&other.name).unwrap();
    assert_eq!(events(&scope.find_many(Filters::new()).await.unwrap()), ["there"]);
    assert_eq!(scope.table().name(), other.name);
    assert!(own.scope("not a name").is_err());
    scope.close().await.unwrap();
    assert!(scope.count(CountFilters::new()).await.unwrap_err().is_closed() && !scope.healthcheck().await);
    assert!(own.healthcheck().await, "closing a scope leaves the query open");
    let second = own.scope(&other.name).unwrap();
    own.close().await.unwrap();
    own.close().await.unwrap();
    assert!(!own.healthcheck().await && own.scope(&other.name).is_err());
    assert!(second.find_by_id(Uuid::nil()).await.unwrap_err().is_closed(), "closed with its parent");

    let pool = pool(1);
    let borrowed = Query::with_pool(pool.clone(), TableName::new(&other.name).unwrap());
    assert_eq!(borrowed.count(CountFilters::new()).await.unwrap(), 1);
    borrowed.close().await.unwrap();
    assert!(borrowed.count(CountFilters::new()).await.unwrap_err().is_closed());
    assert!(!pool.is_closed() && pool.get().await.is_ok(), "the pool is the caller's");
    table.drop().await;
    other.drop().await;
}

#[test]
fn a_query_outside_of_a_runtime_is_refused() {
    let made = Query::connect(QueryConfig::new("postgres://localhost/app")).now_or_never().unwrap();
    let Error::Config(error) = made.unwrap_err() else { panic!() };
    assert_eq!(error.key(), "runtime");
}

#[tokio::test]
async fn a_row_that_node_wrote_reads_back() {
    for made in [Made::ByNode0_3, Made::ByNode1] {
        let table = node::table(made).await;
        let query = table.audit().query();
        let found = query.find_many(Filters::new().order(Order::Asc)).await.unwrap();
        assert_eq!(events(&found), ["product.price.updated", "payment.failed"], "{made:?}");
        let first = &found[0];
        assert_eq!((first.actor_id.as_deref(), first.target_type.as_deref()), (Some("user_123"), Some("product")));
        assert_eq!((first.mode.as_str(), first.environment.as_deref()), ("async", Some("production")));
        assert_eq!(first.occurred_at, datetime!(2025-03-01 10:00:00.123 UTC));
        assert_eq!((first.outcome.as_ref(), first.error_code.as_ref(), first.severity.as_ref()), (None, None, None));
        let second = &found[1];
        assert_eq!(
            (second.outcome.as_deref(), second.error_code.as_deref(), second.severity.as_deref()),
            (Some("failure"), Some("CARD_DECLINED"), Some("error"))
        );
        let failures = Filters::new().errors_only().error_code("CARD_DECLINED").outcome("failure");
        assert_eq!(events(&query.find_many(failures).await.unwrap()), ["payment.failed"], "{made:?}");
        assert_eq!(query.find_by_id(first.id).await.unwrap().unwrap().event, "product.price.updated");
        table.drop().await;
    }
}

#[tokio::test]
async fn a_row_that_is_no_record_is_an_error_in_words() {
    let table = Table::new("shape").await;
    let insert = "(id, event, mode, occurred_at) VALUES (gen_random_uuid(), 'e', 'sync', 'infinity')";
    table.sql.batch_execute(&format!("INSERT INTO \"{}\" {insert}", table.name)).await.unwrap();
    let error = table.audit().query().find_many(Filters::new()).await.unwrap_err();
    assert!(error.to_string().contains("does not have the types of an audit table"), "{error}");
    assert!(!error.is_retryable());
    table.drop().await;
}
