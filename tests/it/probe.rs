//! Whether a transaction of the caller's was committed, whatever its `commit` answered.

mod proxy;
mod servers;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tokio_postgres::{Client, NoTls, Transaction};
use tracevault::{
    CommitProbe, Config, Error, Event, Outcome, ScopeOverrides, Tracevault,
    deadpool_postgres::{Manager, Pool},
    testing,
};

use self::proxy::{Cut, through};
use crate::kit::{self, CANARY, Table, leaks};

/// An event in the transaction, and the probe of it.
async fn emitted(audit: &Tracevault, transaction: &Transaction<'_>) -> CommitProbe {
    audit.emit_in(transaction, Event::new("probed")).await.unwrap();
    audit.commit_probe(transaction).await.unwrap()
}

fn shown(error: &Error) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    let text = format!("{error} / {source:?} / {error:?}");
    assert!(!leaks(text.as_bytes()), "{text}");
    text
}

fn assert_rejected(answer: Result<(), Error>, sqlstate: Option<&str>) -> Error {
    let error = answer.unwrap_err();
    assert_eq!((error.outcome(), error.sqlstate()), (Outcome::Rejected, sqlstate), "{}", shown(&error));
    error
}

fn assert_unknown(answer: Result<(), Error>, why: &str) -> Error {
    let error = answer.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{}", shown(&error));
    assert!(shown(&error).contains(why), "{}", shown(&error));
    error
}

fn sent<T: Send>(future: T) -> T {
    future
}

#[tokio::test]
async fn what_is_committed_is_told_so() {
    let table = Table::new("probe").await;
    let audit = table.audit();
    let mut client = kit::client().await;
    let transaction = client.transaction().await.unwrap();
    let probe = emitted(&audit, &transaction).await;
    assert!(format!("{probe:?}").starts_with("CommitProbe { transaction: \""), "{probe:?}");
    probe.resolve(transaction.commit().await).await.unwrap();
    assert_eq!(table.count().await, 1);

    // deadpool's, by a scope, which may be gone when it is resolved.
    let pool = Pool::builder(Manager::new(kit::url().parse().unwrap(), NoTls)).max_size(1).build().unwrap();
    let mut pooled = pool.get().await.unwrap();
    let transaction = pooled.transaction().await.unwrap();
    let scope = audit.scope(ScopeOverrides::new()).unwrap();
    scope.emit_in(&transaction, "probed").await.unwrap();
    let probe = scope.commit_probe(&transaction).await.unwrap();
    scope.close().await.unwrap();
    probe.resolve(transaction.commit().await).await.unwrap();
    assert_eq!(table.count().await, 2);

    // Nothing written, and committed all the same; both may be moved to other threads.
    let transaction = pooled.transaction().await.unwrap();
    let probe = sent(audit.commit_probe(&transaction)).await.unwrap();
    tokio::spawn(probe.resolve(transaction.commit().await)).await.unwrap().unwrap();
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn a_rollback_that_commit_hides_is_told() {
    let table = Table::new("probe").await;
    let audit = table.audit();
    let mut client = kit::client().await;
    let transaction = client.transaction().await.unwrap();
    let probe = emitted(&audit, &transaction).await;
    transaction.execute("SELECT 1 / 0", &[]).await.unwrap_err();
    let commit = transaction.commit().await;
    assert!(commit.is_ok(), "or else there would be no need of a probe");
    let error = assert_rejected(probe.resolve(commit).await, None);
    assert!(!error.is_retryable() && error.to_string().starts_with("committing the transaction failed; it was rolled"));
    assert_eq!(table.count().await, 0);

    // In a transaction that has failed already there is no asking.
    let transaction = client.transaction().await.unwrap();
    transaction.execute("SELECT 1 / 0", &[]).await.unwrap_err();
    let error = audit.commit_probe(&transaction).await.unwrap_err();
    assert_eq!((error.outcome(), error.sqlstate()), (Outcome::Rejected, Some("25P02")), "{error}");
    transaction.rollback().await.unwrap();

    let transaction = client.transaction().await.unwrap();
    let probe = emitted(&audit, &transaction).await;
    assert_rejected(probe.resolve(transaction.rollback().await).await, None);
    let transaction = client.transaction().await.unwrap();
    let probe = emitted(&audit, &transaction).await;
    drop(transaction);
    assert_rejected(probe.resolve(Ok(())).await, None);
    assert_eq!(table.count().await, 0);
    audit.close().await.unwrap();
    table.drop().await;
}

/// A serializable transaction that has read the whole table.
async fn skewed<'c>(client: &'c mut Client, table: &Table) -> Transaction<'c> {
    let level = tokio_postgres::IsolationLevel::Serializable;
    let transaction = client.build_transaction().isolation_level(level).start().await.unwrap();
    transaction.query(&format!("SELECT count(*) FROM \"{}\"", table.name), &[]).await.unwrap();
    transaction
}

#[tokio::test]
async fn an_error_of_commit_keeps_its_sqlstate() {
    let table = Table::new("probe").await;
    let audit = table.audit();
    let (mut one, mut other) = (kit::client().await, kit::client().await);
    let deferred = format!(
        "ALTER TABLE \"{}\" ADD CONSTRAINT late UNIQUE (correlation_id) DEFERRABLE INITIALLY DEFERRED",
        table.name
    );
    table.sql.batch_execute(&deferred).await.unwrap();
    let transaction = one.transaction().await.unwrap();
    for _ in 0..2 {
        audit.emit_in(&transaction, Event::new("probed").correlation_id(CANARY)).await.unwrap();
    }
    let probe = audit.commit_probe(&transaction).await.unwrap();
    let error = assert_rejected(probe.resolve(transaction.commit().await).await, Some("23505"));
    assert!(error.is_record_refused() && !error.is_retryable());
    shown(&error);

    // Each reads what the other is about to change.
    let first = skewed(&mut one, &table).await;
    let second = skewed(&mut other, &table).await;
    audit.emit_in(&first, "first").await.unwrap();
    let probe = emitted(&audit, &second).await;
    first.commit().await.unwrap();
    let error = assert_rejected(probe.resolve(second.commit().await).await, Some("40001"));
    assert!(error.is_retryable());
    assert_eq!(table.count().await, 1);
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn a_lost_answer_is_looked_up() {
    let table = Table::new("probe").await;
    let audit = table.audit();
    let mut client = kit::connect(&through(Cut::Before).await).await;
    let transaction = client.transaction().await.unwrap();
    let probe = emitted(&audit, &transaction).await;
    let commit = transaction.commit().await;
    assert!(commit.is_err());
    let error = assert_rejected(probe.resolve(commit).await, None);
    assert!(error.is_retryable() && std::error::Error::source(&error).is_some(), "the error of commit itself");
    assert!(error.to_string().contains("PostgreSQL has rolled it back"), "{error}");
    assert_eq!(table.count().await, 0);

    let mut client = kit::connect(&through(Cut::After).await).await;
    let transaction = client.transaction().await.unwrap();
    let probe = emitted(&audit, &transaction).await;
    let commit = transaction.commit().await;
    assert!(commit.is_err());
    probe.resolve(commit).await.unwrap();
    assert_eq!(table.count().await, 1);
    audit.close().await.unwrap();
    table.drop().await;
}

/// Until a connection of that name has asked for a transaction's status.
async fn until_asked(application: &str) {
    let watcher = kit::client().await;
    let sql = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND query LIKE '%pg_xact_status%'";
    let deadline = Instant::now() + Duration::from_secs(60);
    while watcher.query(sql, &[&application]).await.unwrap().is_empty() {
        assert!(Instant::now() < deadline, "nobody asks");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_transaction_that_is_still_open_is_waited_for() {
    let table = Table::new("probe").await;
    for committed in [false, true] {
        let name = kit::unique("app");
        let url = format!("{} application_name={name}", kit::url());
        let audit = Tracevault::new(Config::new(url).table_name(&table.name)).unwrap();
        let noticed = Arc::new(Notify::new());
        let mut client = if committed {
            kit::client().await
        } else {
            kit::connect(&through(Cut::BeforeUnnoticed(Arc::clone(&noticed))).await).await
        };
        let transaction = client.transaction().await.unwrap();
        let probe = emitted(&audit, &transaction).await;
        if committed {
            let (answer, commit) = tokio::join!(probe.resolve(Ok(())), async {
                until_asked(&name).await;
                transaction.commit().await
            });
            commit.unwrap();
            answer.unwrap();
        } else {
            let commit = transaction.commit().await;
            let (answer, ()) = tokio::join!(probe.resolve(commit), async {
                until_asked(&name).await;
                noticed.notify_one();
            });
            assert_rejected(answer, None);
        }
        assert_eq!(table.count().await, i64::from(committed));
        audit.close().await.unwrap();
    }
    table.drop().await;
}

#[tokio::test]
async fn a_savepoint_has_the_fate_of_its_transaction() {
    let table = Table::new("probe").await;
    let audit = table.audit();
    let mut client = kit::client().await;
    for committed in [true, false] {
        let mut transaction = client.transaction().await.unwrap();
        let savepoint = transaction.transaction().await.unwrap();
        let probe = emitted(&audit, &savepoint).await;
        if committed {
            // What was rolled back to the savepoint is not what is asked for.
            savepoint.execute("SELECT 1 / 0", &[]).await.unwrap_err();
            savepoint.rollback().await.unwrap();
            probe.resolve(transaction.commit().await).await.unwrap();
        } else {
            savepoint.commit().await.unwrap();
            assert_rejected(probe.resolve(transaction.rollback().await).await, None);
        }
    }
    assert_eq!(table.count().await, 0);
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn a_plain_user_may_probe() {
    let table = Table::new("probe").await;
    let role = kit::unique("role");
    table.sql.batch_execute(&kit::create_role(&role)).await.unwrap();
    table.sql.batch_execute(&format!("GRANT INSERT ON \"{}\" TO {role}", table.name)).await.unwrap();
    let url = kit::url_as(&role);
    let audit = Tracevault::new(Config::new(&url).table_name(&table.name)).unwrap();
    let mut client = kit::connect(&url).await;
    let transaction = client.transaction().await.unwrap();
    let probe = emitted(&audit, &transaction).await;
    probe.resolve(transaction.commit().await).await.unwrap();
    audit.close().await.unwrap();
    table.sql.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn a_root_that_is_closed_or_has_no_server_says_so() {
    let table = Table::new("probe").await;
    let audit = table.audit();
    let mut client = kit::client().await;
    let transaction = client.transaction().await.unwrap();
    let probe = emitted(&audit, &transaction).await;
    audit.close().await.unwrap();
    let error = assert_unknown(probe.resolve(transaction.commit().await).await, "the root is closed; whether");
    assert!(error.is_closed());
    let transaction = client.transaction().await.unwrap();
    let error = audit.commit_probe(&transaction).await.unwrap_err();
    assert!(error.is_closed() && error.outcome() == Outcome::Rejected);

    let (recorded, _) = testing::recorder(Config::default()).unwrap();
    let error = recorded.commit_probe(&transaction).await.unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error}");
    transaction.query_one("SELECT 1", &[]).await.expect("the transaction was left alone");
    table.drop().await;
}
