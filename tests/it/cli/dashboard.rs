//! `tracevault dashboard`: the pages over an existing database, from a process of its own.

use std::{
    io::{BufRead as _, BufReader},
    process::Child,
    time::Duration,
};

use tracevault::time::OffsetDateTime;

use super::{ended, run_at, tracevault, until};
use crate::{
    kit::{self, Table},
    traffic::Site,
};

/// It serves; where.
fn serving(args: &[&str]) -> (Child, String) {
    let args = [&["dashboard", "--listen", "127.0.0.1:0"], args].concat();
    let mut child = tracevault(&args, &kit::url()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "it did not serve");
    (child, line.trim_end().to_owned())
}

fn signal(child: &Child, name: &str) {
    crate::support::processes::signal(name, &[child.id()]).unwrap();
}

#[test]
fn without_credentials_it_says_what_there_is() {
    let ran = run_at("postgres://user@127.0.0.1:1/db", &["dashboard"], "");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("TRAFFIC_ADMIN_USER") && ran.err.contains("--insecure-no-auth"), "{}", ran.err);
    let both = run_at("postgres://user@127.0.0.1:1/db", &["dashboard", "--insecure-no-auth", "--user", "a"], "");
    assert_eq!(both.code, 2, "{}", both.err);
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:3001"] {
        let open = ["dashboard", "--no-audit", "--insecure-no-auth", "--listen", address];
        let open = run_at("postgres://user@127.0.0.1:1/db", &open, "");
        assert_eq!((open.code, open.err.contains("TRAFFIC_ADMIN_USER")), (2, true), "{}", open.err);
    }
    let port = ["dashboard", "--no-audit", "--insecure-no-auth", "--listen", "127.0.0.1:99999"];
    assert_eq!(run_at("postgres://user@127.0.0.1:1/db", &port, "").code, 2);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let twice = ["dashboard", "--no-audit", "--insecure-no-auth", "--listen", &address];
    let twice = run_at("postgres://user@127.0.0.1:1/db", &twice, "");
    assert_eq!(twice.code, 3);
    assert!(twice.err.contains(&address) && twice.err.contains("--listen"), "{}", twice.err);
    let table = ["dashboard", "--insecure-no-auth", "--traffic-table", "x; drop"];
    let table = run_at("postgres://user@127.0.0.1:1/db", &table, "");
    assert_eq!(table.code, 2);
    assert!(table.err.contains("--traffic-table"), "{}", table.err);
}

#[test]
fn the_traffic_table_is_printed_too() {
    let ran = run_at("", &["init-sql", "web_traffic", "--traffic"], "");
    let expected = tracevault::traffic::generate_traffic_init_sql("web_traffic").unwrap();
    assert_eq!((ran.code, ran.out), (0, expected));
    assert_eq!(run_at("", &["init-sql", "x; drop", "--traffic"], "").code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_traffic_and_audit_events_and_ends_when_it_is_told_to() {
    let (site, table) = (Site::new("cli_board").await, Table::new("cli_board_audit").await);
    site.fill(500, OffsetDateTime::now_utc() - Duration::from_secs(1_800), 1_700).await;
    let args = ["--traffic-table", &site.name, "--table", &table.name, "--user", "admin", "--password", "secret"];
    let (child, url) = serving(&args);
    let client = reqwest::Client::new();
    let get = |path: &str| client.get(format!("{url}{path}")).header("authorization", "Basic YWRtaW46c2VjcmV0").send();

    assert_eq!(client.get(&url).send().await.unwrap().status(), 401);
    let overview: serde_json::Value =
        serde_json::from_str(&get("api/overview?range=1h").await.unwrap().text().await.unwrap()).unwrap();
    let total: i64 = site.one("SELECT sum(weight) FROM \"@\"").await;
    assert_eq!(overview["totalRequests"], total);
    assert_eq!(get("audit").await.unwrap().status(), 200);
    let viewed = "SELECT event || ' ' || actor_id FROM";
    let viewed: String = site.sql.query_one(&format!("{viewed} \"{}\"", table.name), &[]).await.unwrap().get(0);
    assert_eq!(viewed, "tracevault.dashboard.viewed admin");

    signal(&child, "TERM");
    assert_eq!(ended(child).code, 143);
    site.drop().await;
    table.drop().await;
}

/// Whoever rolls up may be killed at any moment: totals are those of the rows, then and afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_while_it_rolls_up_leaves_equal_totals() {
    let site = Site::new("cli_killed").await;
    let begin = OffsetDateTime::now_utc() - Duration::from_secs(5 * 3_600);
    let range = (begin - Duration::from_secs(600), OffsetDateTime::now_utc() + Duration::from_secs(600));
    let mut killed_at_work = 0;
    for round in 0..8_u64 {
        site.fill(4_000, begin, 5 * 3_500).await;
        let args = ["--traffic-table", &site.name, "--no-audit", "--insecure-no-auth", "--roll-up"];
        let (child, _) = serving(&args);
        let marks = "SELECT count(*) FROM \"@_marks\"";
        let first: i64 = site.one(marks).await;
        until("it has begun", async || site.one::<i64>(marks).await < first).await;
        tokio::time::sleep(Duration::from_millis(round * 15)).await;
        signal(&child, "KILL");
        ended(child);
        killed_at_work += i64::from(site.one::<i64>(marks).await > 0);
        site.check(range.0, range.1).await;
    }
    assert!(killed_at_work >= 4, "{killed_at_work} of 8 were killed at work");
    // The lock of the last one goes with its connection.
    until("the lock is free", async || site.traffic.roll_up().await.unwrap().is_some()).await;
    site.roll().await;
    site.check(range.0, range.1).await;
    site.check_tables().await;
    site.drop().await;
}
