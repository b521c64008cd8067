//! What a hostile reader asked of the write engine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{Manager, Pool};
use serde_json::json;
use tokio::time::timeout;
use tokio_postgres::NoTls;
use tracevault::{Config, Event, Mode, Outcome, Tracevault, testing};
use uuid::Uuid;

use crate::kit::Table;

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

/// A trigger that is deferred refuses every record at its commit only: nobody is to blame.
#[tokio::test]
async fn a_table_that_refuses_everything_at_the_commit_blames_nobody() {
    let table = Table::new("deferred_all").await;
    let on = format!("AFTER INSERT ON \"{}\" DEFERRABLE INITIALLY DEFERRED", table.name);
    trigger(&table, "CONSTRAINT TRIGGER", &on, "RAISE EXCEPTION 'no';").await;
    let (config, told) = counting(table.config());
    let audit = Tracevault::new(config).unwrap();
    audit.try_emit("held").unwrap();
    // Long enough for several trials.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!((told.load(Ordering::SeqCst), audit.stats().held), (0, 1), "{:?}", audit.stats());
    table.sql.batch_execute(&format!("DROP TRIGGER {0}_t ON \"{0}\"", table.name)).await.unwrap();
    audit.flush().await.unwrap();
    assert_eq!(table.count().await, 1);
    audit.close().await.unwrap();
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
