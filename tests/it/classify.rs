//! Every class of failure, provoked on a real server: what the error says of itself, and what the engine does about it.

mod disk;
mod lost;
mod statements;

use std::time::{Duration, Instant};

use serde_json::json;
use tracevault::{Error, ErrorClass, Event, Mode, Outcome, RetryFor, Tracevault, generate_init_sql};

use crate::endurance::{Told, environment::App, until};

/// How long a sync emit is tried where it is not told at once.
const SHORT: Duration = Duration::from_millis(800);
/// And where it is told at once, so that it would have to wait for this.
const LONG: Duration = Duration::from_secs(60);

/// What the engine does about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Tries a sync record until its deadline, and an async one until it is stored.
    Again,
    /// Tells a sync emit at once, and keeps an async record until it is stored.
    Hold,
    /// Tells a sync emit at once, and reports an async record.
    Refuse,
}

struct Case {
    sqlstate: &'static str,
    /// Statements with `;;` between them.
    wrong: String,
    right: &'static str,
    class: ErrorClass,
    does: Does,
    of_the_row: bool,
}

fn again(sqlstate: &'static str, class: ErrorClass, wrong: impl Into<String>, right: &'static str) -> Case {
    Case { sqlstate, wrong: wrong.into(), right, class, does: Does::Again, of_the_row: false }
}

fn hold(sqlstate: &'static str, wrong: &str, right: &'static str) -> Case {
    Case { does: Does::Hold, ..again(sqlstate, ErrorClass::Environment, wrong, right) }
}

/// Refuses the event `bad` and takes others.
fn refuse(sqlstate: &'static str, class: ErrorClass, wrong: &str) -> Case {
    Case { does: Does::Refuse, of_the_row: true, ..again(sqlstate, class, wrong, "") }
}

/// Whatever code a trigger raises, it may be said of the row: but here every row is refused.
fn raised(sqlstate: &'static str, class: ErrorClass) -> Case {
    let trigger = format!(
        "CREATE OR REPLACE FUNCTION raises() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = '{sqlstate}'; END $$;;
         CREATE TRIGGER raises BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION raises()"
    );
    Case { of_the_row: true, ..again(sqlstate, class, trigger, "DROP TRIGGER raises ON audit") }
}

/// A role's settings hold from its next connection on.
const RESET: &str = "ALTER ROLE app RESET ALL;; \
                     SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'";

async fn run(app: &App, script: &str) {
    for statement in script.split(";;") {
        app.server.run(statement).await;
    }
}

fn check(case: &Case, error: &Error) {
    let Case { sqlstate, class, does, of_the_row, .. } = case;
    assert_eq!(error.sqlstate(), Some(*sqlstate), "{error}");
    assert_eq!(error.class(), Some(*class), "{sqlstate}");
    let retryable = !matches!(class, ErrorClass::Environment | ErrorClass::Record);
    assert_eq!((error.is_retryable(), error.is_record_refused()), (retryable, *of_the_row), "{sqlstate}");
    // The deadline may come in the middle of one attempt more. What `on_error` is told comes after an attempt.
    let in_the_middle = *does == Does::Again && error.outcome() == Outcome::Unknown;
    assert!(error.outcome() == undone(sqlstate) || in_the_middle, "{sqlstate}: {:?}", error.outcome());
    assert!(!error.is_closed() && error.record_id().is_some(), "{sqlstate}");
}

/// PostgreSQL undoes what it answers with an ERROR. Of class 08 it may be a pooler that speaks.
fn undone(sqlstate: &str) -> Outcome {
    if sqlstate.starts_with("08") { Outcome::Unknown } else { Outcome::Rejected }
}

async fn try_out(app: &App, case: &Case) {
    let Case { sqlstate, does, .. } = case;
    run(app, &case.wrong).await;
    let event = |mode| Event::new("bad").mode(mode).data(json!({ "size": "bad" }));

    let mut patience = if *does == Does::Again { SHORT } else { LONG };
    let (audit, error, waited) = loop {
        let config = app.config("right").emit_timeout(patience).retry_for(RetryFor::Forever);
        let audit = Tracevault::new(config).unwrap();
        let begun = Instant::now();
        let error = audit.emit(event(Mode::Sync)).await.unwrap_err();
        // On a loaded machine, the time may be over before an attempt has failed.
        if error.sqlstate().is_some() || patience >= LONG {
            break (audit, error, begun.elapsed());
        }
        patience *= 2;
    };
    check(case, &error);
    let in_time = if *does == Does::Again { waited >= patience } else { waited < LONG / 4 };
    assert!(in_time, "{sqlstate}: told after {waited:?}");

    let id = audit.emit(event(Mode::Async)).await.unwrap().id;
    let told = Told { sqlstate: Some((*sqlstate).to_owned()), class: Some(case.class), outcome: undone(sqlstate) };
    if *does == Does::Refuse {
        until(&audit, sqlstate, |stats| stats.queued == 0).await;
        assert_eq!(app.ear.take().into_iter().collect::<Vec<_>>(), [(id, told)]);
        assert_eq!(audit.stats().failures.refused, 2, "{sqlstate}");
    } else {
        // One whose time is over meanwhile.
        let short = Tracevault::new(app.config("right").retry_for(SHORT)).unwrap();
        let id = short.try_emit(event(Mode::Async)).unwrap().id;
        until(&short, sqlstate, |stats| stats.queued == 0).await;
        assert_eq!(app.ear.take().into_iter().collect::<Vec<_>>(), [(id, told)]);
        until(&audit, sqlstate, |stats| stats.held == 1).await;
        run(app, case.right).await;
        until(&audit, sqlstate, |stats| stats.stored == 1).await;
        assert_eq!(app.ear.count(), 0, "{sqlstate}: nothing is reported");
    }
    assert_eq!(audit.stats().last_error, Some(case.class), "{sqlstate}");
    audit.close().await.unwrap();
    let again = format!(
        "DROP TABLE audit CASCADE; {}; GRANT INSERT, SELECT ON audit TO app",
        generate_init_sql("audit").unwrap()
    );
    app.server.run(&again).await;
}

async fn all(cases: impl IntoIterator<Item = Case>) {
    let app = App::new().await;
    for case in cases {
        try_out(&app, &case).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_by_itself_is_tried_again() {
    let transient = ErrorClass::Transient;
    all([
        again("25006", transient, "ALTER ROLE app SET default_transaction_read_only = on", RESET),
        again("57014", transient, "ALTER ROLE app SET statement_timeout = 100;; BEGIN; LOCK TABLE audit", "COMMIT"),
        raised("08006", transient),
        raised("XX000", transient),
        raised("57P01", transient),
        raised("26000", ErrorClass::Statement),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_busy_is_tried_again() {
    let contention = ErrorClass::Contention;
    all([
        again("55P03", contention, "ALTER ROLE app SET lock_timeout = 50;; BEGIN; LOCK TABLE audit", "COMMIT"),
        again("53300", contention, "ALTER ROLE app CONNECTION LIMIT 0", "ALTER ROLE app CONNECTION LIMIT -1"),
        raised("40001", contention),
        raised("40P01", contention),
        raised("53100", contention),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_has_to_mend_is_told_and_held() {
    all([
        hold("42P01", "ALTER TABLE audit RENAME TO hidden", "ALTER TABLE hidden RENAME TO audit"),
        hold(
            "42703",
            "ALTER TABLE audit RENAME environment TO hidden",
            "ALTER TABLE audit RENAME hidden TO environment",
        ),
        hold("42501", "REVOKE INSERT ON audit FROM app", "GRANT INSERT ON audit TO app"),
        hold("28P01", "ALTER ROLE app PASSWORD 'another'", "ALTER ROLE app PASSWORD 'right'"),
        hold("28000", "ALTER ROLE app NOLOGIN", "ALTER ROLE app LOGIN"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_row_is_to_blame_for_is_refused() {
    let record = ErrorClass::Record;
    all([
        refuse(
            "22001",
            record,
            "ALTER TABLE audit ADD COLUMN short varchar(2) GENERATED ALWAYS AS (data ->> 'size') STORED",
        ),
        refuse("22P02", record, "ALTER TABLE audit ADD CHECK ((data ->> 'size')::int > 0)"),
        refuse("23514", record, "ALTER TABLE audit ADD CHECK (event <> 'bad')"),
        refuse(
            "23502",
            record,
            "ALTER TABLE audit ADD COLUMN must text NOT NULL GENERATED ALWAYS AS (nullif(event, 'bad')) STORED",
        ),
        refuse(
            "23505",
            record,
            "CREATE UNIQUE INDEX ON audit (event);; \
             INSERT INTO audit (id, event, mode, occurred_at) VALUES (gen_random_uuid(), 'bad', 'sync', now())",
        ),
        refuse(
            "54000",
            record,
            "CREATE OR REPLACE FUNCTION large(event text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ \
             SELECT string_agg(md5(n::text), '') FROM generate_series(1, CASE event WHEN 'bad' THEN 999 END) n $$;; \
             CREATE INDEX ON audit (large(event))",
        ),
        refuse(
            "P0001",
            record,
            "CREATE OR REPLACE FUNCTION raises() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN IF NEW.event = 'bad' THEN RAISE EXCEPTION 'raised'; END IF; RETURN NEW; END $$;; \
             CREATE TRIGGER raises BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION raises()",
        ),
        // A person has to make the partition, and other rows do without.
        refuse(
            "23514",
            ErrorClass::Environment,
            "CREATE TABLE parted (LIKE audit INCLUDING DEFAULTS) PARTITION BY LIST (event);; \
             CREATE TABLE part PARTITION OF parted FOR VALUES IN ('tracevault.trial');; \
             DROP TABLE audit;; ALTER TABLE parted RENAME TO audit;; GRANT INSERT, SELECT ON audit TO app",
        ),
    ])
    .await;
}

/// Both come while the root is wired, from a server that is as it must be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_at_all() {
    let app = App::new().await;
    let nowhere = app.config("right").schema("nowhere").ensure_schema(true);
    let error = Tracevault::connect(nowhere).await.unwrap_err();
    assert_eq!((error.sqlstate(), error.class()), (Some("3F000"), Some(ErrorClass::Environment)), "{error}");
    let url = format!("{} user=app password=right dbname=nowhere", app.server.cluster.connection_string());
    let audit = Tracevault::new(app.ear.hears(tracevault::Config::new(url).emit_timeout(LONG))).unwrap();
    let begun = Instant::now();
    let error = audit.emit("e").await.unwrap_err();
    assert!(begun.elapsed() < LONG / 4);
    assert_eq!((error.sqlstate(), error.class()), (Some("3D000"), Some(ErrorClass::Environment)), "{error}");
    assert_eq!((error.outcome(), error.is_retryable()), (Outcome::Rejected, false));
    audit.try_emit("e").unwrap();
    until(&audit, "held", |stats| stats.held == 1).await;
    assert_eq!(audit.close().await.unwrap().failed, 1);
}
