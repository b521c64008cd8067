//! A database that is not as it must be, until a person has acted.

use std::{
    fs,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::json;
use tracevault::{Config, Error, ErrorClass, Event, Mode, Outcome, RetryFor, Tracevault};
use uuid::Uuid;

use super::{Ear, PATIENCE, Server, Told, until};
use crate::kit;

/// What nobody waits for who is told at once.
const EMIT: Duration = Duration::from_secs(60);
/// At once, on a loaded machine.
const AT_ONCE: Duration = Duration::from_secs(15);
/// The longest pause of the writer, 2 s, and what a loaded machine takes.
const GOES_ON: Duration = Duration::from_secs(2 + 15);

/// How to break it, and how to mend it.
struct Case {
    what: &'static str,
    sqlstate: &'static str,
    advice: &'static str,
    wrong: &'static str,
    right: &'static str,
}

const CASES: [Case; 4] = [
    Case {
        what: "the table is missing",
        sqlstate: "42P01",
        advice: "create it: tracevault init-sql",
        wrong: "ALTER TABLE audit RENAME TO hidden",
        right: "ALTER TABLE hidden RENAME TO audit",
    },
    Case {
        what: "the permission is revoked",
        sqlstate: "42501",
        advice: "GRANT INSERT",
        wrong: "REVOKE INSERT ON audit FROM app",
        right: "GRANT INSERT ON audit TO app",
    },
    Case {
        what: "the password is another",
        sqlstate: "28P01",
        advice: "check the user and the password",
        wrong: "ALTER ROLE app PASSWORD 'another'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'",
        right: "ALTER ROLE app PASSWORD 'right'",
    },
    Case {
        what: "the user may not log in",
        sqlstate: "28000",
        advice: "check the user and the password",
        wrong: "ALTER ROLE app NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'",
        right: "ALTER ROLE app LOGIN",
    },
];

/// A server whose user `app` writes to `audit` with the password `right`.
pub struct App {
    pub server: Server,
    pub ear: Ear,
}

impl App {
    pub async fn new() -> Self {
        kit::url();
        let server = Server::start(false).await;
        server.run("CREATE ROLE app LOGIN PASSWORD 'right'; GRANT INSERT, SELECT ON audit TO app").await;
        let hba = "local all postgres trust\nlocal all app scram-sha-256\n";
        fs::write(server.cluster.data().join("pg_hba.conf"), hba).unwrap();
        server.run("SELECT pg_reload_conf()").await;
        let app = Self { server, ear: Ear::default() };
        // Until then the password is not looked at.
        let begun = Instant::now();
        while Tracevault::new(app.config("wrong")).unwrap().healthcheck().await {
            assert!(begun.elapsed() < PATIENCE, "the server does not read pg_hba.conf again");
        }
        app
    }

    pub fn config(&self, password: &str) -> Config {
        let url = format!("{} user=app password={password}", self.server.cluster.connection_string());
        self.ear.hears(Config::new(url).table_name("audit"))
    }

    fn audit(&self, retry_for: impl Into<RetryFor>) -> Tracevault {
        Tracevault::new(self.config("right").retry_for(retry_for).emit_timeout(EMIT)).unwrap()
    }

    /// The numbers in the order in which the table got them.
    async fn order(&self) -> Vec<i64> {
        let rows = self.server.sql.query("SELECT (data ->> 'n')::int8 FROM audit ORDER BY ctid", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

fn numbered(n: usize) -> Event<'static> {
    Event::new("numbered").data(json!({ "n": n }))
}

fn told_at_once(case: &Case, begun: Instant, error: &Error, cut: bool) {
    let Case { what, sqlstate, advice, .. } = case;
    assert!(begun.elapsed() < AT_ONCE, "{what}: after {:?}", begun.elapsed());
    assert_eq!(error.sqlstate(), Some(*sqlstate), "{what}: {error}");
    assert_eq!(error.class(), Some(ErrorClass::Environment), "{what}");
    assert!(error.outcome() == Outcome::Rejected || cut, "{what}");
    assert!(!error.is_retryable() && !error.is_record_refused() && error.record_id().is_some(), "{what}");
    let Error::Driver(driver) = error else { panic!("{what}: {error}") };
    assert!(driver.advice().is_some_and(|said| said.contains(advice)), "{what}: {:?}", driver.advice());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sync_emits_are_told_at_once_and_async_ones_are_held_in_order() {
    let app = App::new().await;
    for case in &CASES {
        let what = case.what;
        let audit = app.audit(RetryFor::default());
        audit.emit(numbered(0)).await.unwrap();
        app.server.run(case.wrong).await;

        // The first to meet it: nothing is held yet.
        let begun = Instant::now();
        let error = audit.emit(numbered(999)).await.unwrap_err();
        // Of a record that went out on a connection that was cut, nobody knows.
        told_at_once(case, begun, &error, case.wrong.contains("pg_terminate_backend"));
        assert_eq!(audit.stats().last_error, Some(ErrorClass::Environment), "{what}");

        for n in 1..=700 {
            audit.try_emit(numbered(n)).unwrap();
        }
        until(&audit, what, |stats| stats.held > 0).await;
        // Behind 700 that are held, again and again, since the pauses of the writer become longer.
        for _ in 0..6 {
            let begun = Instant::now();
            for answer in join_all((0..4).map(|_| audit.emit(numbered(999)))).await {
                told_at_once(case, begun, &answer.unwrap_err(), false);
            }
        }
        let stats = until(&audit, what, |stats| stats.held > 0).await;
        assert_eq!((stats.queued, stats.last_error), (700, Some(ErrorClass::Environment)), "{what}: {stats:?}");
        assert_eq!((stats.failed, stats.failures.environment, app.ear.count()), (25, 25, 0), "{what}: {stats:?}");

        app.server.run(case.right).await;
        let mended = Instant::now();
        until(&audit, what, |stats| stats.queued == 0).await;
        assert!(mended.elapsed() < GOES_ON, "{what}: {:?}", mended.elapsed());
        assert_eq!(app.order().await, (0..=700).collect::<Vec<i64>>(), "{what}: first in, first out");
        assert_eq!(app.ear.count(), 0, "{what}");
        app.server.run("TRUNCATE audit").await;
        audit.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_is_reported_once_its_time_is_over() {
    let app = App::new().await;
    for case in &CASES {
        let what = case.what;
        let (short, forever) = (app.audit(Duration::from_millis(800)), app.audit(RetryFor::Forever));
        app.server.run(case.wrong).await;
        let emit =
            |audit: &Tracevault| -> Vec<Uuid> { (0..50).map(|n| audit.try_emit(numbered(n)).unwrap().id).collect() };
        let (lost, kept) = (emit(&short), emit(&forever));
        let stats = until(&short, what, |stats| stats.queued == 0).await;
        assert_eq!((stats.failed, stats.failures.environment, stats.stored), (50, 50, 0), "{what}: {stats:?}");
        let mut told = app.ear.take();
        let expected = Told {
            sqlstate: Some(case.sqlstate.to_owned()),
            class: Some(ErrorClass::Environment),
            outcome: Outcome::Rejected,
        };
        for id in &lost {
            assert_eq!(told.remove(id), Some(expected.clone()), "{what}");
        }
        assert!(told.is_empty(), "{what}: the others are held: {told:?}");
        let stats = until(&forever, what, |stats| stats.held > 0).await;
        assert_eq!((stats.queued, stats.failed), (50, 0), "{what}: {stats:?}");

        app.server.run(case.right).await;
        let mended = Instant::now();
        until(&forever, what, |stats| stats.stored == 50).await;
        assert!(mended.elapsed() < GOES_ON, "{what}: {:?}", mended.elapsed());
        let rows = app.server.sql.query("SELECT id FROM audit ORDER BY ctid", &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<Uuid>>(), kept, "{what}");
        app.server.run("TRUNCATE audit").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_does_not_wait_for_what_a_person_has_to_mend() {
    let app = App::new().await;
    for case in &CASES {
        let what = case.what;
        let audit = app.audit(RetryFor::Forever);
        app.server.run(case.wrong).await;
        let ids: Vec<_> = (0..600).map(|n| audit.try_emit(numbered(n).mode(Mode::Async)).unwrap().id).collect();
        until(&audit, what, |stats| stats.held > 0).await;
        let begun = Instant::now();
        let drained = audit.close().await.unwrap();
        assert!(begun.elapsed() < AT_ONCE, "{what}: {:?}, not close_timeout, which is 30 s", begun.elapsed());
        assert_eq!((drained.stored, drained.failed, drained.left), (0, 600, 0), "{what}");
        assert_eq!(audit.stats().failures.environment, 600, "{what}");
        let told = app.ear.take();
        assert_eq!(told.len(), 600, "{what}");
        for id in ids {
            assert_eq!(told[&id].sqlstate.as_deref(), Some(case.sqlstate), "{what}: with its reason");
            assert_eq!(told[&id].outcome, Outcome::Rejected, "{what}");
        }
        app.server.run(case.right).await;
    }
}
