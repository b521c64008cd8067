//! Pages while the table grows, and cursors that do not belong.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use proptest::prelude::*;
use tracevault::{
    Error,
    query::{Cursor, Filters, Order},
};
use uuid::Uuid;

use crate::kit::{self, Table};

/// Rows of three instants only, so that nearly every page ends amid equal ones.
fn more_rows(table: &str, rows: u32) -> String {
    format!(
        "INSERT INTO \"{table}\" (id, event, mode, occurred_at) \
         SELECT gen_random_uuid(), 'e', 'sync', '2026-01-31T09:30:00Z'::timestamptz + (n % 3) * interval '1 microsecond' \
         FROM generate_series(1, {rows}) AS n"
    )
}

async fn pages_while_rows_come(order: Order) {
    let table = Table::new("paging").await;
    table.sql.batch_execute(&more_rows(&table.name, 1_000)).await.unwrap();
    let before: Vec<Uuid> = table.column("id").await;

    let done = Arc::new(AtomicBool::new(false));
    let busy = tokio::spawn({
        let (done, name) = (Arc::clone(&done), table.name.clone());
        async move {
            let sql = kit::client().await;
            while !done.load(Ordering::Relaxed) {
                sql.batch_execute(&more_rows(&name, 3)).await.unwrap();
            }
        }
    });

    let query = table.audit().query();
    let filters = Filters::new().event("e").order(order).limit(37);
    let mut seen: HashMap<Uuid, u32> = HashMap::new();
    let mut sequence = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = query.page(filters.clone(), cursor.as_ref()).await.unwrap();
        for record in &page.records {
            *seen.entry(record.id).or_default() += 1;
            sequence.push((record.occurred_at, record.id));
        }
        // One batch between any two pages for certain, others whenever they come.
        table.sql.batch_execute(&more_rows(&table.name, 3)).await.unwrap();
        // Through its text, as by a URL.
        match page.next {
            Some(next) => cursor = Some(next.to_string().parse().unwrap()),
            None => break,
        }
    }
    done.store(true, Ordering::Relaxed);
    busy.await.unwrap();

    assert!(table.count().await > 1_000, "rows came meanwhile");
    assert!(before.iter().all(|id| seen.get(id) == Some(&1)), "each earlier row once");
    assert!(seen.values().all(|times| *times == 1), "no row twice");
    if order == Order::Desc {
        sequence.reverse();
    }
    assert!(sequence.is_sorted(), "in order");
    table.drop().await;
}

#[tokio::test]
async fn every_earlier_row_comes_once_newest_first() {
    pages_while_rows_come(Order::Desc).await;
}

#[tokio::test]
async fn every_earlier_row_comes_once_oldest_first() {
    pages_while_rows_come(Order::Asc).await;
}

#[tokio::test]
async fn a_cursor_is_refused_where_it_does_not_belong() {
    let table = Table::new("cursor").await;
    table.sql.batch_execute(&more_rows(&table.name, 30)).await.unwrap();
    let query = table.audit().query();
    let at = time::macros::datetime!(2026-01-01 00:00 UTC);
    let filters = Filters::new().event("e").from(at).limit(10);
    let cursor = query.page(filters.clone(), None).await.unwrap().next.unwrap();

    let second = query.page(filters.clone().limit(7), Some(&cursor)).await.unwrap();
    assert_eq!(second.records.len(), 7, "the limit may change between pages");

    let others = [
        Filters::new().from(at),
        Filters::new().event("f").from(at),
        Filters::new().event("e"),
        Filters::new().event("e").to(at),
        Filters::new().event("e").from(at + time::Duration::microseconds(1)),
        filters.clone().order(Order::Asc),
        filters.clone().errors_only(),
        filters.clone().actor_id("e"),
        filters.clone().severities(["info"]),
        filters.clone().severities(Vec::<String>::new()),
        filters.clone().mode(tracevault::Mode::Sync),
    ];
    for other in others {
        let error = query.page(other.clone(), Some(&cursor)).await.unwrap_err();
        assert!(matches!(&error, Error::Validation(error) if error.path() == "cursor"), "{other:?}: {error}");
        assert!(error.to_string().contains("start again without it"), "{error}");
    }
    // Were names and values only strung together, these would read alike.
    let split = Filters::new().actor_id("a").actor_type("b").event("e");
    table.sql.batch_execute(&format!("UPDATE \"{}\" SET actor_id = 'a', actor_type = 'b'", table.name)).await.unwrap();
    let cursor_of_split = query.page(split.limit(1), None).await.unwrap().next.unwrap();
    for joined in ["a\nactor_type 1 b", "a\nactor_type b", "a\nactor_type  b"] {
        let joined = Filters::new().actor_id(joined).event("e").limit(1);
        assert!(query.page(joined, Some(&cursor_of_split)).await.is_err());
    }

    let elsewhere = Table::new("cursor").await;
    let error = elsewhere.audit().query().page(filters, Some(&cursor)).await.unwrap_err();
    assert!(matches!(error, Error::Validation(_)), "{error}");
    table.drop().await;
    elsewhere.drop().await;
}

#[tokio::test]
async fn a_cursor_forged_to_a_time_beyond_postgresqls_is_refused() {
    let table = Table::new("forged").await;
    table.sql.batch_execute(&more_rows(&table.name, 3)).await.unwrap();
    let query = table.audit().query();
    for order in [Order::Desc, Order::Asc] {
        let filters = Filters::new().order(order).limit(1);
        let text = query.page(filters.clone(), None).await.unwrap().next.unwrap().to_string();
        let [version, _, id, digest] = text.split('.').collect::<Vec<_>>()[..] else { panic!("{text}") };
        // The first year that `time` knows, and the last microsecond before PostgreSQL's first.
        for micros in ["-377705116800000000", "-210866803200000001"] {
            let forged: Cursor = format!("{version}.{micros}.{id}.{digest}").parse().unwrap();
            let error = query.page(filters.clone(), Some(&forged)).await.unwrap_err();
            assert_eq!(crate::trial::refusal(&error).0, "cursor");
        }
        let earliest: Cursor = format!("{version}.-210866803200000000.{id}.{digest}").parse().unwrap();
        let page = query.page(filters, Some(&earliest)).await.unwrap();
        assert_eq!(page.records.is_empty(), order == Order::Desc);
    }
    table.drop().await;
}

#[test]
fn what_is_no_cursor_is_refused() {
    let valid = format!("1.1700000000000000.{}.{}", "0".repeat(32), "f".repeat(32));
    assert_eq!(valid.parse::<Cursor>().unwrap().to_string(), valid);
    let wrong = [
        String::new(),
        ".".repeat(3),
        valid.replacen('1', "2", 1),
        valid.replacen("1.", "", 1),
        format!("{valid}."),
        format!(" {valid}"),
        valid.replace('0', "g"),
        valid.replace('f', "é"),
        valid.replace("1700000000000000", "99999999999999999999"),
        valid.replace("1700000000000000", &i64::MAX.to_string()),
        valid.replace("1700000000000000", &i64::MIN.to_string()),
        valid.replace("1700000000000000", ""),
    ];
    for text in wrong {
        let error = text.parse::<Cursor>().unwrap_err();
        assert!(matches!(&error, Error::Validation(error) if error.path() == "cursor"), "{text}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cursor_survives_its_text(micros in -377_705_116_800_000_000_i64..253_402_300_800_000_000, id: u128, digest: u128) {
        let text = format!("1.{micros}.{id:032x}.{digest:032x}");
        let cursor: Cursor = text.parse().unwrap();
        prop_assert_eq!(cursor.to_string(), text);
    }

    #[test]
    fn garbage_is_no_cursor_and_no_panic(text in ".{0,80}") {
        prop_assert!(text.parse::<Cursor>().is_err());
    }

    #[test]
    fn a_damaged_cursor_never_panics(at in 0_usize..84, with: char) {
        let valid = format!("1.1700000000000000.{}.{}", "0123456789abcdef".repeat(2), "f".repeat(32));
        let damaged: String = valid.chars().enumerate().map(|(index, old)| if index == at { with } else { old }).collect();
        if let Ok(cursor) = damaged.parse::<Cursor>() {
            prop_assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        }
    }
}
