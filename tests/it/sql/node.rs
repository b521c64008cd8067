//! Tables that Tracevault for Node made: as they are, and after our DDL ran on them.

use std::collections::HashSet;

use serde_json::json;
use tracevault::{
    Error, Event, Mode, Outcome, generate_init_sql,
    query::{CountFilters, Filters},
};

use crate::kit::Table;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// Without generated columns.
    ByNode0_3,
    /// With generated columns, which do not cut.
    ByNode1,
}

/// A table as Node left it, with two rows in it.
pub async fn table(made: Made) -> Table {
    let table = Table::missing("node").await;
    let script = match made {
        Made::ByNode0_3 => include_str!("../fixtures/node-0.3.0.sql"),
        Made::ByNode1 => include_str!("../fixtures/node-1.0.sql"),
    };
    table.sql.batch_execute(&script.replace("AUDIT_TABLE", &table.name)).await.unwrap();
    table
}

async fn write_and_read(table: &Table) {
    let before = u64::try_from(table.count().await).unwrap();
    // Without our comment the table is taken as it is.
    let audit = tracevault::Tracevault::connect(table.config()).await.unwrap();
    let failed = json!({ "outcome": "failure", "severity": "critical", "error": { "code": "E7" } });
    audit.emit(Event::new("new.sync").data(&failed)).await.unwrap();
    for _ in 0..3 {
        audit.emit(Event::new("new.async").mode(Mode::Async).data(json!({ "outcome": "success" }))).await.unwrap();
    }
    let own = uuid::Uuid::new_v4();
    assert!(!audit.emit(Event::new("new.own").id(own)).await.unwrap().duplicate);
    assert!(audit.emit(Event::new("new.own").id(own)).await.unwrap().duplicate);
    audit.flush().await.unwrap();

    let query = audit.query();
    assert_eq!(query.count(CountFilters::new()).await.unwrap(), before + 5);
    let found = query.find_many(Filters::new().severities(["critical"]).error_code("E7")).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].event.as_str(), found[0].outcome.as_deref()), ("new.sync", Some("failure")));
    assert_eq!(query.count(CountFilters::new().outcome("success")).await.unwrap(), 3);
    assert_eq!(query.count(CountFilters::new().errors_only()).await.unwrap(), 2);
    assert_eq!(query.page(Filters::new().limit(3), None).await.unwrap().records.len(), 3);
    audit.close().await.unwrap();
}

#[tokio::test]
async fn they_are_shared_as_they_are() {
    for made in [Made::ByNode0_3, Made::ByNode1] {
        let table = table(made).await;
        write_and_read(&table).await;
        table.drop().await;
    }
}

#[tokio::test]
async fn our_ddl_adds_what_is_missing_and_keeps_the_rows() {
    for made in [Made::ByNode0_3, Made::ByNode1] {
        let table = table(made).await;
        let ddl = generate_init_sql(&table.name).unwrap();
        table.sql.batch_execute(&ddl).await.unwrap();
        table.sql.batch_execute(&ddl).await.unwrap();
        assert_eq!(table.column::<Option<String>>("outcome").await, [None, Some("failure".to_owned())], "{made:?}");
        assert_eq!(table.column::<Option<String>>("error_code").await[1].as_deref(), Some("CARD_DECLINED"));
        let indexes: HashSet<_> = super::indexes(&table.sql, &table.name).await.into_iter().collect();
        for suffix in super::SUFFIXES {
            assert!(indexes.contains(&format!("idx_{}_{suffix}", table.name)), "{made:?} {suffix}");
        }
        write_and_read(&table).await;
        table.drop().await;
    }
}

#[tokio::test]
async fn an_outcome_too_long_for_node_1_takes_no_other_record_with_it() {
    let table = table(Made::ByNode1).await;
    let (failed, failures) = std::sync::mpsc::channel();
    let config = table.config().on_error(move |error: &Error, record| {
        failed.send((error.clone(), record.id())).unwrap();
    });
    let audit = tracevault::Tracevault::new(config).unwrap();
    let mut long = None;
    for n in 0..20 {
        let outcome = if n == 7 { "x".repeat(65) } else { "y".repeat(64) };
        let event = Event::new("batch").mode(Mode::Async).data(json!({ "outcome": outcome }));
        let id = audit.emit(event).await.unwrap().id;
        if n == 7 {
            long = Some(id);
        }
    }
    let drained = audit.flush().await.unwrap();
    assert_eq!((drained.stored, drained.failed, drained.left), (19, 1, 0));
    let (error, id) = failures.try_recv().unwrap();
    assert!(failures.try_recv().is_err(), "told once");
    assert_eq!((Some(id), error.record_id()), (long, long));
    assert_eq!((error.sqlstate(), error.outcome(), error.is_retryable()), (Some("22001"), Outcome::Rejected, false));
    assert_eq!(table.select("count(*)", "WHERE event = 'batch'", &[]).await[0].get::<_, i64>(0), 19);

    let sync = audit.emit(Event::new("alone").data(json!({ "severity": "s".repeat(33) }))).await.unwrap_err();
    assert_eq!(sync.sqlstate(), Some("22001"));
    table.drop().await;
}
