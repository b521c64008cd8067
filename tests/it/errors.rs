//! Every way to fail, on a real server: what is said, what may be done, and that no secret is in it.

mod handshake;
mod secrets;
mod server;
mod stalled;

use std::{
    error::Error as StdError,
    time::{Duration, Instant},
};

use serde_json::json;
use tracevault::{Error, Event, Mode, Outcome, Tracevault, query::CountFilters};
use uuid::Uuid;

use crate::kit::{self, CANARY, Table};

/// What an error must say of itself.
struct Expected {
    sqlstate: Option<&'static str>,
    outcome: Outcome,
    retryable: bool,
    /// Some of its words.
    says: Vec<String>,
    /// Some of its cause's.
    because: &'static str,
}

const REJECTED: Expected =
    Expected { sqlstate: None, outcome: Outcome::Rejected, retryable: false, says: Vec::new(), because: "" };

fn check(error: &Error, expected: &Expected) {
    let said = everything(error);
    assert!(matches!(error, Error::Driver(_)), "{said}");
    assert_eq!(error.sqlstate(), expected.sqlstate, "{said}");
    assert_eq!(error.outcome(), expected.outcome, "{said}");
    assert_eq!(error.is_retryable(), expected.retryable, "{said}");
    assert!(!error.is_closed(), "{said}");
    let display = error.to_string();
    for words in &expected.says {
        assert!(display.contains(words), "{words:?} is not in: {display}");
    }
    if let Some(state) = expected.sqlstate {
        assert!(display.contains(state), "{display}");
    }
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    assert!(cause.contains(expected.because), "{:?} is not in: {cause}", expected.because);
    assert!(cause.is_empty() || !display.contains(&cause), "the cause stands once: {display}: {cause}");
}

/// All that can be read off an error by anybody who prints it, and that has no secret in it.
fn everything(error: &Error) -> String {
    let mut chain = vec![error as &dyn StdError];
    while let Some(cause) = chain[chain.len() - 1].source() {
        chain.push(cause);
    }
    let all: Vec<_> = chain.iter().map(|error| format!("{error}\n{error:?}\n{error:#?}\n")).collect();
    let all = all.concat();
    assert!(!kit::leaks(all.as_bytes()), "{}", all.replace(CANARY, "<THE SECRET>"));
    all
}

/// With a secret that must not be masked away, but withheld.
fn event() -> Event<'static> {
    Event::new("e").actor(CANARY, "user").data(json!({ "secret": CANARY })).correlation_id(CANARY)
}

#[tokio::test]
async fn a_missing_table() {
    let table = Table::missing("error").await;
    let audit = table.audit();
    let expected = |doing: &str| Expected {
        sqlstate: Some("42P01"),
        says: vec![
            format!("{doing} \"{}\" failed", table.name),
            format!("create it: tracevault init-sql {} | psql \"$DATABASE_URL\"", table.name),
        ],
        because: "does not exist",
        ..REJECTED
    };
    let id = Uuid::new_v4();
    let stored = audit.emit(event().id(id)).await.unwrap_err();
    check(&stored, &expected("storing in"));
    assert!(!stored.is_record_refused());
    let Error::Driver(driver) = &stored else { panic!() };
    assert_eq!((driver.record_id(), driver.outcome()), (Some(id), Outcome::Rejected));
    let read = audit.query().count(CountFilters::new().event(CANARY)).await.unwrap_err();
    check(&read, &expected("reading"));
    assert_eq!(read.record_id(), None);
}

#[tokio::test]
async fn a_missing_schema() {
    let table = Table::missing("error").await;
    let config = table.config().schema("nowhere_at_all").ensure_schema(true);
    let error = Tracevault::connect(config).await.unwrap_err();
    check(&error, &Expected { sqlstate: Some("3F000"), says: vec!["CREATE SCHEMA".to_owned()], ..REJECTED });
}

#[tokio::test]
async fn a_table_of_another_shape() {
    let table = Table::new("error").await;
    table.sql.batch_execute(&format!("ALTER TABLE \"{}\" DROP COLUMN environment", table.name)).await.unwrap();
    let says = vec!["not of this version's shape".to_owned(), table.name.clone()];
    let expected = Expected { sqlstate: Some("42703"), says, ..REJECTED };
    check(&table.audit().emit(event()).await.unwrap_err(), &expected);
    let found = table.audit().query().find_by_id(Uuid::nil()).await;
    check(&found.unwrap_err(), &expected);
    table.drop().await;
}

#[tokio::test]
async fn a_port_where_nobody_listens() {
    // Kept, so that nobody else comes to listen there.
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = held.local_addr().unwrap().port();
    let url = format!("postgres://app:{CANARY}@127.0.0.1:{port}/app");
    let expected = || Expected {
        retryable: true,
        says: vec!["connecting to PostgreSQL failed".to_owned(), "check that PostgreSQL runs".to_owned()],
        because: "error connecting to server",
        ..REJECTED
    };
    check(&Tracevault::connect(tracevault::Config::new(&url)).await.unwrap_err(), &expected());
    let audit = Tracevault::new(hasty(tracevault::Config::new(&url))).unwrap();
    let error = told_between_attempts(&audit).await;
    check(&error, &expected());
    assert!(error.record_id().is_some(), "to emit it again with");
    check(&audit.query().count(CountFilters::new()).await.unwrap_err(), &expected());
    assert!(!audit.healthcheck().await);
}

#[tokio::test]
async fn a_lock_held_too_long() {
    let table = Table::new("error").await;
    let pool = crate::query::pool(1);
    let config = tracevault::Config::default().table_name(&table.name).statement_timeout(Duration::from_millis(300));
    let config = config.acquire_timeout(Duration::from_secs(60));
    let audit = Tracevault::with_pools(pool.clone(), None, hasty(config)).unwrap();
    assert!(audit.healthcheck().await);
    assert_eq!(pool.status().size, 1);
    table.sql.batch_execute(&format!("BEGIN; LOCK TABLE \"{}\"", table.name)).await.unwrap();

    let id = Uuid::new_v4();
    let begun = Instant::now();
    let error = audit.emit(event().id(id)).await.unwrap_err();
    assert!(begun.elapsed() < HASTY + LOADED, "{:?}", begun.elapsed());
    let says = vec!["no answer within `statement_timeout`".to_owned(), "look for locks".to_owned()];
    check(&error, &Expected { outcome: Outcome::Unknown, retryable: true, says, ..REJECTED });
    assert_eq!(error.record_id(), Some(id));
    until_finished(&audit).await;
    assert_eq!(pool.status().size, 0, "the connection that is still waiting is no longer the pool's");

    let begun = Instant::now();
    assert!(audit.healthcheck().await);
    assert!(begun.elapsed() < LOADED, "the next call waits for nobody, as it would for `acquire_timeout`");

    let read = audit.query().count(CountFilters::new()).await.unwrap_err();
    check(&read, &Expected { retryable: true, says: vec!["statement_timeout".to_owned()], ..REJECTED });
    assert_eq!(pool.status().size, 0);

    table.sql.batch_execute("ROLLBACK").await.unwrap();
    audit.emit(event().id(id)).await.unwrap();
    assert_eq!(table.count().await, 1, "again with the same id, stored once");
    table.drop().await;
}

#[tokio::test]
async fn a_statement_that_the_server_cancels() {
    let table = Table::new("error").await;
    let role = kit::unique("hasty");
    let limited = format!(
        "ALTER ROLE {role} SET statement_timeout = {}; GRANT INSERT ON \"{}\" TO {role}",
        FIRST.as_millis(),
        table.name
    );
    table.sql.batch_execute(&format!("{} {limited}", kit::create_role(&role))).await.unwrap();
    let config = tracevault::Config::new(kit::url_as(&role)).table_name(&table.name);
    let audit = Tracevault::new(hasty(config).emit_timeout(SECOND)).unwrap();
    table.sql.batch_execute(&format!("BEGIN; LOCK TABLE \"{}\"", table.name)).await.unwrap();
    let error = audit.emit(event()).await.unwrap_err();
    let says = vec!["see its statement_timeout".to_owned()];
    // Another attempt was on its way when the time was over.
    let expected = Expected { outcome: Outcome::Unknown, sqlstate: Some("57014"), retryable: true, says, ..REJECTED };
    check(&error, &Expected { because: "canceling", ..expected });
    table.sql.batch_execute(&format!("ROLLBACK; DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn a_connection_that_the_server_ends() {
    let table = Table::new("error").await;
    let audit = Tracevault::new(table.config().emit_timeout(Duration::from_secs(5))).unwrap();
    table.sql.batch_execute(&format!("BEGIN; LOCK TABLE \"{}\"", table.name)).await.unwrap();
    let waiting = tokio::spawn(audit.emit(event()));
    until_somebody_waits(&table).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass";
    table.sql.execute(end, &[&format!("\"{}\"", table.name)]).await.unwrap();
    let error = waiting.await.unwrap().unwrap_err();
    let expected = Expected { sqlstate: Some("57P01"), outcome: Outcome::Unknown, retryable: true, ..REJECTED };
    check(&error, &Expected { because: "FATAL", ..expected });
    table.sql.batch_execute("ROLLBACK").await.unwrap();
    table.drop().await;
}

/// A pooler says so of a connection behind it, without ending its own.
#[tokio::test]
async fn an_answer_that_leaves_the_end_open() {
    for sqlstate in ["08006", "40003"] {
        let ddl = format!(
            "CREATE FUNCTION \"f_TABLE_NAME\"() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'who knows' USING ERRCODE = '{sqlstate}'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON \"TABLE_NAME\"
             FOR EACH ROW EXECUTE FUNCTION \"f_TABLE_NAME\"()"
        );
        let (table, error) = refused_by(&ddl, Outcome::Unknown).await;
        assert_eq!((error.sqlstate(), error.outcome()), (Some(sqlstate), Outcome::Unknown));
        table.sql.batch_execute(&format!("DROP FUNCTION \"f_{}\" CASCADE", table.name)).await.unwrap();
        table.drop().await;
    }
}

#[tokio::test]
async fn no_connection_becomes_free() {
    let expected = || Expected {
        retryable: true,
        says: vec!["no connection became free within `acquire_timeout`".to_owned(), "raise `pool_size`".to_owned()],
        ..REJECTED
    };
    let table = Table::new("error").await;
    let config = table.config().pool_size(1).acquire_timeout(FIRST).statement_timeout(Duration::from_secs(60));
    let audit = Tracevault::new(hasty(config).emit_timeout(SECOND)).unwrap();
    table.sql.batch_execute(&format!("BEGIN; LOCK TABLE \"{}\"", table.name)).await.unwrap();
    let reading = tokio::spawn({
        let query = audit.query();
        async move { query.count(CountFilters::new()).await }
    });
    until_somebody_waits(&table).await;
    let error = audit.emit(event()).await.unwrap_err();
    check(&error, &expected());
    assert!(error.record_id().is_some());
    table.sql.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), 0);

    // A pool of the caller's has no time-out of its own.
    let pool = crate::query::pool(1);
    let held = pool.get().await.unwrap();
    let half = FIRST / 2;
    let config = tracevault::Config::default().table_name(&table.name).acquire_timeout(half).connect_timeout(half);
    let audit = Tracevault::with_pools(pool, None, hasty(config).emit_timeout(SECOND)).unwrap();
    check(&audit.emit(event()).await.unwrap_err(), &expected());
    drop(held);
    audit.emit(event()).await.unwrap();
    table.drop().await;
}

/// Time for an attempt, however loaded the machine is.
const HASTY: Duration = Duration::from_secs(3);
/// What a loaded machine takes for a call that waits for nothing.
const LOADED: Duration = Duration::from_secs(15);
/// The first attempt fails after this time, and the second is on its way when the emit's is over: two seconds lie between
/// either and the next that could happen.
const FIRST: Duration = Duration::from_millis(2_500);
const SECOND: Duration = Duration::from_millis(4_500);

/// Whatever can be tried again is given up soon.
fn hasty(config: tracevault::Config) -> tracevault::Config {
    config.emit_timeout(HASTY).retry_for(Duration::ZERO)
}

/// The error of an emit whose time was over between two attempts, which are short. Now and then it is over in the middle
/// of one, of which nobody knows: then once more.
async fn told_between_attempts(audit: &Tracevault) -> Error {
    for _ in 0..10 {
        let error = audit.emit(event()).await.unwrap_err();
        if error.outcome() == Outcome::Rejected || !error.is_retryable() {
            return error;
        }
    }
    panic!("always in the middle of an attempt");
}

/// Until the last attempt has ended too.
async fn until_finished(audit: &Tracevault) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while audit.stats().queued > 0 {
        assert!(Instant::now() < deadline, "{:?}", audit.stats());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Until a statement on this table waits for its lock.
async fn until_somebody_waits(table: &Table) {
    let sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass";
    let deadline = Instant::now() + Duration::from_secs(60);
    while table.sql.query_one(sql, &[&format!("\"{}\"", table.name)]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(Instant::now() < deadline, "nobody waits");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Emits into a table on which some SQL was run before.
async fn refused_by(ddl: &str, outcome: Outcome) -> (Table, Error) {
    let table = Table::new("error").await;
    table.sql.batch_execute(&ddl.replace("TABLE_NAME", &table.name)).await.unwrap();
    let audit = Tracevault::new(hasty(table.config())).unwrap();
    let error = match outcome {
        Outcome::Rejected => told_between_attempts(&audit).await,
        _ => audit.emit(event()).await.unwrap_err(),
    };
    assert!(error.record_id().is_some());

    // The same, asynchronously, and in the caller's transaction.
    let (failed, failures) = std::sync::mpsc::channel();
    let config = table.config().on_error(move |error: &Error, _| failed.send(error.clone()).unwrap());
    let scope = Tracevault::new(hasty(config)).unwrap();
    scope.emit(event().mode(Mode::Async)).await.unwrap();
    assert_eq!(scope.flush().await.unwrap().failed, 1);
    let told = failures.recv().unwrap();
    everything(&told);
    assert_eq!(told.sqlstate(), error.sqlstate());
    let mut client = kit::client().await;
    let transaction = client.transaction().await.unwrap();
    let inside = scope.emit_in(&transaction, event()).await.unwrap_err();
    everything(&inside);
    assert_eq!(inside.sqlstate(), error.sqlstate());
    assert_eq!(inside.outcome(), Outcome::Rejected, "only the caller could commit it");
    (table, error)
}

#[tokio::test]
async fn a_column_that_must_not_be_null() {
    let (table, error) =
        refused_by("ALTER TABLE \"TABLE_NAME\" ALTER environment SET NOT NULL", Outcome::Rejected).await;
    let expected = Expected { sqlstate: Some("23502"), because: "column environment", ..REJECTED };
    check(&error, &expected);
    let Error::Driver(driver) = &error else { panic!() };
    assert_eq!(driver.server_error().unwrap().column(), Some("environment"));
    table.drop().await;
}

#[tokio::test]
async fn a_check_that_fails() {
    let ddl = "ALTER TABLE \"TABLE_NAME\" ADD CONSTRAINT no_secrets CHECK (data ->> 'secret' IS NULL)";
    let (table, error) = refused_by(ddl, Outcome::Rejected).await;
    check(&error, &Expected { sqlstate: Some("23514"), because: "constraint no_secrets", ..REJECTED });
    assert!(error.is_record_refused());
    table.drop().await;
}

#[tokio::test]
async fn a_value_that_must_be_unique() {
    let ddl = "CREATE UNIQUE INDEX \"u_TABLE_NAME\" ON \"TABLE_NAME\" (actor_id);
               INSERT INTO \"TABLE_NAME\" (id, event, mode, occurred_at, actor_id)
               VALUES (gen_random_uuid(), 'e', 'sync', now(), 'c4n4ry-' || '9b1d')";
    let (table, error) = refused_by(ddl, Outcome::Rejected).await;
    check(&error, &Expected { sqlstate: Some("23505"), because: "constraint u_", ..REJECTED });
    table.drop().await;
}

#[tokio::test]
async fn a_partition_that_is_missing() {
    let table = Table::missing("error").await;
    let ddl = tracevault::generate_init_sql(&table.name).unwrap();
    let (before, after) = ddl.split_once("\n);").unwrap();
    let ddl = format!("{before}\n) PARTITION BY RANGE (id);{after}");
    table.sql.batch_execute(&ddl).await.unwrap();
    let error = table.audit().emit(event()).await.unwrap_err();
    let says = vec!["the partition for this record is missing".to_owned()];
    check(&error, &Expected { sqlstate: Some("23514"), says, ..REJECTED });
    table.drop().await;
}

/// A trigger may say anything, under any SQLSTATE, and so may what fails inside of it.
#[tokio::test]
async fn a_trigger_that_tells_a_secret() {
    let secret = "NEW.data ->> 'secret'";
    for (body, sqlstate, retryable) in [
        (format!("RAISE EXCEPTION 'not %', {secret};"), "P0001", false),
        (format!("RAISE EXCEPTION 'not %', {secret} USING ERRCODE = 'TV001';"), "TV001", true),
        (format!("RAISE EXCEPTION 'not %', {secret} USING ERRCODE = '40001';"), "40001", true),
        (format!("RAISE EXCEPTION 'not %', {secret} USING ERRCODE = '42501';"), "42501", false),
        (format!("RAISE EXCEPTION 'not %', {secret} USING ERRCODE = '23514';"), "23514", false),
        (format!("RAISE EXCEPTION 'no' USING DETAIL = {secret}, HINT = {secret}, COLUMN = 'c';"), "P0001", false),
        (format!("EXECUTE 'SELECT ' || quote_ident({secret});"), "42703", false),
        (format!("PERFORM ({secret})::int;"), "22P02", false),
    ] {
        let ddl = format!(
            "CREATE FUNCTION \"f_TABLE_NAME\"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON \"TABLE_NAME\"
             FOR EACH ROW EXECUTE FUNCTION \"f_TABLE_NAME\"()"
        );
        let (table, error) = refused_by(&ddl, Outcome::Rejected).await;
        let of_error = (error.sqlstate(), error.is_retryable(), error.outcome());
        assert_eq!(of_error, (Some(sqlstate), retryable, Outcome::Rejected));
        assert!(error.is_record_refused(), "another row may be as the trigger wants it");
        assert!(everything(&error).contains("withheld"), "{body}: {error:?}");
        let Error::Driver(driver) = &error else { panic!() };
        // Who asks for it gets it.
        let message = driver.server_error().unwrap().message();
        assert!(!message.is_empty() && (message == "no" || kit::leaks(message.as_bytes())), "{body}");
        table.sql.batch_execute(&format!("DROP FUNCTION \"f_{}\" CASCADE", table.name)).await.unwrap();
        table.drop().await;
    }
}

#[tokio::test]
async fn a_transaction_that_was_aborted_before() {
    let table = Table::new("error").await;
    let audit = table.audit();
    let mut client = kit::client().await;
    let transaction = client.transaction().await.unwrap();
    transaction.batch_execute("SELECT 1/0").await.unwrap_err();
    let id = Uuid::new_v4();
    let error = audit.emit_in(&transaction, event().id(id)).await.unwrap_err();
    let says = vec!["an earlier statement of this transaction failed: roll it back".to_owned()];
    check(&error, &Expected { sqlstate: Some("25P02"), says, because: "current transaction is aborted", ..REJECTED });
    assert_eq!(error.record_id(), Some(id));
    transaction.rollback().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    audit.emit_in(&transaction, event().id(id)).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(table.count().await, 1);
    table.drop().await;
}
