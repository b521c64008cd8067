//! `PgBouncer` in transaction mode, which gives each transaction another server process.

use std::{
    collections::HashMap,
    env,
    process::{Command, Output},
    sync::Arc,
    time::{Duration, Instant},
};

use deadpool_postgres::{Manager, Pool};
use serde_json::json;
use tokio::{sync::Mutex, task::JoinSet};
use tokio_postgres::NoTls;
use tracevault::{
    Config, ErrorClass, Event, Mode, Outcome, Scope, ScopeOverrides, StatementMode, Tracevault, generate_init_sql,
    query::{Filters, Query},
};
use uuid::Uuid;

use super::{PATIENCE, Random, Server, say, until};
use crate::{
    kit,
    support::{PgBouncer, needs, pgbouncer},
};

/// A process of many: its name, which its tables begin with, and how much it does.
const NAME: &str = "TRACEVAULT_TEST_POOLER_NAME";
const URL: &str = "TRACEVAULT_TEST_POOLER_URL";
const OPERATIONS: &str = "TRACEVAULT_TEST_POOLER_OPERATIONS";
const TASKS: usize = 16;
const TABLES: usize = 4;

/// The server, and the pooler before it. `None`: there is no pooler here.
async fn behind() -> Option<(PgBouncer, Server)> {
    kit::url();
    let program = pgbouncer::program();
    if !needs("pgbouncer", program.is_some(), pgbouncer::INSTALL) {
        return None;
    }
    let server = Server::start(false).await;
    let pooler = PgBouncer::start(&program.unwrap(), &server.cluster).unwrap();
    Some((pooler, server))
}

fn pool(url: &str, size: usize) -> Pool {
    Pool::builder(Manager::new(url.parse().unwrap(), NoTls)).max_size(size).build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_pooler_store_every_row_where_it_belongs() {
    let Some((pooler, server)) = behind().await else { return };
    let operations = 20_000;
    let names = ["ann", "ben"];
    for table in names.iter().flat_map(|name| tables(name)) {
        server.run(&generate_init_sql(&table).unwrap()).await;
    }
    let begun = Instant::now();
    let mut processes = JoinSet::new();
    for name in names {
        let mut run = Command::new(env::current_exe().unwrap());
        run.args(["--ignored", "--exact", "--nocapture", "endurance::pooler::in_a_process_of_its_own"]);
        run.env(NAME, name).env(URL, pooler.connection_string()).env(OPERATIONS, (operations / 2).to_string());
        processes.spawn_blocking(move || run.output().unwrap());
    }
    let mut expected: HashMap<String, i64> = HashMap::new();
    while let Some(Output { status, stdout, stderr }) = processes.join_next().await.map(Result::unwrap) {
        let said = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{said}\n{}", String::from_utf8_lossy(&stdout));
        for line in said.lines().filter_map(|line| line.strip_prefix("rows ")) {
            let (table, rows) = line.split_once(' ').unwrap();
            expected.insert(table.to_owned(), rows.parse().unwrap());
        }
    }
    let mut stored = 0;
    for table in names.iter().flat_map(|name| tables(name)) {
        let astray = format!("SELECT count(*) FROM {table} WHERE data ->> 'table' IS DISTINCT FROM '{table}'");
        assert_eq!(server.number(&astray).await, 0, "{table} has rows of another");
        let rows = server.number(&format!("SELECT count(*) FROM {table}")).await;
        let distinct = server.number(&format!("SELECT count(DISTINCT data ->> 'n') FROM {table}")).await;
        assert_eq!((Some(&rows), rows), (expected.get(&table), distinct), "{table}: every row once");
        stored += rows;
    }
    say(&format!(
        "pooler: 2 processes, {} tasks, {operations} operations, {stored} rows, 0 errors, {} ms",
        2 * TASKS,
        begun.elapsed().as_millis()
    ));
    let kept = kept_statements(&pooler).await;
    assert!(kept.is_empty(), "nothing is prepared by name behind a pooler: {kept:?}");
}

fn tables(name: &str) -> Vec<String> {
    (0..TABLES).map(|number| format!("{name}_{number}")).collect()
}

/// The prepared statements of all four server connections.
async fn kept_statements(pooler: &PgBouncer) -> Vec<String> {
    let mut clients = Vec::new();
    let mut kept = Vec::new();
    for _ in 0..4 {
        let client = kit::connect(&pooler.connection_string()).await;
        // Keeps its connection to the server, so that the next gets another.
        client.batch_execute("BEGIN").await.unwrap();
        let rows = client.simple_query("SELECT statement FROM pg_prepared_statements").await.unwrap();
        kept.extend(rows.into_iter().filter_map(|row| match row {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
            _ => None,
        }));
        clients.push(client);
    }
    kept
}

/// A scope, where to read what it stored, and what it was given.
struct Desk {
    scope: Scope,
    query: Query,
    table: String,
    ids: Mutex<Vec<Uuid>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test above, in a process of its own"]
async fn in_a_process_of_its_own() {
    let Ok(name) = env::var(NAME) else { return };
    let (url, operations) = (env::var(URL).unwrap(), env::var(OPERATIONS).unwrap().parse::<usize>().unwrap());
    let tables = tables(&name);
    // However long the machine takes.
    let patient = |config: Config| config.acquire_timeout(PATIENCE).connect_timeout(PATIENCE).emit_timeout(PATIENCE);
    let panics = |config| patient(config).statement_timeout(PATIENCE).on_error(|error, _| panic!("reported: {error}"));
    let own = Tracevault::new(panics(Config::new(&url).table_name(&tables[0]))).unwrap();
    let borrowed = panics(Config::default().table_name(&tables[0]));
    let borrowed = Tracevault::with_pools(pool(&url, 6), None, borrowed).unwrap();
    let desk = |number: usize| {
        let (audit, table) = (if number < 2 { &own } else { &borrowed }, &tables[number]);
        let scope = audit.scope(ScopeOverrides::new().table_name(table)).unwrap();
        let query = audit.query().scope(table).unwrap();
        Desk { scope, query, table: table.clone(), ids: Mutex::default() }
    };
    let desks: Arc<Vec<Desk>> = Arc::new((0..TABLES).map(desk).collect());
    let callers = pool(&url, 4);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(work(task, operations.div_ceil(TASKS), Arc::clone(&desks), callers.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    // A batch as large as those that go by COPY elsewhere.
    for n in 0..500 {
        let desk = &desks[n % TABLES];
        let data = json!({ "table": desk.table, "n": format!("batch-{n}") });
        desk.ids.lock().await.push(desk.scope.try_emit(Event::new("batch").data(data)).unwrap().id);
    }
    for audit in [&own, &borrowed] {
        let drained = audit.close().await.unwrap();
        let stats = audit.stats();
        assert_eq!((drained.failed, drained.left, stats.retried, stats.last_error), (0, 0, 0, None), "{stats:?}");
    }
    for desk in desks.iter() {
        say(&format!("rows {} {}", desk.table, desk.ids.lock().await.len()));
    }
}

async fn work(task: usize, operations: usize, desks: Arc<Vec<Desk>>, callers: Pool) {
    let mut random = Random(task as u64);
    for number in 0..operations {
        let Desk { scope, query, table, ids } = &desks[random.below(TABLES)];
        let event = || Event::new("load").data(json!({ "table": table, "n": format!("{task}-{number}") }));
        let id = match random.below(10) {
            0..=3 => scope.emit(event()).await.unwrap().id,
            4 | 5 => scope.emit(event().mode(Mode::Async)).await.unwrap().id,
            6 => {
                let mut client = callers.get().await.unwrap();
                let transaction = client.transaction().await.unwrap();
                let id = scope.emit_in(&transaction, event()).await.unwrap().id;
                transaction.commit().await.unwrap();
                id
            }
            7 => {
                let id = Uuid::new_v4();
                assert!(!scope.emit(event().id(id)).await.unwrap().duplicate);
                assert!(scope.emit(event().id(id)).await.unwrap().duplicate);
                id
            }
            8 => {
                let id = scope.emit(event()).await.unwrap().id;
                let found = query.find_by_id(id).await.unwrap().expect("it was acknowledged");
                assert!(found.data.unwrap().as_str().contains(table.as_str()));
                id
            }
            _ => {
                let page = query.page(Filters::new().limit(5), None).await.unwrap();
                let others =
                    page.records.iter().filter(|row| !row.data.as_ref().unwrap().as_str().contains(table.as_str()));
                assert_eq!(others.count(), 0);
                continue;
            }
        };
        ids.lock().await.push(id);
    }
}

/// What makes the mode matter: the same steps with statements prepared by name, and as it is without any setting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_prepared_by_name_fails_or_misleads_behind_a_pooler() {
    for mode in [StatementMode::Prepared, StatementMode::Auto, StatementMode::Unnamed] {
        let Some((pooler, server)) = behind().await else { return };
        server.run(&generate_init_sql("other").unwrap()).await;
        let config = Config::new(pooler.connection_string()).table_name("audit").statement_mode(mode).pool_size(1);
        let audit = Tracevault::new(config).unwrap();
        let count = async |table: &str| server.number(&format!("SELECT count(*) FROM {table}")).await;
        audit.emit("first").await.unwrap();

        // Somebody takes the server's process that answered, so that the next answer comes from another.
        let first = kit::connect(&pooler.connection_string()).await;
        first.batch_execute("BEGIN").await.unwrap();
        let kept = first.simple_query("SELECT name FROM pg_prepared_statements").await.unwrap();
        let kept = kept.iter().find_map(|row| match row {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
            _ => None,
        });
        assert_eq!(kept.is_some(), mode == StatementMode::Prepared, "{mode:?}");
        if let Some(name) = &kept {
            // Which knows a statement of that name, of another program.
            let second = kit::connect(&pooler.connection_string()).await;
            let (columns, values) = (
                "id, event, actor_id, actor_type, target_id, target_type, data, meta, mode, occurred_at, \
                 correlation_id, request_id, environment",
                "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13",
            );
            let types = "uuid, text, text, text, text, text, jsonb, jsonb, text, timestamptz, text, text, text";
            let another = format!("PREPARE {name} ({types}) AS INSERT INTO other ({columns}) VALUES ({values})");
            second.batch_execute(&another).await.unwrap();
            audit.emit("second").await.unwrap();
            assert_eq!((count("audit").await, count("other").await), (1, 1), "acknowledged, and in another's table");
            second.batch_execute(&format!("DEALLOCATE {name}")).await.unwrap();
        } else {
            audit.emit("second").await.unwrap();
            assert_eq!((count("audit").await, count("other").await), (2, 0), "{mode:?}");
        }
        let before = audit.stats();
        assert_eq!((before.retried, before.last_error), (0, None));

        // Or knows none of that name: it is found out, and the same record stored without.
        audit.emit("third").await.unwrap();
        let stats = audit.stats();
        let expected = if kept.is_some() { (1, Some(ErrorClass::Statement)) } else { (0, None) };
        assert_eq!((stats.retried, stats.last_error), expected, "{mode:?}");
        assert_eq!(count("audit").await + count("other").await, 3, "{mode:?}");
        audit.close().await.unwrap();
    }
}

/// A pooler says of its server what PostgreSQL itself never says: class 08.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_behind_a_pooler_and_comes_back() {
    let Some((pooler, mut server)) = behind().await else { return };
    let config = || Config::new(pooler.connection_string()).table_name("audit");
    let audit = Tracevault::new(config().emit_timeout(Duration::from_secs(60))).unwrap();
    let hasty = Tracevault::new(config().emit_timeout(Duration::from_secs(5))).unwrap();
    audit.emit("before").await.unwrap();
    hasty.emit("before").await.unwrap();

    server.run("BEGIN; LOCK TABLE audit").await;
    let (patient, lost) = (tokio::spawn(audit.emit("patient")), tokio::spawn(hasty.emit("lost")));
    until(&audit, "it is under way", |stats| stats.in_flight == 1).await;
    until(&hasty, "it is under way", |stats| stats.in_flight == 1).await;
    let watcher = kit::connect(&server.cluster.connection_string()).await;
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'audit'::regclass";
    while watcher.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) < 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    server.cluster.kill_9().unwrap();
    let error = lost.await.unwrap().unwrap_err();
    assert_eq!(error.class(), Some(ErrorClass::Transient), "{error}");
    assert_eq!((error.outcome(), error.is_retryable()), (Outcome::Unknown, true), "{error}");
    assert!(error.sqlstate().is_none_or(|state| state.starts_with("08")), "{error}");
    say(&format!("pooler, server gone: {error}"));

    server.cluster.start_again().unwrap();
    patient.await.unwrap().unwrap();
    server.reconnect().await;
    assert_eq!(server.number("SELECT count(*) FROM audit WHERE event = 'patient'").await, 1, "once");
    assert!(audit.stats().retried > 0);
    audit.close().await.unwrap();
}
