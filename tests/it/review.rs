//! What a hostile reader asked of the write engine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool_postgres::{Manager, Pool};
use serde_json::json;
use tokio::time::timeout;
use tokio_postgres::NoTls;
use tracevault::{Config, ErrorClass, Event, Mode, Outcome, Tracevault, testing};
use uuid::Uuid;

use crate::kit::Table;

/// What a loaded machine takes for a call that waits for nothing.
const LOADED: Duration = Duration::from_secs(15);

/// Asks again until it is so.
async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < LOADED * 4, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Runs `body` for each row that was inserted.
async fn trigger(table: &Table, kind: &str, when: &str, body: &str) {
    let name = &table.name;
    let sql = format!(
        "CREATE OR REPLACE FUNCTION {name}_f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
         CREATE {kind} {name}_t {when} FOR EACH ROW EXECUTE FUNCTION {name}_f()"
    );
    table.sql.batch_execute(&sql).await.unwrap();
}

async fn end(table: Table) {
    let name = table.name.clone();
    let sql = crate::kit::client().await;
    table.drop().await;
    sql.batch_execute(&format!("DROP FUNCTION IF EXISTS {name}_f()")).await.unwrap();
}

fn counting(config: Config) -> (Config, Arc<AtomicU64>) {
    let told = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&told);
    let config = config.on_error(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    (config, told)
}

/// The server says that COPY is complete before it commits.
#[tokio::test]
async fn a_copy_that_fails_at_its_commit_is_not_taken_for_stored() {
    let table = Table::new("deferred").await;
    let on = format!("AFTER INSERT ON \"{}\" DEFERRABLE INITIALLY DEFERRED", table.name);
    trigger(&table, "CONSTRAINT TRIGGER", &on, "IF NEW.event = 'bad' THEN RAISE EXCEPTION 'no'; END IF;").await;
    let (config, told) = counting(table.config());
    let audit = Tracevault::new(config).unwrap();
    for n in 0..100 {
        audit.try_emit(if n == 50 { "bad" } else { "good" }).unwrap();
    }
    audit.flush().await.unwrap();
    let stats = audit.stats();
    assert_eq!((table.count().await, stats.stored, told.load(Ordering::SeqCst)), (99, 99, 1), "{stats:?}");
    audit.close().await.unwrap();
    end(table).await;
}

/// The last suspects were given up, and the writer has nothing in hand.
#[tokio::test]
async fn a_flush_ends_once_all_suspects_are_given_up() {
    let table = Table::new("given_up").await;
    let on = format!("BEFORE INSERT ON \"{}\"", table.name);
    trigger(&table, "TRIGGER", &on, "RAISE EXCEPTION 'no';").await;
    let (config, told) = counting(table.config());
    let audit = Tracevault::new(config.retry_for(Duration::from_millis(200))).unwrap();
    audit.try_emit("refused").unwrap();
    while told.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let drained = timeout(LOADED, audit.flush()).await.expect("a flush of nothing").unwrap();
    let stats = audit.stats();
    assert_eq!((drained.left, stats.held, stats.oldest), (0, 0, None), "{stats:?}");
    audit.close().await.unwrap();
    end(table).await;
}

/// The same for a sync emit whose time was over while it was set aside.
#[tokio::test]
async fn a_flush_ends_once_a_sync_suspect_was_told() {
    let table = Table::new("told").await;
    let on = format!("BEFORE INSERT ON \"{}\"", table.name);
    trigger(&table, "TRIGGER", &on, "RAISE EXCEPTION 'no' USING ERRCODE = '40001';").await;
    let audit = Tracevault::new(table.config().emit_timeout(Duration::from_secs(2))).unwrap();
    let mut outcome = Outcome::Unknown;
    for _ in 0..10 {
        let error = audit.emit("refused").await.unwrap_err();
        assert_eq!(error.sqlstate(), Some("40001"));
        outcome = error.outcome();
        // Else its time was over in the middle of an attempt, which is short: then once more.
        if outcome == Outcome::Rejected {
            break;
        }
    }
    assert_eq!(outcome, Outcome::Rejected);
    let drained = timeout(LOADED, audit.flush()).await.expect("a flush of nothing").unwrap();
    let stats = audit.stats();
    assert_eq!((drained.left, stats.held, stats.oldest), (0, 0, None), "{stats:?}");
    audit.close().await.unwrap();
    end(table).await;
}

/// What takes too long as one statement passes in smaller ones.
#[tokio::test]
async fn a_batch_that_is_too_slow_is_halved() {
    for limit in ["ours", "the server's"] {
        let table = Table::new("slow").await;
        // No function, whose context would tell.
        let slow = format!("ALTER TABLE \"{}\" ADD CHECK (pg_sleep(0.02) IS NOT NULL)", table.name);
        table.sql.batch_execute(&slow).await.unwrap();
        let config = if limit == "ours" {
            table.config().statement_timeout(Duration::from_millis(300))
        } else {
            let url = format!("{} options='-c statement_timeout=300'", crate::kit::url());
            Config::new(url).table_name(&table.name)
        };
        let audit = Tracevault::new(config.retry_for(Duration::from_secs(120)).close_timeout(Duration::from_secs(120)))
            .unwrap();
        for n in 0..50 {
            audit.try_emit(Event::new("slow").data(json!({ "n": n }))).unwrap();
        }
        let drained = timeout(Duration::from_secs(60), audit.flush()).await;
        assert!(drained.is_ok(), "{limit}: {:?}", audit.stats());
        assert_eq!(table.count().await, 50, "{limit}");
        audit.close().await.unwrap();
        table.drop().await;
    }
}

/// Where ON CONFLICT is not supported, only those records suffer that ask for it.
#[tokio::test]
async fn an_own_id_on_a_table_with_a_rule_does_not_stop_the_others() {
    let table = Table::new("rule").await;
    let rule = format!("CREATE RULE also AS ON INSERT TO \"{0}\" DO ALSO NOTIFY {0}", table.name);
    table.sql.batch_execute(&rule).await.unwrap();
    let (config, told) = counting(table.config().emit_timeout(LOADED * 4));
    let audit = Tracevault::new(config).unwrap();
    audit.try_emit(Event::new("own").id(Uuid::now_v7())).unwrap();
    for _ in 0..3 {
        audit.try_emit("plain").unwrap();
    }
    let drained = timeout(LOADED, audit.flush()).await;
    let stats = audit.stats();
    assert!(drained.is_ok(), "{stats:?}");
    assert_eq!((table.count().await, told.load(Ordering::SeqCst)), (3, 1), "{stats:?}");
    let error = timeout(LOADED, audit.emit(Event::new("own").id(Uuid::now_v7()))).await;
    assert_eq!(error.expect("told at once").unwrap_err().sqlstate(), Some("0A000"));
    audit.close().await.unwrap();
    table.drop().await;
}

/// A connection of the caller's pool that was given back in the middle of a failed transaction.
#[tokio::test]
async fn a_connection_in_a_failed_transaction_is_not_used_for_ever() {
    let table = Table::new("aborted").await;
    let manager = Manager::new(crate::kit::url().parse().unwrap(), NoTls);
    let pool = Pool::builder(manager).max_size(1).build().unwrap();
    {
        let client = pool.get().await.unwrap();
        client.batch_execute("BEGIN").await.unwrap();
        client.batch_execute("SELECT 1 / 0").await.unwrap_err();
    }
    let audit = Tracevault::with_pools(pool, None, Config::default().table_name(&table.name)).unwrap();
    let first = audit.emit("one").await;
    audit.emit("two").await.unwrap();
    drop(first);
    audit.close().await.unwrap();
    table.drop().await;
}

/// A batch that one writer has just taken is not yet finished.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flush_with_several_writers_does_not_end_early() {
    let config = Config::default().default_mode(Mode::Async).writers(8).async_batch_size(1);
    let (audit, _recorder) = testing::recorder(config).unwrap();
    for round in 0..20_000 {
        for _ in 0..8 {
            audit.try_emit("e").unwrap();
        }
        let drained = audit.flush().await.unwrap();
        let stats = audit.stats();
        assert_eq!((stats.queued, drained.left), (0, 0), "round {round}: {stats:?}");
    }
    audit.close().await.unwrap();
}

/// A trigger that is deferred refuses every record at its commit only: nobody is to blame.
#[tokio::test]
async fn a_table_that_refuses_everything_at_the_commit_blames_nobody() {
    let table = Table::new("deferred_all").await;
    let on = format!("AFTER INSERT ON \"{}\" DEFERRABLE INITIALLY DEFERRED", table.name);
    // Which is not undone with its transaction.
    table.sql.batch_execute(&format!("CREATE SEQUENCE {}_refusals", table.name)).await.unwrap();
    let count = format!("PERFORM nextval('{}_refusals'); RAISE EXCEPTION 'no';", table.name);
    trigger(&table, "CONSTRAINT TRIGGER", &on, &count).await;
    let (config, told) = counting(table.config());
    let audit = Tracevault::new(config).unwrap();
    audit.try_emit("held").unwrap();
    let refusals = format!("SELECT last_value FROM {}_refusals", table.name);
    // Enough for several trials.
    until("it is refused", async || table.sql.query_one(&refusals, &[]).await.unwrap().get::<_, i64>(0) >= 7).await;
    until("it is held", async || audit.stats().held == 1).await;
    assert_eq!((told.load(Ordering::SeqCst), audit.stats().queued), (0, 1), "{:?}", audit.stats());
    table.sql.batch_execute(&format!("DROP TRIGGER {0}_t ON \"{0}\"", table.name)).await.unwrap();
    audit.flush().await.unwrap();
    assert_eq!(table.count().await, 1);
    audit.close().await.unwrap();
    table.sql.batch_execute(&format!("DROP SEQUENCE {}_refusals", table.name)).await.unwrap();
    end(table).await;
}

/// What goes by COPY is stored at the first try, and said to be.
#[tokio::test]
async fn a_copy_is_answered_once_it_is_committed() {
    let table = Table::new("copied").await;
    let audit = table.audit();
    let emits: Vec<_> = (0..200).map(|_| audit.emit("copied")).collect();
    for receipt in futures_util::future::join_all(emits).await {
        assert!(!receipt.unwrap().duplicate);
    }
    let stats = audit.stats();
    assert_eq!((table.count().await, stats.stored, stats.retried, stats.last_error), (200, 200, 0, None));
    audit.close().await.unwrap();
    table.drop().await;
}

/// The driver ends a COPY that was refused before it began by one message too many, whose answer the next call on that
/// connection would take for its own.
#[tokio::test]
async fn a_refused_copy_leaves_no_connection_out_of_step() {
    let table = Table::missing("in_step").await;
    let audit = Tracevault::new(table.config().pool_size(1)).unwrap();
    for _ in 0..3 {
        let emits: Vec<_> = (0..100).map(|_| audit.emit("sync")).collect();
        for answer in futures_util::future::join_all(emits).await {
            let error = answer.unwrap_err();
            assert_eq!((error.sqlstate(), error.outcome()), (Some("42P01"), Outcome::Rejected), "{error}");
        }
        assert!(audit.healthcheck().await);
    }
    for _ in 0..100 {
        audit.try_emit("async").unwrap();
    }
    while audit.stats().held == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    table.sql.batch_execute(&tracevault::generate_init_sql(&table.name).unwrap()).await.unwrap();
    audit.flush().await.unwrap();
    let stats = audit.stats();
    assert_eq!((table.count().await, stats.stored, stats.failures.environment), (100, 100, 300), "{stats:?}");
    audit.close().await.unwrap();
    table.drop().await;
}

/// Each new record ends the pause of those that were set aside; they are given up nevertheless.
#[tokio::test]
async fn a_trickle_of_records_keeps_no_suspect_for_ever() {
    let table = Table::new("trickle").await;
    let on = format!("BEFORE INSERT ON \"{}\"", table.name);
    trigger(&table, "TRIGGER", &on, "RAISE EXCEPTION 'no';").await;
    let (config, told) = counting(table.config());
    let retry_for = Duration::from_millis(300);
    let audit = Tracevault::new(config.retry_for(retry_for)).unwrap();
    let begin = Instant::now();
    let mut most = Duration::ZERO;
    // It does not end before they are.
    while told.load(Ordering::SeqCst) <= 100 {
        assert!(begin.elapsed() < LOADED * 3, "{:?}", audit.stats());
        audit.try_emit("refused").unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
        most = most.max(audit.stats().oldest.unwrap_or_default());
    }
    assert!(most < retry_for + LOADED / 3, "{most:?}, {:?}", audit.stats());
    audit.close().await.unwrap();
    end(table).await;
}

/// It is told at once, with what to do.
#[tokio::test]
async fn a_view_that_takes_no_rows_is_not_waited_for() {
    let table = Table::new("no_rows").await;
    let name = &table.name;
    table.sql.batch_execute(&format!("CREATE VIEW {name}_v AS SELECT DISTINCT * FROM \"{name}\"")).await.unwrap();
    let config = Config::new(crate::kit::url()).table_name(format!("{name}_v")).emit_timeout(LOADED * 4);
    let audit = Tracevault::new(config).unwrap();
    let error = timeout(LOADED, audit.emit("x")).await.expect("told at once").unwrap_err();
    assert_eq!((error.sqlstate(), error.class()), (Some("55000"), Some(ErrorClass::Environment)));
    audit.close().await.unwrap();
    table.sql.batch_execute(&format!("DROP VIEW {name}_v")).await.unwrap();
    table.drop().await;
}
