//! From the disk into PostgreSQL: in order, once, whatever happens on the way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tracevault::{
    Config, Durability, Event, Mode, ScopeOverrides, SpoolConfig, TableName, Tracevault, WhenFull, spool,
};

use super::Dir;
use crate::kit::{self, Table};

/// Where nobody listens.
const AWAY: &str = "host=127.0.0.1 port=1 user=nobody connect_timeout=1";

fn numbered(n: usize) -> Event<'static> {
    Event::new("numbered").mode(Mode::Async).data(json!({ "n": n }))
}

async fn numbers(table: &Table) -> Vec<i64> {
    // A batch is one transaction, and its rows come in their order.
    let rows = table.select("(data->>'n')::bigint", "ORDER BY created_at, ctid", &[]).await;
    rows.iter().map(|row| row.get(0)).collect()
}

fn upto(n: i64) -> Vec<i64> {
    (0..n).collect()
}

#[tokio::test]
async fn an_async_event_is_on_disk_then_stored_then_gone_from_disk() {
    let (table, dir) = (Table::new("spool_way").await, Dir::new());
    let audit = Tracevault::connect(table.config().spool(SpoolConfig::new(&dir.path))).await.unwrap();
    let receipt = audit.emit(numbered(0)).await.unwrap();
    assert_eq!(receipt.durability, Durability::Spooled);
    let committed = audit.emit(Event::new("sync")).await.unwrap();
    assert_eq!(committed.durability, Durability::Committed);
    let drained = audit.flush().await.unwrap();
    assert_eq!((drained.failed, drained.left, drained.spooled), (0, 0, 0));
    assert_eq!(table.count().await, 2);
    let stats = audit.stats();
    assert_eq!((stats.accepted, stats.stored, stats.queued, stats.spooled), (2, 2, 0, 0));
    let audit = { audit };
    audit.close().await.unwrap();
    let listed = spool::list(&dir.path).unwrap();
    assert_eq!((listed.len(), listed[0].records, listed[0].segments), (1, 0, 0));
    assert!(audit.emit(numbered(1)).await.unwrap_err().is_closed());
    assert!(audit.try_emit(numbered(1)).unwrap_err().is_closed());
    table.drop().await;
}

#[tokio::test]
async fn a_service_starts_and_emits_while_the_database_is_away() {
    let (table, dir) = (Table::new("spool_away").await, Dir::new());
    let away = Config::new(AWAY).table_name(&table.name).spool(SpoolConfig::new(&dir.path));
    let audit = Tracevault::new(away).unwrap();
    for n in 0..100 {
        assert_eq!(audit.emit(numbered(n)).await.unwrap().durability, Durability::Spooled);
    }
    let stats = audit.stats();
    assert_eq!((stats.accepted, stats.stored, stats.queued, stats.spooled), (100, 0, 100, 100));
    let began = Instant::now();
    let drained = audit.close().await.unwrap();
    assert_eq!((drained.stored, drained.failed, drained.left, drained.spooled), (0, 0, 0, 100));
    assert!(began.elapsed() < Duration::from_secs(15), "no longer than storing could succeed");
    assert_eq!(audit.close().await.unwrap(), drained);
    drop(audit);

    let audit = Tracevault::new(table.config().spool(SpoolConfig::new(&dir.path))).unwrap();
    let found = audit.spool().unwrap().recovery().clone();
    assert_eq!((found.records, found.tables, found.dead_letters), (100, 1, 0));
    assert!(found.damage.is_empty());
    for n in 100..200 {
        audit.emit(numbered(n)).await.unwrap();
    }
    audit.flush().await.unwrap();
    assert_eq!(numbers(&table).await, upto(200));
    assert_eq!(audit.close().await.unwrap().spooled, 0);
    table.drop().await;
}

#[tokio::test]
async fn what_was_left_is_stored_though_no_scope_asks_for_its_table() {
    let (table, other, dir) = (Table::new("spool_left").await, Table::new("spool_other").await, Dir::new());
    let away = Config::new(AWAY).spool(SpoolConfig::new(&dir.path));
    let audit = Tracevault::new(away).unwrap();
    let scope = audit.scope(ScopeOverrides::new().table_name(&table.name)).unwrap();
    scope.emit(numbered(0)).await.unwrap();
    audit.close().await.unwrap();
    let audit = Tracevault::new(other.config().spool(SpoolConfig::new(&dir.path))).unwrap();
    while table.count().await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    audit.close().await.unwrap();
    table.drop().await;
    other.drop().await;
}

#[tokio::test]
async fn a_table_that_is_missing_holds_up_no_other() {
    let (one, missing, dir) = (Table::new("spool_one").await, Table::missing("spool_missing").await, Dir::new());
    let audit = Tracevault::new(one.config().spool(SpoolConfig::new(&dir.path))).unwrap();
    let scope = audit.scope(ScopeOverrides::new().table_name(&missing.name)).unwrap();
    for n in 0..500 {
        let (here, there) = tokio::join!(audit.emit(numbered(n)), scope.emit(numbered(n)));
        assert_eq!((here.unwrap().durability, there.unwrap().durability), (Durability::Spooled, Durability::Spooled));
    }
    audit.flush().await.unwrap();
    assert_eq!(numbers(&one).await, upto(500));
    assert_eq!(scope.stats().spooled, 500);
    missing.sql.batch_execute(&tracevault::generate_init_sql(&missing.name).unwrap()).await.unwrap();
    let drained = scope.flush().await.unwrap();
    assert_eq!((drained.stored, drained.spooled), (500, 0));
    assert_eq!(numbers(&missing).await, upto(500));
    audit.close().await.unwrap();
    one.drop().await;
    missing.drop().await;
}

#[tokio::test]
async fn what_the_table_refuses_is_a_dead_letter_until_it_is_driven_again() {
    let (table, dir) = (Table::new("spool_dead").await, Dir::new());
    let check = format!("ALTER TABLE {} ADD CONSTRAINT odd CHECK ((data->>'n')::bigint <> 7)", table.name);
    table.sql.batch_execute(&check).await.unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let tell = Arc::clone(&told);
    let config = table.config().spool(SpoolConfig::new(&dir.path)).on_error(move |error, record| {
        assert_eq!((error.sqlstate(), record.data()), (Some("23514"), Some(r#"{"n":7}"#)));
        tell.fetch_add(1, Ordering::SeqCst);
    });
    let audit = Tracevault::new(config).unwrap();
    for n in 0..50 {
        audit.emit(numbered(n)).await.unwrap();
    }
    let drained = audit.flush().await.unwrap();
    assert_eq!((drained.left, drained.spooled), (0, 0));
    assert_eq!(told.load(Ordering::SeqCst), 1);
    let stats = audit.stats();
    assert_eq!((stats.accepted, stats.stored, stats.failed, stats.queued), (50, 49, 1, 0));
    assert_eq!(audit.spool().unwrap().stats().dead_letters, 1);
    let mut letters = Vec::new();
    let each = &mut |of: &TableName, letter| {
        letters.push((of.name().to_owned(), letter));
        Ok(())
    };
    spool::dead_letters(&dir.path, None, each).unwrap();
    assert_eq!((letters.len(), letters[0].0.as_str()), (1, table.name.as_str()));
    assert_eq!(letters[0].1.sqlstate.as_deref(), Some("23514"));
    assert_eq!(letters[0].1.record.data(), Some(r#"{"n":7}"#));
    assert!(letters[0].1.reason.contains("odd"), "{}", letters[0].1.reason);

    // It survives the process, and is told of again only when it is refused again.
    audit.close().await.unwrap();
    let audit = Tracevault::new(table.config().spool(SpoolConfig::new(&dir.path))).unwrap();
    assert_eq!(audit.spool().unwrap().recovery().dead_letters, 1);
    assert_eq!(audit.spool().unwrap().redrive(None).await.unwrap(), 1);
    audit.flush().await.unwrap();
    assert_eq!(audit.stats().failed, 1);
    assert_eq!(audit.spool().unwrap().stats().dead_letters, 1);
    table.sql.batch_execute(&format!("ALTER TABLE {} DROP CONSTRAINT odd", table.name)).await.unwrap();
    let elsewhere = TableName::new("elsewhere").unwrap();
    assert_eq!(audit.spool().unwrap().redrive(Some(&elsewhere)).await.unwrap(), 0);
    assert_eq!(audit.spool().unwrap().redrive(Some(audit.table())).await.unwrap(), 1);
    audit.flush().await.unwrap();
    assert_eq!(audit.stats().stored, 1);
    assert_eq!(audit.spool().unwrap().stats().dead_letters, 0);
    let mut all = numbers(&table).await;
    all.sort_unstable();
    assert_eq!(all, upto(50));
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn what_may_be_there_already_is_stored_once() {
    let (table, dir) = (Table::new("spool_once").await, Dir::new());
    let audit = Tracevault::new(table.config().spool(SpoolConfig::new(&dir.path))).unwrap();
    for n in 0..100 {
        audit.emit(numbered(n)).await.unwrap();
    }
    // As it is while nothing of it is stored.
    let copy = Dir::new();
    audit.close().await.unwrap();
    let away = Config::new(AWAY).table_name(&table.name).spool(SpoolConfig::new(&copy.path));
    let audit = Tracevault::new(away).unwrap();
    let mut ids = Vec::new();
    for n in 100..200 {
        ids.push(audit.emit(numbered(n)).await.unwrap().id);
    }
    audit.close().await.unwrap();
    let again = Dir::new();
    copy.copy_to(&again);
    for dir in [copy, again] {
        let audit = Tracevault::new(table.config().spool(SpoolConfig::new(&dir.path))).unwrap();
        let drained = audit.flush().await.unwrap();
        assert_eq!((drained.stored, drained.failed, drained.spooled), (100, 0, 0));
        audit.close().await.unwrap();
    }
    assert_eq!(numbers(&table).await, upto(200));
    table.drop().await;
}

/// It may insert, and not look whether a record is there already.
#[tokio::test]
async fn what_a_permission_is_missing_for_waits_and_is_no_dead_letter() {
    let (table, dir, role) = (Table::new("spool_role").await, Dir::new(), kit::unique("spool_role"));
    let grant = format!("{} GRANT INSERT ON \"{}\" TO {role}", kit::create_role(&role), table.name);
    table.sql.batch_execute(&grant).await.unwrap();
    let away = Config::new(AWAY).table_name(&table.name).spool(SpoolConfig::new(&dir.path));
    let audit = Tracevault::new(away).unwrap();
    for n in 0..10 {
        audit.emit(numbered(n)).await.unwrap();
    }
    audit.close().await.unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let tell = Arc::clone(&told);
    let config = Config::new(kit::url_as(&role)).table_name(&table.name).spool(SpoolConfig::new(&dir.path));
    let config = config.close_timeout(Duration::from_secs(5)).on_error(move |_, _| {
        tell.fetch_add(1, Ordering::SeqCst);
    });
    let audit = Tracevault::new(config).unwrap();
    for n in 10..20 {
        assert_eq!(audit.emit(numbered(n)).await.unwrap().durability, Durability::Spooled);
    }
    let drained = audit.flush().await.unwrap();
    assert_eq!((drained.stored, drained.failed, drained.spooled), (0, 0, 20));
    assert_eq!((audit.spool().unwrap().stats().dead_letters, told.load(Ordering::SeqCst)), (0, 0));
    table.sql.batch_execute(&format!("GRANT SELECT (id) ON \"{}\" TO {role}", table.name)).await.unwrap();
    while table.count().await < 20 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(numbers(&table).await, upto(20));
    audit.close().await.unwrap();
    table.sql.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn memory_is_used_until_it_is_full_then_the_disk_and_the_order_stands() {
    let (table, dir) = (Table::missing("spool_spill").await, Dir::new());
    let config = table.config().queue_capacity(10).when_full(WhenFull::Spill);
    let audit = Tracevault::new(config.spool(SpoolConfig::new(&dir.path))).unwrap();
    let mut durabilities = Vec::new();
    for n in 0..300 {
        durabilities.push(audit.emit(numbered(n)).await.unwrap().durability);
    }
    assert_eq!(durabilities[0], Durability::Queued);
    assert_eq!(durabilities[299], Durability::Spooled);
    let first = durabilities.iter().position(|one| *one == Durability::Spooled).unwrap();
    assert!(first <= 10, "{first} in memory");
    assert!(
        durabilities[first..].iter().all(|one| *one == Durability::Spooled),
        "no way back while there is a backlog"
    );
    table.sql.batch_execute(&tracevault::generate_init_sql(&table.name).unwrap()).await.unwrap();
    let drained = audit.flush().await.unwrap();
    assert_eq!((drained.stored, drained.spooled), (300, 0));
    assert_eq!(numbers(&table).await, upto(300));
    // Back to memory.
    while audit.emit(numbered(300)).await.unwrap().durability == Durability::Spooled {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn what_a_close_leaves_in_memory_is_on_disk_before_all_else() {
    let (table, dir) = (Table::missing("spool_front").await, Dir::new());
    let config = || table.config().queue_capacity(10).when_full(WhenFull::Spill).close_timeout(Duration::from_secs(1));
    let audit = Tracevault::new(config().spool(SpoolConfig::new(&dir.path))).unwrap();
    for n in 0..100 {
        audit.emit(numbered(n)).await.unwrap();
    }
    let drained = audit.close().await.unwrap();
    assert_eq!((drained.stored, drained.failed, drained.left, drained.spooled), (0, 0, 0, 100));
    drop(audit);
    table.sql.batch_execute(&tracevault::generate_init_sql(&table.name).unwrap()).await.unwrap();
    let audit = Tracevault::new(config().spool(SpoolConfig::new(&dir.path))).unwrap();
    assert_eq!(audit.spool().unwrap().recovery().records, 100);
    audit.emit(numbered(100)).await.unwrap();
    audit.flush().await.unwrap();
    assert_eq!(numbers(&table).await, upto(101));
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn a_drop_leaves_everything_on_disk_and_the_directory_free() {
    let (table, dir) = (Table::new("spool_drop").await, Dir::new());
    let away = Config::new(AWAY).table_name(&table.name).close_timeout(Duration::from_secs(1));
    let audit = Tracevault::new(away.spool(SpoolConfig::new(&dir.path))).unwrap();
    for n in 0..100 {
        audit.try_emit(numbered(n)).unwrap();
    }
    drop(audit);
    let began = Instant::now();
    let audit = loop {
        match Tracevault::new(table.config().spool(SpoolConfig::new(&dir.path))) {
            Ok(audit) => break audit,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(10), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    audit.flush().await.unwrap();
    assert_eq!(numbers(&table).await, upto(100));
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn two_owners_of_a_directory_are_one_too_many() {
    let dir = Dir::new();
    let config = || Config::new(AWAY).spool(SpoolConfig::new(&dir.path));
    let audit = Tracevault::new(config()).unwrap();
    let error = Tracevault::new(config()).unwrap_err();
    assert!(matches!(error, tracevault::Error::Spool(_)), "{error:?}");
    assert!(error.to_string().contains("another process uses the spool"), "{error}");
    audit.close().await.unwrap();
    Tracevault::new(config()).unwrap();
}

#[tokio::test]
async fn a_full_spool_answers_by_its_policy() {
    let (table, dir) = (Table::missing("spool_full").await, Dir::new());
    let small = || SpoolConfig::new(&dir.path).segment_bytes(64 << 10).max_bytes(128 << 10);
    let audit = Tracevault::new(table.config().when_full(WhenFull::Reject).spool(small())).unwrap();
    let mut kept = 0;
    let error = loop {
        match audit.emit(numbered(kept)).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_retryable() && error.to_string().contains("is full"), "{error}");
    assert!(matches!(&error, tracevault::Error::Spool(error) if error.is_full()));
    assert!(audit.try_emit(numbered(0)).is_err());
    assert!(kept > 100, "{kept}");
    audit.close().await.unwrap();
    drop(audit);
    let audit = Tracevault::new(table.config().spool(small())).unwrap();
    let waiting = tokio::spawn({
        let audit = audit.clone();
        async move { audit.emit(numbered(kept)).await.unwrap().durability }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    table.sql.batch_execute(&tracevault::generate_init_sql(&table.name).unwrap()).await.unwrap();
    assert_eq!(waiting.await.unwrap(), Durability::Spooled);
    audit.flush().await.unwrap();
    assert_eq!(numbers(&table).await, upto(i64::try_from(kept).unwrap() + 1));
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn sync_events_and_reserved_ones_go_their_ways() {
    let (table, dir) = (Table::new("spool_ways").await, Dir::new());
    let audit = Tracevault::new(table.config().spool(SpoolConfig::new(&dir.path))).unwrap();
    let scope = audit.scope(ScopeOverrides::new()).unwrap();
    let receipt = scope.try_reserve(1_000).unwrap().emit(numbered(0)).await.unwrap();
    assert_eq!(receipt.durability, Durability::Spooled);
    let receipt =
        scope.try_reserve(10).unwrap().emit(Event::new("larger").data(json!({ "n": 1, "text": "x".repeat(9_000) })));
    assert_eq!(receipt.await.unwrap().durability, Durability::Committed);
    assert_eq!(scope.flush().await.unwrap().spooled, 0);
    assert_eq!(table.count().await, 2);
    scope.close().await.unwrap();
    assert!(scope.emit(numbered(0)).await.unwrap_err().is_closed());
    assert_eq!(audit.emit(numbered(2)).await.unwrap().durability, Durability::Spooled);
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn every_policy_stores_everything() {
    for sync in [tracevault::SpoolSync::Always, tracevault::SpoolSync::Interval, tracevault::SpoolSync::Os] {
        let (table, dir) = (Table::new("spool_sync").await, Dir::new());
        let spool = SpoolConfig::new(&dir.path).sync(sync).segment_bytes(64 << 10);
        let audit = Tracevault::new(table.config().spool(spool)).unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..8 {
            let audit = audit.clone();
            tasks.spawn(async move {
                for n in 0..250 {
                    audit.emit(numbered(task * 1_000 + n)).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        let drained = audit.close().await.unwrap();
        assert_eq!((drained.failed, drained.left, drained.spooled), (0, 0, 0), "{sync:?}");
        let stored = numbers(&table).await;
        assert_eq!(stored.len(), 2_000);
        for task in 0..8 {
            let of_task: Vec<_> = stored.iter().filter(|n| **n / 1_000 == task).collect();
            assert!(of_task.is_sorted(), "{sync:?}: in the order of their acknowledgement");
        }
        let listed = spool::list(&dir.path).unwrap();
        assert_eq!((listed[0].records, listed[0].segments), (0, 0));
        table.drop().await;
    }
}

#[tokio::test]
async fn a_recorder_may_have_a_spool() {
    let dir = Dir::new();
    let config = Config::default().spool(SpoolConfig::new(&dir.path));
    let (audit, recorder) = tracevault::testing::recorder(config).unwrap();
    audit.emit(numbered(0)).await.unwrap();
    audit.flush().await.unwrap();
    assert_eq!(recorder.records().len(), 1);
    let _ = kit::CANARY;
}
