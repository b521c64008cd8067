//! The queue: order, batches, bounds, and that each accepted record is stored or reported.

mod answers;
mod batches;
mod behind;
mod reserved;
mod room;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::join_all, poll};
use serde_json::json;
use tracevault::{Config, Error, Event, Mode, Outcome, Tracevault, WhenFull};
use uuid::Uuid;

use crate::kit::Table;

/// An hour: what waits for it never ends by itself within a test.
const LONG: Duration = Duration::from_secs(3_600);

fn numbered(n: usize) -> Event<'static> {
    Event::new("numbered").data(json!({ "n": n }))
}

/// Keeps the writer from storing, until `release`.
async fn hold(table: &Table) {
    table.sql.batch_execute(&format!("BEGIN; LOCK TABLE \"{}\" IN ACCESS EXCLUSIVE MODE", table.name)).await.unwrap();
}

async fn release(table: &Table) {
    table.sql.batch_execute("COMMIT").await.unwrap();
}

/// Waits until the writer has taken a batch and waits for the lock.
async fn writer_is_blocked(table: &Table) {
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = to_regclass($1)::oid";
    let watcher = crate::kit::client().await;
    while watcher.query_one(waiting, &[&format!("\"{}\"", table.name)]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
}

/// The numbers in the order in which the table got them.
async fn stored_order(table: &Table) -> Vec<i64> {
    let rows = table.select("(data ->> 'n')::int8", "ORDER BY ctid", &[]).await;
    rows.iter().map(|row| row.get(0)).collect()
}

async fn transactions(table: &Table) -> i64 {
    table.select("count(DISTINCT xmin::text)", "", &[]).await[0].get(0)
}

#[tokio::test]
async fn records_are_stored_in_the_order_of_their_acceptance() {
    let table = Table::new("fifo").await;
    let audit = Tracevault::new(table.config().async_batch_size(7)).unwrap();
    for n in 0..200 {
        let mode = if n % 13 == 0 { Mode::Sync } else { Mode::Async };
        audit.emit(numbered(n).mode(mode)).await.unwrap();
    }
    audit.close().await.unwrap();
    assert_eq!(stored_order(&table).await, (0..200).collect::<Vec<i64>>());
    table.drop().await;
}

#[tokio::test]
async fn what_waits_is_stored_as_one_statement() {
    let table = Table::new("batch").await;
    let audit = Tracevault::new(table.config().async_batch_size(400)).unwrap();
    hold(&table).await;
    audit.try_emit(numbered(0)).unwrap();
    writer_is_blocked(&table).await;
    for n in 1..=1_000 {
        audit.try_emit(numbered(n)).unwrap();
    }
    release(&table).await;
    assert_eq!(audit.flush().await.unwrap().left, 0);
    let stats = audit.stats();
    assert_eq!((stats.accepted, stats.stored, stats.queued), (1_001, 1_001, 0));
    // The first alone, then 400, 400 and 200.
    assert_eq!(transactions(&table).await, 4);
    table.drop().await;
}

#[tokio::test]
async fn concurrent_sync_emits_share_a_commit() {
    let table = Table::new("shared_commit").await;
    let audit = table.audit();
    hold(&table).await;
    let mut emits: Vec<_> = (0..64).map(|n| audit.emit(numbered(n))).collect();
    assert!(poll!(&mut emits[0]).is_pending());
    writer_is_blocked(&table).await;
    for emit in &mut emits {
        assert!(poll!(emit).is_pending());
    }
    release(&table).await;
    for receipt in join_all(emits).await {
        assert_eq!(receipt.unwrap().durability, tracevault::Durability::Committed);
    }
    assert_eq!((table.count().await, transactions(&table).await), (64, 2));
    table.drop().await;
}

#[tokio::test]
async fn a_full_queue_rejects_where_it_was_told_to() {
    let table = Table::new("reject").await;
    let audit = Tracevault::new(table.config().queue_capacity(3).when_full(WhenFull::Reject)).unwrap();
    hold(&table).await;
    for n in 0..3 {
        audit.emit(numbered(n).mode(Mode::Async)).await.unwrap();
    }
    for refused in [audit.emit(numbered(3)).await, audit.try_emit(numbered(3))] {
        let Err(Error::QueueFull(full)) = refused else { panic!("{refused:?}") };
        assert_eq!(full.records(), 3);
    }
    assert_eq!(audit.stats().queued, 3);
    release(&table).await;
    audit.flush().await.unwrap();
    audit.emit(numbered(4)).await.unwrap();
    assert_eq!(stored_order(&table).await, [0, 1, 2, 4]);
    table.drop().await;
}

#[tokio::test]
async fn a_full_queue_makes_emits_wait_in_turn() {
    let table = Table::new("wait").await;
    let audit = Tracevault::new(table.config().queue_capacity(2)).unwrap();
    hold(&table).await;
    let mut waiting: Vec<_> = (0..6).map(|n| audit.emit(numbered(n).mode(Mode::Async))).collect();
    let ready = waiting.iter_mut().filter_map(FutureExt::now_or_never).count();
    assert_eq!(ready, 2, "as many as there is room for");
    assert!(matches!(audit.try_emit(numbered(9)), Err(Error::QueueFull(_))), "a try never waits");
    release(&table).await;
    for emit in waiting.drain(2..) {
        emit.await.unwrap();
    }
    audit.close().await.unwrap();
    assert_eq!(stored_order(&table).await, [0, 1, 2, 3, 4, 5]);
    table.drop().await;
}

#[tokio::test]
async fn the_queue_is_bounded_by_bytes_and_a_giant_passes_alone() {
    let table = Table::new("bytes").await;
    let audit = Tracevault::new(table.config().queue_bytes(16 << 10).when_full(WhenFull::Reject)).unwrap();
    let heavy = |n| Event::new("heavy").data(json!({ "n": n, "fill": "x".repeat(6 << 10) })).mode(Mode::Async);
    hold(&table).await;
    let accepted = (0..10).filter(|n| audit.try_emit(heavy(*n)).is_ok()).count();
    assert!((1..=2).contains(&accepted), "{accepted}");
    assert!(audit.stats().queued_bytes <= 16 << 10);
    release(&table).await;
    audit.flush().await.unwrap();
    assert_eq!(audit.stats().queued_bytes, 0);
    let giant = Event::new("giant").data(json!({ "n": 99, "fill": "x".repeat(100 << 10) }));
    audit.emit(giant).await.unwrap();
    assert_eq!(table.count().await, i64::try_from(accepted).unwrap() + 1);
    table.drop().await;
}

#[tokio::test]
async fn a_statement_is_bounded_by_bytes_too() {
    let table = Table::new("batch_bytes").await;
    let config = table.config().max_payload_bytes(4 << 20).queue_bytes(100 << 20);
    let audit = Tracevault::new(config).unwrap();
    let fill = "x".repeat(3 << 20);
    for n in 0..12 {
        audit.try_emit(Event::new("large").data(json!({ "n": n, "fill": fill }))).unwrap();
    }
    audit.close().await.unwrap();
    assert_eq!(stored_order(&table).await, (0..12).collect::<Vec<i64>>());
    assert!(transactions(&table).await >= 3, "at most 16 MiB at once");
    table.drop().await;
}

#[tokio::test]
async fn a_batch_waits_for_company_until_somebody_waits_for_it() {
    let table = Table::new("interval").await;
    let audit = Tracevault::new(table.config().async_flush_interval(LONG).async_batch_size(5)).unwrap();
    audit.try_emit(numbered(0)).unwrap();
    audit.emit(numbered(1)).await.unwrap();
    assert_eq!((table.count().await, transactions(&table).await), (2, 1), "a sync emit ends the wait");

    audit.try_emit(numbered(2)).unwrap();
    assert_eq!(audit.flush().await.unwrap().stored, 1, "flush ends it");

    let full = join_all((3..8).map(|n| audit.emit(numbered(n).mode(Mode::Async)))).await;
    assert!(full.iter().all(Result::is_ok));
    while audit.stats().queued > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(transactions(&table).await, 3, "a full batch ends it");

    audit.try_emit(numbered(8)).unwrap();
    assert_eq!(audit.close().await.unwrap().stored, 1, "close ends it");
    table.drop().await;
}

#[tokio::test]
async fn a_batch_is_taken_when_the_interval_has_passed() {
    let table = Table::new("interval_passes").await;
    let audit = Tracevault::new(table.config().async_flush_interval(Duration::from_millis(50))).unwrap();
    for n in 0..5 {
        audit.try_emit(numbered(n)).unwrap();
    }
    while audit.stats().queued > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((table.count().await, transactions(&table).await), (5, 1));
    table.drop().await;
}

#[tokio::test]
async fn a_future_that_was_never_polled_emits_nothing_and_a_polled_one_all() {
    let table = Table::new("dropped").await;
    let audit = table.audit();
    drop(audit.emit(numbered(0)));
    let mut polled = audit.emit(numbered(1));
    assert!(poll!(&mut polled).is_pending());
    drop(polled);
    audit.close().await.unwrap();
    assert_eq!(stored_order(&table).await, [1]);
    table.drop().await;
}

#[tokio::test]
async fn an_emit_that_stops_waiting_for_room_emits_nothing() {
    let table = Table::new("stopped_waiting").await;
    let audit = Tracevault::new(table.config().queue_capacity(1)).unwrap();
    hold(&table).await;
    audit.try_emit(numbered(0)).unwrap();
    let mut waiting = audit.emit(numbered(1));
    assert!(poll!(&mut waiting).is_pending());
    drop(waiting);
    release(&table).await;
    audit.close().await.unwrap();
    assert_eq!((audit.stats().accepted, audit.stats().stored), (1, 1));
    assert_eq!(stored_order(&table).await, [0]);
    table.drop().await;
}

/// A handler that keeps what it is told.
type Told = Arc<Mutex<Vec<(Uuid, Option<String>, Outcome)>>>;

fn telling(config: Config) -> (Config, Told) {
    let told = Told::default();
    let keeper = Arc::clone(&told);
    let config = config.on_error(move |error, record| {
        assert_eq!(error.record_id(), Some(record.id()));
        let state = error.sqlstate().map(ToOwned::to_owned);
        keeper.lock().unwrap().push((record.id(), state, error.outcome()));
    });
    (config, told)
}

#[tokio::test]
async fn a_bad_record_takes_no_other_with_it_and_is_reported_once() {
    let table = Table::new("poison").await;
    let check = format!("ALTER TABLE \"{}\" ADD CHECK ((data ->> 'n')::int % 100 <> 7)", table.name);
    table.sql.batch_execute(&check).await.unwrap();
    let (config, told) = telling(table.config());
    let audit = Tracevault::new(config).unwrap();
    hold(&table).await;
    audit.try_emit(numbered(0)).unwrap();
    writer_is_blocked(&table).await;
    let ids: Vec<_> = (1..500).map(|n| audit.try_emit(numbered(n)).unwrap().id).collect();
    let mut sync_bad = audit.emit(numbered(507));
    let mut sync_good = audit.emit(numbered(508));
    assert!(poll!(&mut sync_bad).is_pending() && poll!(&mut sync_good).is_pending());
    release(&table).await;
    let refused = sync_bad.await.unwrap_err();
    assert_eq!((refused.sqlstate(), refused.outcome()), (Some("23514"), Outcome::Rejected));
    sync_good.await.unwrap();
    let drained = audit.close().await.unwrap();
    assert_eq!((drained.failed, drained.left), (0, 0), "all was done before the close");
    let mut expected: Vec<_> =
        [7, 107, 207, 307, 407].map(|n: usize| (ids[n - 1], Some("23514".to_owned()), Outcome::Rejected)).into();
    let mut reported = told.lock().unwrap().clone();
    expected.sort_by_key(|(id, ..)| *id);
    reported.sort_by_key(|(id, ..)| *id);
    assert_eq!(reported, expected, "each async one once; the sync one was told to its caller");
    assert_eq!(table.count().await, 500 - 5 + 1);
    let stats = audit.stats();
    assert_eq!((stats.accepted, stats.stored, stats.failed, stats.queued), (502, 496, 6, 0));
    table.drop().await;
}

#[tokio::test]
async fn a_handler_that_panics_does_not_stop_the_writer() {
    let table = Table::missing("panics").await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let config = table.config().retry_for(Duration::ZERO).on_error(move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        panic!("in on_error, on purpose");
    });
    let audit = Tracevault::new(config).unwrap();
    for n in 0..3 {
        audit.try_emit(numbered(n)).unwrap();
    }
    assert_eq!(audit.flush().await.unwrap().failed, 3);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    table.sql.batch_execute(&tracevault::generate_init_sql(&table.name).unwrap()).await.unwrap();
    audit.emit(numbered(3)).await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn a_failed_sync_emit_is_told_to_its_caller_or_else_to_the_handler() {
    let table = Table::missing("told").await;
    let (config, told) = telling(table.config());
    let audit = Tracevault::new(config).unwrap();
    let error = audit.emit(numbered(0)).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42P01"));
    assert!(told.lock().unwrap().is_empty());
    let mut abandoned = audit.emit(numbered(1));
    assert!(poll!(&mut abandoned).is_pending());
    drop(abandoned);
    audit.flush().await.unwrap();
    assert_eq!(told.lock().unwrap().len(), 1);
}

#[test]
fn a_writer_dies_with_its_runtime_and_says_so() {
    let first = tokio::runtime::Runtime::new().unwrap();
    let (table, audit, told) = first.block_on(async {
        let table = Table::new("runtime").await;
        let (config, told) = telling(table.config());
        let audit = Tracevault::new(config).unwrap();
        audit.emit(numbered(0)).await.unwrap();
        hold(&table).await;
        audit.try_emit(numbered(1)).unwrap();
        writer_is_blocked(&table).await;
        audit.try_emit(numbered(2)).unwrap();
        (table, audit, told)
    });
    drop(first);
    let outcomes: Vec<_> = told.lock().unwrap().iter().map(|(.., outcome)| *outcome).collect();
    assert_eq!(outcomes, [Outcome::Unknown, Outcome::Rejected], "the one under way, and the one that waited");
    let second = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    second.block_on(async {
        assert!(audit.emit(numbered(3)).await.unwrap_err().is_closed());
        assert!(audit.try_emit(numbered(3)).unwrap_err().is_closed());
        let drained = audit.close().await.unwrap();
        assert_eq!(drained.left, 2);
        let stats = audit.stats();
        assert_eq!((stats.accepted, stats.stored, stats.failed), (3, 1, 2));
        let sql = crate::kit::client().await;
        sql.batch_execute(&format!("DROP TABLE \"{}\"", table.name)).await.unwrap();
    });
}

#[test]
fn outside_of_a_runtime_there_is_nothing_to_write_on() {
    let error = Tracevault::new(Config::new(crate::kit::url())).unwrap_err();
    assert!(matches!(&error, Error::Config(config) if config.key() == "runtime"), "{error}");
}

/// A batch that is given up half-way: what was answered before is not reported again.
#[tokio::test]
async fn each_record_of_a_batch_given_up_is_reported_once() {
    let table = Table::new("given_up").await;
    let trigger = format!(
        "CREATE FUNCTION \"{0}_f\"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF (NEW.data ->> 'n')::int = 0 THEN RAISE EXCEPTION 'refused'; END IF;
             IF (NEW.data ->> 'n')::int > 1 THEN PERFORM pg_sleep(60); END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER t BEFORE INSERT ON \"{0}\" FOR EACH ROW EXECUTE FUNCTION \"{0}_f\"()",
        table.name
    );
    table.sql.batch_execute(&trigger).await.unwrap();
    let (config, told) = telling(table.config().async_flush_interval(LONG).close_timeout(Duration::from_secs(5)));
    let audit = Tracevault::new(config).unwrap();
    let ids: Vec<_> = (0..4).map(|n| audit.try_emit(numbered(n)).unwrap().id).collect();
    // 0 to 3 fail together, then 0 and 1, then 0; 1 is stored; 2 and 3 sleep past the end.
    let drained = audit.close().await.unwrap();
    assert_eq!((drained.stored, drained.failed, drained.left), (1, 1, 2));
    let expected = [
        (ids[0], Some("P0001".to_owned()), Outcome::Rejected),
        (ids[2], None, Outcome::Unknown),
        (ids[3], None, Outcome::Unknown),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
    assert_eq!(stored_order(&table).await, [1]);
}
