//! Connections that are cut, a server that is about to go, and transactions that wait for each other.

use std::{
    fs,
    time::{Duration, Instant},
};

use tracevault::{ErrorClass, Event, Outcome, Tracevault};
use uuid::Uuid;

use crate::{
    endurance::{environment::App, until},
    kit,
    support::processes::signal,
};

/// Time for an attempt, however loaded the machine is.
const HASTY: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(60);

const TERMINATE: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks JOIN pg_stat_activity USING (pid) \
                         WHERE usename = 'app' AND NOT granted";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_in_the_middle_of_a_statement() {
    let app = App::new().await;
    let audit = Tracevault::new(app.config("right").emit_timeout(HASTY)).unwrap();
    let patient = Tracevault::new(app.config("right").emit_timeout(Duration::from_secs(60))).unwrap();
    let watcher = kit::connect(&app.server.cluster.connection_string()).await;
    app.server.run("BEGIN; LOCK TABLE audit").await;
    let (hasty, stored) = (tokio::spawn(audit.emit("hasty")), tokio::spawn(patient.emit("stored")));
    patient.try_emit("kept").unwrap();
    let mut cut = 0;
    while !hasty.is_finished() || patient.stats().retried < 2 {
        cut += watcher.query_one(TERMINATE, &[]).await.unwrap().get::<_, i64>(0);
    }
    assert!(cut >= 2);
    let error = hasty.await.unwrap().unwrap_err();
    assert_eq!((error.sqlstate(), error.class()), (Some("57P01"), Some(ErrorClass::Transient)), "{error}");
    assert_eq!((error.outcome(), error.is_retryable()), (Outcome::Unknown, true), "the answer was lost");
    assert!(!error.is_record_refused());
    app.server.run("COMMIT").await;
    assert!(!stored.await.unwrap().unwrap().duplicate);
    patient.flush().await.unwrap();
    assert_eq!(app.server.number("SELECT count(*) FROM audit WHERE event IN ('stored', 'kept')").await, 2);
    assert_eq!((app.ear.count(), patient.stats().last_error), (0, Some(ErrorClass::Transient)));
}

/// A smart shutdown waits for those who are there, and refuses who comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_shutting_down() {
    let mut app = App::new().await;
    let audit = Tracevault::new(app.config("right").emit_timeout(HASTY)).unwrap();
    let state = fs::read_to_string(app.server.cluster.data().join("postmaster.pid")).unwrap();
    signal("TERM", &[state.lines().next().unwrap().parse().unwrap()]).unwrap();
    let begun = Instant::now();
    // It refuses whoever comes from then on; a connection that was open before would go on.
    while !app.server.cluster.log().contains("received smart shutdown request") {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!audit.healthcheck().await);
    // What the check opened is no longer of use to it, but still open.
    let audit = Tracevault::new(app.config("right").emit_timeout(HASTY)).unwrap();
    let begun = Instant::now();
    let error = audit.emit("e").await.unwrap_err();
    assert!(begun.elapsed() >= HASTY, "tried until its deadline");
    assert_eq!((error.sqlstate(), error.class()), (Some("57P03"), Some(ErrorClass::Transient)), "{error}");
    // Its outcome may be unknown: the deadline may come in the middle of one attempt more.
    assert!(error.is_retryable() && !error.is_record_refused());
    audit.try_emit("kept").unwrap();
    until(&audit, "held", |stats| stats.held == 1).await;
    app.server.cluster.stop().unwrap();
    app.server.cluster.start_again().unwrap();
    until(&audit, "stored", |stats| stats.stored == 1).await;
    assert_eq!(app.ear.count(), 0);
}

/// Two of ours, one behind the other, and another's transaction that takes them the other way round.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_deadlock() {
    let app = App::new().await;
    // So that it is ours that is cancelled.
    // It looks once, which must not be before theirs waits for it.
    app.server.run("ALTER ROLE app SET deadlock_timeout = '5s'").await;
    app.server.run("SET deadlock_timeout = '1h'").await;
    let config = app.config("right").async_batch_size(2).async_flush_interval(Duration::from_secs(60));
    let audit = Tracevault::new(config).unwrap();
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    let theirs =
        |id: Uuid| format!("INSERT INTO audit (id, event, mode, occurred_at) VALUES ('{id}', 'theirs', 'sync', now())");
    let watcher = kit::connect(&app.server.cluster.connection_string()).await;
    app.server.run(&format!("BEGIN; {}", theirs(second))).await;
    for id in [first, second] {
        audit.try_emit(Event::new("ours").id(id)).unwrap();
    }
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    while watcher.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {}
    app.server.run(&theirs(first)).await;
    let begun = Instant::now();
    while !app.server.cluster.log().contains("deadlock detected") {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    app.server.run("COMMIT").await;
    until(&audit, "stored", |stats| stats.stored == 2).await;
    assert_eq!(app.server.number("SELECT count(*) FROM audit WHERE event = 'theirs'").await, 2, "left as they are");
    assert_eq!(app.ear.count(), 0);
}
