//! The tables themselves.

use std::process::{Command, Stdio};

use tracevault::traffic::{Traffic, generate_traffic_init_sql};

use super::{Site, pool};
use crate::{
    kit::{self, Table, unique},
    support::needs,
};

#[tokio::test]
async fn psql_runs_it_twice() {
    if !needs("psql", Command::new("psql").arg("--version").output().is_ok(), "apt-get install postgresql-client") {
        return;
    }
    let site = Site::new("psql").await;
    let script = generate_traffic_init_sql(&site.name).unwrap();
    for _ in 0..2 {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-v", "ON_ERROR_STOP=1", "-d", &kit::url()]);
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = psql.spawn().unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(site.one::<i64>("SELECT count(*) FROM pg_inherits WHERE inhparent = '\"@\"'::regclass").await, 9);
    assert_eq!(site.one::<i64>("SELECT count(*) FROM pg_trigger WHERE tgrelid = '\"@\"'::regclass").await, 3);
    site.drop().await;
}

#[tokio::test]
async fn many_processes_make_it_at_once_and_a_second_time_nothing_is_locked() {
    let name = unique("boot");
    let boot = || async {
        let traffic = Traffic::builder(pool()).table_name(&name).roll_up(false).build().unwrap();
        traffic.ensure_schema().await.map(|()| traffic)
    };
    let (one, two, three) = tokio::join!(boot(), boot(), boot());
    let traffic = one.unwrap();
    two.unwrap();
    three.unwrap();
    let site = Site { name, sql: kit::client().await, traffic };
    // Nobody could lock anything of it now.
    site.run("BEGIN; LOCK TABLE \"@\" IN ACCESS SHARE MODE").await;
    site.traffic.ensure_schema().await.unwrap();
    site.run("COMMIT").await;
    site.drop().await;
}

#[tokio::test]
async fn another_schema_has_tables_of_the_same_name() {
    let site = Site::new("schemas").await;
    let schema = unique("Schema");
    site.run(&format!("CREATE SCHEMA \"{schema}\"")).await;
    let other = Traffic::builder(pool()).table_name(&site.name).schema(&schema).roll_up(false).build().unwrap();
    other.ensure_schema().await.unwrap();
    site.run(&format!(
        "INSERT INTO \"{schema}\".\"@\" (started_at, ended_at, duration_us, is_slow, method, route, original_url, status_code) \
         VALUES ('2026-03-07Z', now(), 1, false, 'GET', '/', '/', 200)"
    ))
    .await;
    assert_eq!(other.roll_up().await.unwrap().unwrap().minutes, 1);
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@_total_1m\"").await, 0);
    site.run(&format!("DROP SCHEMA \"{schema}\" CASCADE")).await;
    site.drop().await;
}

#[tokio::test]
async fn something_else_of_that_name_is_left_alone() {
    let table = Table::new("taken").await;
    let traffic = Traffic::builder(pool()).table_name(&table.name).roll_up(false).build().unwrap();
    let error = traffic.ensure_schema().await.unwrap_err().to_string();
    assert!(error.contains("choose another `table_name`"), "{error}");
    table.drop().await;
}

#[tokio::test]
async fn a_table_of_a_later_version_is_refused() {
    let site = Site::new("later").await;
    site.run("COMMENT ON TABLE \"@\" IS 'tracevault traffic table, schema version 2'").await;
    let error = site.traffic.ensure_schema().await.unwrap_err().to_string();
    assert!(error.contains("later version"), "{error}");
    site.drop().await;
}

#[tokio::test]
async fn missing_tables_are_explained() {
    let traffic = Traffic::builder(pool()).table_name(unique("none")).roll_up(false).build().unwrap();
    let range = tracevault::traffic::Range::last(std::time::Duration::from_secs(60)).unwrap();
    let query = tracevault::traffic::OverviewQuery::new(range);
    let error = traffic.overview(&query).await.unwrap_err().to_string();
    assert!(error.contains("Traffic::ensure_schema"), "{error}");
}
