//! Closing: every row of both close tables, alone and while everybody emits.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::join_all, poll};
use tracevault::{
    Config, DiffEvent, Drained, Event, Mode, Outcome, ScopeOverrides, Tracevault,
    query::{CountFilters, Filters, Query, QueryConfig},
    testing,
};

use crate::kit::{Table, client, url};

/// What may come on top of a promise on a loaded machine.
const LOADED: Duration = Duration::from_secs(10);

fn empty_diff() -> DiffEvent<'static> {
    DiffEvent::new("diff").before(serde_json::json!({})).after(serde_json::json!({}))
}

fn numbers(drained: Drained) -> (u64, u64, u64) {
    (drained.stored, drained.failed, drained.left)
}

#[tokio::test]
async fn closing_a_scope_leaves_the_root_and_its_siblings_open() {
    let (table, other) = (Table::new("close_scope").await, Table::new("close_sibling").await);
    let root = table.audit();
    let scope = root.scope(ScopeOverrides::new().table_name(&other.name)).unwrap();
    let child = scope.scope(ScopeOverrides::new()).unwrap();
    for _ in 0..10 {
        scope.try_emit("before").unwrap();
        root.try_emit("before").unwrap();
    }
    let drained = scope.close().await.unwrap();
    assert_eq!(numbers(drained), (10, 0, 0), "its own queue only");
    assert_eq!(numbers(scope.close().await.unwrap()), (10, 0, 0), "again changes nothing");
    assert!(scope.emit("after").await.unwrap_err().is_closed());
    assert!(scope.emit_diff(empty_diff()).await.unwrap_err().is_closed());
    assert!(scope.try_emit("after").unwrap_err().is_closed());
    assert!(scope.scope(ScopeOverrides::new()).unwrap_err().is_closed());
    assert!(scope.get_scope("x").unwrap_err().is_closed());
    assert!(!scope.healthcheck().await);
    let mut sql = client().await;
    let transaction = sql.transaction().await.unwrap();
    assert!(scope.emit_in(&transaction, "after").await.unwrap_err().is_closed());
    child.emit("after").await.unwrap();
    root.emit("after").await.unwrap();
    assert!(root.healthcheck().await && child.healthcheck().await);
    assert_eq!((other.count().await, table.count().await), (11, 11));
    root.close().await.unwrap();
    table.drop().await;
    other.drop().await;
}

#[tokio::test]
async fn closing_the_root_drains_every_scope_and_closes_all() {
    let table = Table::new("close_root").await;
    let root = Tracevault::new(table.config().scope("named", ScopeOverrides::new())).unwrap();
    let scope = root.scope(ScopeOverrides::new()).unwrap();
    let query = root.query();
    let query_scope = query.scope(&table.name).unwrap();
    let dropped = root.scope(ScopeOverrides::new()).unwrap();
    for emitter in [&scope, &dropped, &root.get_scope("named").unwrap()] {
        for _ in 0..20 {
            emitter.try_emit("before").unwrap();
        }
    }
    drop(dropped);
    root.try_emit("before").unwrap();
    let drained = root.close().await.unwrap();
    assert_eq!((drained.failed, drained.left), (0, 0));
    assert_eq!(table.count().await, 61);
    assert_eq!(root.close().await.unwrap(), drained, "again changes nothing");
    assert!(root.emit("after").await.unwrap_err().is_closed());
    assert!(root.emit_diff(empty_diff()).await.unwrap_err().is_closed());
    assert!(root.try_emit("after").unwrap_err().is_closed());
    assert!(root.scope(ScopeOverrides::new()).unwrap_err().is_closed());
    assert!(root.get_scope("named").unwrap_err().is_closed());
    assert!(scope.emit("after").await.unwrap_err().is_closed());
    assert!(scope.scope(ScopeOverrides::new()).unwrap_err().is_closed());
    assert!(!root.healthcheck().await && !scope.healthcheck().await);
    let mut sql = client().await;
    let transaction = sql.transaction().await.unwrap();
    assert!(root.emit_in(&transaction, "after").await.unwrap_err().is_closed());
    assert!(scope.emit_in(&transaction, "after").await.unwrap_err().is_closed());
    for query in [&query, &query_scope] {
        assert!(query.find_many(Filters::new()).await.unwrap_err().is_closed());
        assert!(!query.healthcheck().await);
    }
    table.drop().await;
}

#[tokio::test]
async fn a_query_closes_alone_with_its_scopes_and_leaves_the_root_open() {
    let table = Table::new("close_query").await;
    let root = table.audit();
    root.emit("one").await.unwrap();
    let query = root.query();
    let scope = query.scope(&table.name).unwrap();
    scope.close().await.unwrap();
    assert!(scope.count(CountFilters::new()).await.unwrap_err().is_closed());
    assert!(!scope.healthcheck().await);
    assert_eq!(query.count(CountFilters::new()).await.unwrap(), 1);
    let other = query.scope(&table.name).unwrap();
    query.close().await.unwrap();
    query.close().await.unwrap();
    for closed in [&query, &other] {
        assert!(closed.find_many(Filters::new()).await.unwrap_err().is_closed());
        assert!(closed.find_by_id(uuid::Uuid::nil()).await.unwrap_err().is_closed());
        assert!(closed.count(CountFilters::new()).await.unwrap_err().is_closed());
        assert!(closed.scope(&table.name).unwrap_err().is_closed());
        assert!(!closed.healthcheck().await);
    }
    root.emit("two").await.unwrap();
    assert_eq!(root.query().count(CountFilters::new()).await.unwrap(), 2);
    table.drop().await;
}

#[tokio::test]
async fn a_query_with_its_own_pool_closes_it() {
    let table = Table::new("own_pool").await;
    let query = Query::connect(QueryConfig::new(url()).table_name(&table.name)).await.unwrap();
    let scope = query.scope(&table.name).unwrap();
    assert_eq!(scope.count(CountFilters::new()).await.unwrap(), 0);
    query.close().await.unwrap();
    assert!(scope.count(CountFilters::new()).await.unwrap_err().is_closed());
    table.drop().await;
}

#[tokio::test]
async fn borrowed_pools_stay_open() {
    let table = Table::new("borrowed").await;
    let config: tokio_postgres::Config = url().parse().unwrap();
    let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
    let pool = deadpool_postgres::Pool::builder(manager).max_size(2).build().unwrap();
    let audit = Tracevault::with_pools(pool.clone(), None, Config::default().table_name(&table.name)).unwrap();
    audit.emit("one").await.unwrap();
    assert_eq!(audit.query().count(CountFilters::new()).await.unwrap(), 1);
    audit.close().await.unwrap();
    assert!(!pool.is_closed());
    assert_eq!(pool.get().await.unwrap().query("SELECT 1", &[]).await.unwrap().len(), 1);
    table.drop().await;
}

#[tokio::test]
async fn a_pool_of_our_own_is_closed_with_the_root() {
    let table = Table::new("owned").await;
    let name = crate::kit::unique("app");
    let config = Config::new(format!("{} application_name={name}", url())).table_name(&table.name);
    let audit = Tracevault::new(config).unwrap();
    audit.emit("one").await.unwrap();
    let connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    let count = async || table.sql.query_one(connections, &[&name]).await.unwrap().get::<_, i64>(0);
    assert_eq!(count().await, 1);
    audit.close().await.unwrap();
    while count().await > 0 {
        tokio::task::yield_now().await;
    }
    table.drop().await;
}

#[tokio::test]
async fn a_root_on_borrowed_pools_is_prepared_when_asked() {
    let table = Table::missing("prepared").await;
    let pool = || {
        let manager = deadpool_postgres::Manager::new(url().parse().unwrap(), tokio_postgres::NoTls);
        deadpool_postgres::Pool::builder(manager).max_size(2).build().unwrap()
    };
    let config = || Config::default().table_name(&table.name);
    let unprepared = Tracevault::with_pools(pool(), None, config()).unwrap();
    let error = unprepared.prepare().await.unwrap_err();
    assert!(error.to_string().contains(&format!("tracevault init-sql {}", table.name)), "{error}");
    let audit = Tracevault::with_pools(pool(), None, config().ensure_schema(true)).unwrap();
    audit.prepare().await.unwrap();
    audit.emit("one").await.unwrap();
    unprepared.prepare().await.unwrap();
    audit.close().await.unwrap();
    assert!(audit.prepare().await.unwrap_err().is_closed());
    let unused = Tracevault::with_pools(pool(), None, Config::new(url())).unwrap_err();
    assert!(matches!(&unused, tracevault::Error::Config(config) if config.key() == "connection_string"), "{unused}");
    table.drop().await;
}

/// 64 tasks emit in every way while the root is closed: what was accepted is stored or reported, to the last record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_while_everybody_emits_loses_nothing() {
    for round in 0..4 {
        let table = Table::new("close_under_fire").await;
        let reported = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&reported);
        let config = table.config().emit_timeout(LOADED * 6).queue_capacity(100).on_error(move |_, _| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let root = Tracevault::new(config).unwrap();
        let scope = root.scope(ScopeOverrides::new()).unwrap();
        let acknowledged = Arc::new(AtomicU64::new(0));
        let started = Arc::new(tokio::sync::Barrier::new(65));
        let tasks: Vec<_> = (0..64)
            .map(|task| {
                let (root, scope, acknowledged, started) =
                    (root.clone(), scope.clone(), Arc::clone(&acknowledged), Arc::clone(&started));
                tokio::spawn(async move {
                    started.wait().await;
                    loop {
                        let emitted = match task % 4 {
                            0 => root.emit("sync").await,
                            1 => scope.emit(Event::new("async").mode(Mode::Async)).await,
                            2 => scope.emit("sync").await,
                            _ => match root.try_emit("try") {
                                Err(error) if error.is_retryable() => {
                                    tokio::task::yield_now().await;
                                    continue;
                                }
                                answer => answer,
                            },
                        };
                        match emitted {
                            Ok(_) => acknowledged.fetch_add(1, Ordering::SeqCst),
                            Err(error) => {
                                assert!(error.is_closed(), "{error}");
                                assert_eq!(error.outcome(), Outcome::Rejected, "all was drained in time");
                                return;
                            }
                        };
                    }
                })
            })
            .collect();
        started.wait().await;
        while root.stats().stored < 500 * (round + 1) {
            tokio::task::yield_now().await;
        }
        let drained = root.close().await.unwrap();
        for task in tasks {
            task.await.unwrap();
        }
        let stats = root.stats();
        let rows = u64::try_from(table.count().await).unwrap();
        assert_eq!((drained.failed, drained.left, reported.load(Ordering::SeqCst)), (0, 0, 0));
        assert_eq!(rows, stats.accepted, "every accepted record is a row");
        assert_eq!(rows, acknowledged.load(Ordering::SeqCst), "and every acknowledged one, no other");
        table.drop().await;
    }
}

#[tokio::test]
async fn a_close_that_cannot_finish_ends_in_time_and_reports_what_is_left() {
    let table = Table::new("close_stalled").await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let keeper = Arc::clone(&told);
    let config =
        table.config().async_batch_size(10).close_timeout(Duration::from_millis(300)).on_error(move |error, record| {
            assert!(error.is_closed());
            keeper.lock().unwrap().push((record.id(), error.outcome()));
        });
    let root = Tracevault::new(config).unwrap();
    root.emit("stored").await.unwrap();
    let lock = format!("BEGIN; LOCK TABLE \"{}\" IN ACCESS EXCLUSIVE MODE", table.name);
    table.sql.batch_execute(&lock).await.unwrap();
    let ids: Vec<_> = (0..25).map(|_| root.try_emit("left").unwrap().id).collect();
    let mut waiting = root.emit("left too");
    assert!(poll!(&mut waiting).is_pending());

    let flushed = root.flush().await.unwrap();
    assert_eq!(numbers(flushed), (0, 0, 26), "a flush that cannot finish ends too, and reports nothing");
    assert!(told.lock().unwrap().is_empty());

    let began = Instant::now();
    let drained = root.close().await.unwrap();
    let longest = Duration::from_millis(300) + LOADED;
    assert!(began.elapsed() < longest, "{:?}", began.elapsed());
    assert_eq!(numbers(drained), (0, 0, 26));
    let error = waiting.await.unwrap_err();
    assert!(error.is_closed(), "{error}");
    assert_eq!(error.outcome(), Outcome::Rejected);
    let reported = told.lock().unwrap().clone();
    assert_eq!(reported.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids, "each once, in order");
    let unknown = reported.iter().filter(|(_, outcome)| *outcome == Outcome::Unknown).count();
    assert!((1..=10).contains(&unknown), "the batch under way may be stored: {unknown}");
    let stats = root.stats();
    assert_eq!((stats.accepted, stats.stored, stats.failed), (27, 1, 26));
    assert_eq!((stats.queued, stats.queued_bytes), (0, 0));
    table.sql.batch_execute("COMMIT").await.unwrap();
}

#[tokio::test]
async fn dropping_the_last_handle_lets_the_writer_finish() {
    let table = Table::new("dropped_handle").await;
    let root = table.audit();
    let scope = root.scope(ScopeOverrides::new()).unwrap();
    for _ in 0..300 {
        scope.try_emit("late").unwrap();
        root.try_emit("late").unwrap();
    }
    drop(scope);
    drop(root);
    while table.count().await < 600 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    table.drop().await;
}

#[tokio::test]
async fn the_roots_numbers_outlive_its_scopes() {
    let table = Table::new("totals").await;
    let root = table.audit();
    for _ in 0..3 {
        let scope = root.scope(ScopeOverrides::new()).unwrap();
        scope.emit("one").await.unwrap();
        scope.try_emit("another").unwrap();
    }
    root.emit("the root's").await.unwrap();
    while root.stats().queued > 0 {
        tokio::task::yield_now().await;
    }
    let stats = root.stats();
    assert_eq!((stats.accepted, stats.stored, stats.failed), (7, 7, 0));
    root.close().await.unwrap();
    assert_eq!(root.stats(), stats);
    table.drop().await;
}

/// The handler belongs to the writer: when nobody holds it any more, the writer has ended.
#[tokio::test]
async fn the_writer_of_a_dropped_scope_ends() {
    let table = Table::new("writer_ends").await;
    let token = Arc::new(());
    let held = Arc::clone(&token);
    let handler = move |_: &tracevault::Error, _: &tracevault::Record| {
        let _ = &held;
    };
    let root = table.audit();
    let scope = root.scope(ScopeOverrides::new().on_error(handler)).unwrap();
    scope.emit("one").await.unwrap();
    drop(scope);
    while Arc::strong_count(&token) > 1 {
        tokio::task::yield_now().await;
    }
    root.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn a_dropped_scope_that_cannot_finish_reports_what_is_left() {
    let table = Table::new("dropped_stalled").await;
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let config = table.config().close_timeout(Duration::from_millis(200)).on_error(move |error, record| {
        told.send((record.id(), error.is_closed())).unwrap();
    });
    let root = Tracevault::new(config).unwrap();
    let lock = format!("BEGIN; LOCK TABLE \"{}\" IN ACCESS EXCLUSIVE MODE", table.name);
    table.sql.batch_execute(&lock).await.unwrap();
    let ids = [root.try_emit("one").unwrap().id, root.try_emit("two").unwrap().id];
    drop(root);
    for id in ids {
        assert_eq!(hears.recv().await, Some((id, true)));
    }
    assert_eq!(hears.recv().await, None, "each once, and the writer has ended");
}

#[tokio::test]
async fn an_emit_keeps_its_scope_open_until_it_is_answered() {
    let table = Table::new("temporary_scope").await;
    let root = table.audit();
    let emit = root.scope(ScopeOverrides::new()).unwrap().emit("from a temporary");
    emit.await.unwrap();
    assert_eq!(table.count().await, 1);
    table.drop().await;
}

#[tokio::test]
async fn concurrent_and_abandoned_closes_agree() {
    let table = Table::new("closes").await;
    let root = table.audit();
    for _ in 0..1_000 {
        root.try_emit("one of many").unwrap();
    }
    let mut abandoned = Box::pin(root.close());
    assert!(poll!(&mut abandoned).is_pending());
    drop(abandoned);
    let answers = join_all((0..8).map(|_| root.close())).await;
    let first = *answers[0].as_ref().unwrap();
    assert!(answers.into_iter().all(|answer| answer.unwrap() == first));
    assert_eq!((first.failed, first.left, table.count().await), (0, 0, 1_000));
    table.drop().await;
}

/// Polls it here, where no runtime is, until it is ready.
fn outside_of_tokio<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = future.as_mut().now_or_never() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it never ends");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_close_ends_where_the_writers_runtime_does_not_run() {
    let parked = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config::default().close_timeout(Duration::from_millis(200));
    let (audit, recorder) = parked.block_on(async { testing::recorder(config).unwrap() });
    let scopes: Vec<_> = (0..8).map(|_| audit.scope(ScopeOverrides::new()).unwrap()).collect();
    audit.try_emit("late").unwrap();
    for scope in &scopes {
        scope.try_emit("late").unwrap();
    }
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (flushed, drained) = own.block_on(async {
        let flushed = audit.flush().await.unwrap();
        let longest = Duration::from_secs(5);
        let closed = tokio::time::timeout(longest, audit.close()).await;
        (flushed, closed.expect("it is bounded, however many scopes there are").unwrap())
    });
    assert_eq!((numbers(flushed), numbers(drained)), ((0, 0, 1), (0, 0, 9)));
    assert!(recorder.records().is_empty());
    assert!(audit.emit("after").now_or_never().unwrap().unwrap_err().is_closed());
}

#[test]
fn flush_and_close_need_no_runtime_of_the_callers() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (audit, recorder) = runtime.block_on(async { testing::recorder(Config::default()).unwrap() });
    assert_eq!(numbers(outside_of_tokio(audit.flush()).unwrap()), (0, 0, 0));
    let scope = audit.scope(ScopeOverrides::new()).unwrap();
    audit.try_emit("one").unwrap();
    scope.try_emit("one").unwrap();
    outside_of_tokio(scope.close()).unwrap();
    outside_of_tokio(audit.close()).unwrap();
    assert_eq!((recorder.records().len(), audit.stats().queued), (2, 0));

    // Not driven, a flush waits: it does not panic.
    let parked = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (audit, _recorder) = parked.block_on(async { testing::recorder(Config::default()).unwrap() });
    audit.try_emit("one").unwrap();
    assert!(audit.flush().now_or_never().is_none());
}
