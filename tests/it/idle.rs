//! What a scope costs that does nothing: measured in a process of its own.

use std::{env, fs, process::Command};

use tracevault::{Config, ScopeOverrides, Tracevault};

use crate::kit::{self, Table, unique, url};

const SCOPES: usize = 1_000;
/// In bytes, for all of them.
const MOST: usize = 20 << 20;
const TABLE: &str = "TRACEVAULT_TEST_IDLE_TABLE";
const EVENTS: &str = "TRACEVAULT_TEST_IDLE_EVENTS";

/// In bytes, what was allocated and is used: without the pages of the program, which the kernel brings and takes away
/// as it likes.
fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(kib.trim().trim_end_matches("kB").trim().parse::<usize>().unwrap() << 10)
}

#[tokio::test]
async fn a_thousand_idle_scopes_take_one_connection_and_little_memory() {
    if resident().is_none() {
        return;
    }
    let table = Table::new("idle").await;
    for events in ["0", "1"] {
        let mut run = Command::new(env::current_exe().unwrap());
        run.args(["--ignored", "--exact", "--nocapture", "idle::a_thousand_scopes"]);
        run.env("TRACEVAULT_TEST_DATABASE_URL", url()).env(TABLE, &table.name).env(EVENTS, events);
        let output = tokio::task::spawn_blocking(move || run.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{events} events: {said}");
    }
    assert_eq!(table.count().await, 1 + 1 + 1_001 + 1);
    table.drop().await;
}

#[tokio::test]
#[ignore = "run by the test above, in a process of its own"]
async fn a_thousand_scopes() {
    let (Ok(table), Ok(events)) = (env::var(TABLE), env::var(EVENTS)) else { return };
    let name = unique("app");
    let separator = if url().contains("://") { if url().contains('?') { "&" } else { "?" } } else { " " };
    let config = Config::new(format!("{}{separator}application_name={name}", url())).table_name(&table);
    let audit = Tracevault::new(config).unwrap();
    let sql = kit::client().await;
    let connections = async || {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
        sql.query_one(count, &[&name]).await.unwrap().get::<_, i64>(0)
    };
    audit.emit("first").await.unwrap();
    assert_eq!(connections().await, 1);
    let mut scopes = Vec::with_capacity(SCOPES);
    let before = resident().unwrap();
    for _ in 0..SCOPES {
        scopes.push(audit.scope(ScopeOverrides::new()).unwrap());
    }
    // The writers have begun.
    tokio::task::yield_now().await;
    for _ in 0..events.parse().unwrap() {
        for scope in &scopes {
            scope.emit("e").await.unwrap();
        }
    }
    // The kernel may have taken pages away that are not needed any more.
    let cost = resident().unwrap().saturating_sub(before);
    assert_eq!(connections().await, 1);
    assert!(cost < MOST, "{cost} bytes for {SCOPES} scopes");
    scopes[SCOPES - 1].emit("last").await.unwrap();
    assert_eq!(audit.close().await.unwrap().left, 0);
}
