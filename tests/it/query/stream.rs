use std::{collections::HashSet, env, fs, process::Command};

use futures_util::{StreamExt as _, TryStreamExt as _};
use tracevault::{
    Error,
    query::{Filters, Order},
};

use crate::{
    kit::{self, Table},
    support::needs,
};

const TABLE: &str = "TRACEVAULT_TEST_STREAM_TABLE";
const ROWS: u32 = 100_000;

async fn fill(table: &Table, rows: u32, payload: u32) {
    let sql = format!(
        "INSERT INTO \"{}\" (id, event, mode, occurred_at, data) \
         SELECT gen_random_uuid(), 'e', 'sync', now() - (n / 3) * interval '1 second', \
         jsonb_build_object('n', n, 'text', repeat('x', {payload})) FROM generate_series(1, {rows}) AS n",
        table.name
    );
    table.sql.batch_execute(&sql).await.unwrap();
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_long_stream_takes_constant_memory() {
    let linux = fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("VmHWM:"));
    if !needs("/proc/self/status", linux, "run on Linux") {
        return;
    }
    let table = Table::new("stream").await;
    fill(&table, ROWS, 900).await;
    // In a process of its own, since the other tests take memory too.
    let mut reader = Command::new(env::current_exe().unwrap());
    reader.args(["--ignored", "--exact", "--nocapture", "query::stream::reads_in_a_process_of_its_own"]);
    reader.env("TRACEVAULT_TEST_DATABASE_URL", kit::url()).env(TABLE, &table.name);
    let output = tokio::task::spawn_blocking(move || reader.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    table.drop().await;
}

#[tokio::test]
#[ignore = "run by the test of memory, which makes its table"]
async fn reads_in_a_process_of_its_own() {
    // Whoever runs all ignored tests at once gets here without a table.
    let Ok(name) = env::var(TABLE) else { return };
    let table = Table { name, sql: kit::client().await };
    let query = table.audit().query();
    let mut ids = HashSet::with_capacity(ROWS as usize);
    let warm_up: Vec<_> = query.stream(Filters::new().limit(1_000)).try_collect().await.unwrap();
    drop(warm_up);
    let before = peak();
    let mut stream = query.stream(Filters::new().order(Order::Asc));
    let mut last = None;
    while let Some(record) = stream.try_next().await.unwrap() {
        let place = Some((record.occurred_at, record.id));
        assert!(last < place, "in order");
        last = place;
        ids.insert(record.id);
    }
    assert_eq!(ids.len(), ROWS as usize);
    // All records together would take some 100 MiB.
    let grown = peak() - before;
    assert!(grown < 20 * 1024, "grew by {grown} KiB");
}

#[tokio::test]
async fn a_stream_ends_at_its_limit() {
    let table = Table::new("stream").await;
    fill(&table, 700, 1).await;
    let query = table.audit().query();
    let all: Vec<_> = query.stream(Filters::new()).map_ok(|record| record.id).try_collect().await.unwrap();
    let newest_first: Vec<uuid::Uuid> = table.column("id").await.into_iter().rev().collect();
    assert_eq!(all, newest_first);
    for limit in [1, 199, 200, 201, 400, 699, 700, 701] {
        let some: Vec<_> =
            query.stream(Filters::new().limit(limit)).map_ok(|record| record.id).try_collect().await.unwrap();
        assert_eq!(some, all[..all.len().min(limit as usize)], "{limit}");
    }
    table.drop().await;
}

#[tokio::test]
async fn a_stream_that_cannot_begin_says_so_first_and_ends() {
    let table = Table::new("stream").await;
    fill(&table, 3, 1).await;
    let audit = table.audit();
    let query = audit.query();
    let (early, late) =
        (time::macros::datetime!(2026-01-01 00:00 UTC), time::macros::datetime!(2026-01-01 00:00:00.000001 UTC));
    for wrong in [Filters::new().limit(0), Filters::new().offset(1), Filters::new().from(late).to(early)] {
        let items: Vec<_> = query.stream(wrong).collect().await;
        assert!(matches!(items.as_slice(), [Err(Error::Validation(_))]), "{items:?}");
    }
    let missing = query.scope("nowhere_at_all").unwrap();
    let items: Vec<_> = missing.stream(Filters::new()).collect().await;
    assert!(matches!(items.as_slice(), [Err(error)] if error.sqlstate() == Some("42P01")), "{items:?}");
    audit.close().await.unwrap();
    let items: Vec<_> = query.stream(Filters::new()).collect().await;
    assert!(matches!(items.as_slice(), [Err(Error::Closed(_))]), "{items:?}");
    table.drop().await;
}

#[tokio::test]
async fn a_stream_that_fails_halfway_ends_with_the_error() {
    let table = Table::new("stream").await;
    fill(&table, 500, 1).await;
    let mut stream = table.audit().query().stream(Filters::new());
    assert!(stream.next().await.unwrap().is_ok());
    table.sql.batch_execute(&format!("DROP TABLE \"{}\"", table.name)).await.unwrap();
    let rest: Vec<_> = stream.collect().await;
    assert_eq!(rest.len(), 200, "the rest of the page, then the error");
    assert!(rest[..199].iter().all(Result::is_ok) && rest[199].is_err());
}

#[tokio::test]
async fn a_stream_holds_no_connection_between_pages() {
    let table = Table::new("stream").await;
    fill(&table, 500, 1).await;
    let audit = tracevault::Tracevault::new(table.config().pool_size(1)).unwrap();
    let mut stream = audit.query().stream(Filters::new());
    assert!(stream.next().await.unwrap().is_ok());
    audit.emit("meanwhile").await.unwrap();
    assert_eq!(stream.filter(|item| std::future::ready(item.is_ok())).count().await, 499);
    table.drop().await;
}
