use std::{
    io::Write as _,
    process::Child,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use super::{emit, ended, query, run_at, tracevault, until};
use crate::{
    kit::{self, CANARY, Table},
    support::{Cluster, Options, Purpose, processes::signal, server_binaries},
};

/// `emit` on this table with its stdin held open.
fn open(table: &Table, url: &str, args: &[&str], input: &str) -> Child {
    let mut child = tracevault(&[&["emit", "--table", &table.name], args].concat(), url).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(input.as_bytes()).unwrap();
    child
}

/// Whether somebody waits for a lock on the table.
async fn somebody_waits(table: &Table) -> bool {
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass";
    table.sql.query_one(waiting, &[&table.name]).await.unwrap().get::<_, i64>(0) > 0
}

#[tokio::test]
async fn a_missing_table_is_named_with_the_way_to_make_it() {
    let table = Table::missing("cli_missing").await;
    let advice = format!("create it: tracevault init-sql {} | psql \"$DATABASE_URL\"", table.name);
    for ran in [emit(&table, &[], "{\"event\":\"e\"}"), query(&table, &[]), query(&table, &["--count"])] {
        assert_eq!((ran.code, ran.out.as_str()), (3, ""));
        assert!(ran.err.contains(&advice), "{}", ran.err);
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_exit_3_and_told_once() {
    let table = Table::missing("cli_away").await;
    let url = format!("postgres://user:{CANARY}@127.0.0.1:1/db");
    for command in ["emit", "query"] {
        let ran = run_at(&url, &[command, "--table", &table.name], "{\"event\":\"e\"}");
        assert_eq!((ran.code, ran.out.as_str()), (3, ""));
        assert!(ran.err.starts_with("tracevault: connecting to PostgreSQL failed; check that"), "{}", ran.err);
        assert_eq!(ran.err.matches("Connection refused").count(), 1, "{}", ran.err);
    }
}

#[tokio::test]
async fn a_server_that_dies_ends_the_reading_and_the_lines_are_named() {
    for mode in ["sync", "async"] {
        let mut cluster = Cluster::start(Options::new(server_binaries(Purpose::Tests).unwrap())).unwrap();
        let url = format!("{} password='{CANARY}'", cluster.connection_string());
        let sql = kit::connect(&url).await;
        let table = Table { name: kit::unique("cli_dies"), sql };
        table.sql.batch_execute(&tracevault::generate_init_sql(&table.name).unwrap()).await.unwrap();
        let mut child = open(&table, &url, &["--mode", mode], &"{\"event\":\"e\"}\n".repeat(10));
        until("ten rows", async || table.count().await == 10).await;
        cluster.kill_9().unwrap();
        child.stdin.as_mut().unwrap().write_all("{\"event\":\"e\"}\n".repeat(10).as_bytes()).unwrap();
        // It ends by itself, though its stdin is still open.
        let held = child.stdin.take();
        let ran = ended(child);
        drop(held);
        assert_eq!(ran.code, 3, "{}", ran.err);
        // How many were under way when the first failure came is a matter of luck; each of them is accounted for.
        let last = ran.err.split("reading ended after line ").nth(1).and_then(|rest| rest.lines().next());
        let last: u64 = last.and_then(|last| last.parse().ok()).unwrap_or_else(|| panic!("{}", ran.err));
        let named = if last == 11 { "1 line (11)".to_owned() } else { format!("{} lines (11-{last})", last - 10) };
        assert!(ran.err.contains(&named), "{}", ran.err);
        assert_eq!(ran.summary(), format!("stored 10, refused 0, failed {}, duplicates 0", last - 10));
    }
}

#[tokio::test]
async fn a_lost_answer_is_told_apart_and_the_ids_are_named() {
    for mode in ["sync", "async"] {
        let mut table = Table::new("cli_unknown").await;
        let name = table.name.clone();
        let mut other = kit::client().await;
        let lock = other.transaction().await.unwrap();
        lock.batch_execute(&format!("LOCK \"{name}\" IN ACCESS EXCLUSIVE MODE")).await.unwrap();
        let id = "0199c2a1-7d9b-7c3e-8a54-1f0e5d9b6a70";
        let mut child = open(&table, &kit::url(), &["--mode", mode], &format!("{{\"event\":\"e\",\"id\":\"{id}\"}}\n"));
        // Its stdin stays open: the failure alone must end it.
        let held = child.stdin.take();
        until("the insert waits", async || somebody_waits(&table).await).await;
        let terminate =
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass";
        table.sql.query(terminate, &[&name]).await.unwrap();
        let ran = ended(child);
        drop(held);
        lock.rollback().await.unwrap();
        assert_eq!(ran.code, 3, "{}", ran.err);
        let told = format!("may or may not be stored, as the answer was lost: 1 line (1); line 1 is {id};");
        assert!(ran.err.contains(&told), "{}", ran.err);
        assert!(!ran.err.contains("tracevault: not stored"), "{}", ran.err);
        assert_eq!(ran.summary(), "stored 0, refused 0, failed 1, duplicates 0");
        table.sql = kit::client().await;
        table.drop().await;
    }
}

#[tokio::test]
async fn a_row_that_the_database_refuses_takes_no_other_with_it() {
    for mode in ["sync", "async"] {
        let table = Table::new("cli_check").await;
        let check = format!("ALTER TABLE \"{}\" ADD CONSTRAINT no_bad CHECK (event <> 'bad')", table.name);
        table.sql.batch_execute(&check).await.unwrap();
        let bad = format!("{{\"event\":\"bad\",\"data\":{{\"x\":\"{CANARY}\"}}}}\n");
        let good = "{\"event\":\"good\"}\n";
        let input = format!("{good}{bad}{good}{bad}{bad}");
        let mut child = open(&table, &kit::url(), &["--mode", mode], &input);
        until("two rows", async || table.count().await == 2).await;
        child.stdin.as_mut().unwrap().write_all(good.as_bytes()).unwrap();
        until("a third, as the reading goes on", async || table.count().await == 3).await;
        let ran = ended(child);
        assert_eq!(ran.code, 3, "{}", ran.err);
        assert!(ran.err.starts_with("tracevault: line 2: storing in"), "{}", ran.err);
        assert!(!ran.err.contains("reading ended"), "{}", ran.err);
        assert_eq!(ran.err.matches("no_bad").count(), 1, "the same error is told once: {}", ran.err);
        assert!(ran.err.contains("tracevault: not stored: 3 lines (2, 4-5); line 2 is "), "{}", ran.err);
        assert_eq!(ran.summary(), "stored 3, refused 0, failed 3, duplicates 0");
        assert_eq!(table.column::<String>("event").await, ["good"; 3]);
        table.drop().await;
    }
}

#[tokio::test]
async fn a_stalled_database_stalls_the_reading() {
    let table = Table::new("cli_stalled").await;
    for mode in ["sync", "async"] {
        let mut other = kit::client().await;
        let lock = other.transaction().await.unwrap();
        lock.batch_execute(&format!("LOCK \"{}\" IN ACCESS EXCLUSIVE MODE", table.name)).await.unwrap();
        let mut child = open(&table, &kit::url(), &["--mode", mode], "");
        let mut stdin = child.stdin.take().unwrap();
        let line = format!("{{\"event\":\"e\",\"data\":{{\"x\":\"{}\"}}}}\n", "x".repeat(500));
        let written = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&written);
        let feeder = thread::spawn(move || {
            while counter.load(Relaxed) < 40_000 && stdin.write_all(line.as_bytes()).is_ok() {
                counter.fetch_add(1, Relaxed);
            }
        });
        // What the pipe holds is written before anything is read.
        let (begun, mut before) = (Instant::now(), usize::MAX);
        while written.load(Relaxed) < 2_000 || before != written.load(Relaxed) {
            before = written.load(Relaxed);
            assert!(begun.elapsed() < Duration::from_secs(60), "{before} lines were read in {mode} mode");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert!(before < 10_000, "{before} lines were read in {mode} mode");
        child.kill().unwrap();
        child.wait().unwrap();
        feeder.join().unwrap();
        lock.rollback().await.unwrap();
    }
    table.drop().await;
}

#[tokio::test]
async fn an_interrupt_stores_what_was_read() {
    let table = Table::new("cli_interrupt").await;
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        table.sql.batch_execute(&format!("TRUNCATE \"{}\"", table.name)).await.unwrap();
        let mut other = kit::client().await;
        let lock = other.transaction().await.unwrap();
        lock.batch_execute(&format!("LOCK \"{}\" IN ACCESS EXCLUSIVE MODE", table.name)).await.unwrap();
        let mut child = open(&table, &kit::url(), &[], &"{\"event\":\"e\"}\n".repeat(3));
        let held = child.stdin.take();
        until("the insert waits", async || somebody_waits(&table).await).await;
        signal(name, &[child.id()]).unwrap();
        lock.rollback().await.unwrap();
        let ran = ended(child);
        drop(held);
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(ran.err.contains("interrupted: reading ended after line 3"), "{}", ran.err);
        assert_eq!(ran.summary(), "stored 3, refused 0, failed 0, duplicates 0");
        assert_eq!(table.count().await, 3);
    }
    table.drop().await;
}

#[tokio::test]
async fn a_second_interrupt_gives_up_and_says_so() {
    let table = Table::new("cli_give_up").await;
    let mut other = kit::client().await;
    let lock = other.transaction().await.unwrap();
    lock.batch_execute(&format!("LOCK \"{}\" IN ACCESS EXCLUSIVE MODE", table.name)).await.unwrap();
    let mut child = open(&table, &kit::url(), &[], "{\"event\":\"e\"}\n{\"event\":\"e\",\"mode\":\"async\"}\n");
    let held = child.stdin.take();
    until("the insert waits", async || somebody_waits(&table).await).await;
    let mut err = std::io::BufReader::new(child.stderr.take().unwrap());
    signal("INT", &[child.id()]).unwrap();
    let mut first = String::new();
    std::io::BufRead::read_line(&mut err, &mut first).unwrap();
    assert!(first.contains("interrupted: reading ended after line 2"), "{first}");
    signal("INT", &[child.id()]).unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut err, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{rest}");
    drop(held);
    lock.rollback().await.unwrap();
    assert!(rest.contains("may or may not be stored, as the answer was lost: 2 lines (1-2); line 2 is "), "{rest}");
    assert!(rest.ends_with("stored 0, refused 0, failed 2, duplicates 0\n"), "{rest}");
    until("the insert is over", async || !somebody_waits(&table).await).await;
    table.drop().await;
}

#[tokio::test]
async fn a_line_is_stored_while_the_next_one_is_awaited() {
    let table = Table::new("cli_tail").await;
    for mode in ["sync", "async"] {
        let before = table.count().await;
        let child = open(&table, &kit::url(), &["--mode", mode], "{\"event\":\"e\"}\n");
        until("the row", async || table.count().await == before + 1).await;
        let ran = ended(child);
        assert_eq!((ran.code, ran.summary()), (0, "stored 1, refused 0, failed 0, duplicates 0"));
    }
    table.drop().await;
}
