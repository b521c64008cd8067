//! The DDL: what it renders, what it makes, and what it leaves alone.

mod ensure;
pub mod node;
mod roles;

use std::{
    future::poll_fn,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_postgres::{AsyncMessage, Client};
use tracevault::{
    Event, Indexes, InitSql, TableName, generate_init_sql,
    query::{self, CountFilters, Filters},
};

use crate::{
    kit::{self, Table},
    support::needs,
};

/// The ends of our indexes' names.
const SUFFIXES: [&str; 8] =
    ["event", "actor", "target", "occurred_at", "correlation_id", "request_id", "error_code", "errors"];

async fn indexes(sql: &Client, table: &str) -> Vec<String> {
    let rows = sql.query("SELECT indexname::text FROM pg_indexes WHERE tablename = $1", &[&table]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[test]
fn the_default_table_is_the_file_byte_for_byte() {
    assert_eq!(generate_init_sql("audit_logs").unwrap(), include_str!("../../sql/001_init_audit_logs.sql"));
}

#[test]
fn names_that_are_no_names_are_refused() {
    for name in ["", "1a", "a-b", "a b", "a\"b", "a;b", "ä", "a.b", &"a".repeat(64)] {
        assert!(matches!(generate_init_sql(name), Err(tracevault::Error::Config(_))), "{name}");
        assert!(InitSql::new("t").schema(name).render().is_err(), "{name}");
    }
}

#[test]
fn a_schema_of_the_default_tables_name_is_no_trap() {
    let sql = InitSql::new("t").schema("audit_logs").render().unwrap();
    assert!(sql.contains(r#"CREATE TABLE IF NOT EXISTS "audit_logs"."t" ("#), "{sql}");
    assert!(sql.contains(r#"CREATE INDEX IF NOT EXISTS "idx_t_event" ON "audit_logs"."t" (event);"#), "{sql}");
}

#[tokio::test]
async fn psql_runs_it_twice() {
    if !needs("psql", Command::new("psql").arg("--version").output().is_ok(), "apt-get install postgresql-client") {
        return;
    }
    let table = Table::missing("psql").await;
    let script = generate_init_sql(&table.name).unwrap();
    for _ in 0..2 {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-v", "ON_ERROR_STOP=1", "-d", &kit::url()]);
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = psql.spawn().unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(indexes(&table.sql, &table.name).await.len(), 9);
    table.drop().await;
}

#[tokio::test]
async fn it_runs_again_on_a_table_with_rows() {
    let table = Table::new("again").await;
    table.audit().emit("before").await.unwrap();
    let before = shape(&table).await;
    table.sql.batch_execute(&generate_init_sql(&table.name).unwrap()).await.unwrap();
    assert_eq!(shape(&table).await, before);
    assert_eq!(table.count().await, 1);
    table.drop().await;
}

async fn shape(table: &Table) -> Vec<String> {
    let sql = "SELECT attname || format_type(atttypid, atttypmod) || attnotnull FROM pg_attribute \
               WHERE attrelid = $1::text::regclass AND attnum > 0 \
               UNION ALL SELECT indexdef FROM pg_indexes WHERE tablename = $2";
    let rows = table.sql.query(sql, &[&format!("\"{}\"", table.name), &table.name]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn tables_with_long_names_that_begin_alike_get_all_their_indexes() {
    let client = kit::client().await;
    let prefix = format!("{:a<62}", kit::unique("long"));
    for choice in [Indexes::Lean, Indexes::ReadHeavy] {
        for end in ["x", "y"] {
            let name = format!("{prefix}{end}");
            client.batch_execute(&InitSql::new(&name).indexes(choice).render().unwrap()).await.unwrap();
        }
    }
    for end in ["x", "y"] {
        let name = format!("{prefix}{end}");
        let found = indexes(&client, &name).await;
        assert_eq!(found.len(), 17, "eight of each set and the primary key: {found:#?}");
        for suffix in SUFFIXES {
            assert_eq!(found.iter().filter(|index| index.contains(suffix)).count(), 2, "{suffix}: {found:#?}");
        }
        client.batch_execute(&format!("DROP TABLE \"{name}\"")).await.unwrap();
    }
}

#[tokio::test]
async fn another_schema_has_a_table_of_the_same_name() {
    let table = Table::new("schema").await;
    let schema = kit::unique("Schema");
    table.sql.batch_execute(&format!("CREATE SCHEMA \"{schema}\"")).await.unwrap();
    let sql = InitSql::new(&table.name).schema(&schema).indexes(Indexes::ReadHeavy).render().unwrap();
    table.sql.batch_execute(&sql).await.unwrap();
    table.sql.batch_execute(&sql).await.unwrap();
    let count = "SELECT count(*) FROM pg_indexes WHERE schemaname = $1 AND tablename = $2";
    assert_eq!(table.sql.query_one(count, &[&schema, &table.name]).await.unwrap().get::<_, i64>(0), 9);

    let audit = tracevault::Tracevault::connect(table.config().schema(&schema)).await.unwrap();
    audit.emit("there").await.unwrap();
    assert_eq!(table.count().await, 0);
    assert_eq!(audit.query().find_many(Filters::new()).await.unwrap()[0].event, "there");
    let other = audit.query().scope(&table.name).unwrap();
    assert_eq!(other.table().schema(), Some(schema.as_str()), "a query's scope stays in its schema");
    table.sql.batch_execute(&format!("DROP SCHEMA \"{schema}\" CASCADE")).await.unwrap();
    table.drop().await;
}

/// A connection that hands over the plans of what is sent on it.
async fn explained() -> Option<(Client, UnboundedReceiver<String>)> {
    let (client, mut connection) = tokio_postgres::connect(&kit::url(), tokio_postgres::NoTls).await.unwrap();
    let (plans, received) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notice(notice) = message {
                let _ = plans.send(notice.message().to_owned());
            }
        }
    });
    let has_it = client.batch_execute("LOAD 'auto_explain'").await.is_ok();
    if !needs("auto_explain", has_it, "apt-get install postgresql-contrib") {
        return None;
    }
    let settings = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET auto_explain.log_min_duration = 0; \
                    SET auto_explain.log_level = NOTICE; SET auto_explain.log_timing = off;";
    client.batch_execute(settings).await.unwrap();
    Some((client, received))
}

#[tokio::test]
async fn every_filters_index_is_usable_by_the_statements_that_are_sent() {
    let Some((client, mut plans)) = explained().await else { return };
    let now = time::OffsetDateTime::now_utc();
    for choice in [Indexes::Lean, Indexes::ReadHeavy] {
        let table = Table::missing("explain").await;
        table.sql.batch_execute(&InitSql::new(&table.name).indexes(choice).render().unwrap()).await.unwrap();
        let fill = format!(
            "INSERT INTO \"{0}\" (id, event, mode, occurred_at, actor_id, target_id, correlation_id, request_id, data) \
             SELECT gen_random_uuid(), 'e' || n % 9, 'sync', now() - n * interval '1 s', 'a' || n, 't' || n, 'c' || n, \
             'r' || n, jsonb_build_object('outcome', CASE n % 50 WHEN 0 THEN 'failure' END, 'error', \
             jsonb_build_object('code', CASE n % 50 WHEN 0 THEN 'c' || n END)) FROM generate_series(1, 3000) AS n; \
             ANALYZE \"{0}\"",
            table.name
        );
        table.sql.batch_execute(&fill).await.unwrap();
        let name = TableName::new(&table.name).unwrap();
        let count = CountFilters::new;
        for (suffix, filters) in [
            ("event", count().event("e1")),
            ("actor", count().actor_id("a7").actor_type("user")),
            ("actor", count().actor_id("a7")),
            ("target", count().target_id("t7").target_type("x")),
            ("correlation_id", count().correlation_id("c7")),
            ("request_id", count().request_id("r7")),
            ("error_code", count().error_code("c50")),
            ("errors", count().errors_only().from(now)),
            ("occurred_at", count().from(now).to(now)),
        ] {
            query::count(&client, &name, &filters).await.unwrap();
            expect_index(&plans.recv().await.unwrap(), &table.name, suffix, choice);
        }
        // In order, these need no sort either.
        for (suffix, filters) in [("errors", Filters::new().errors_only()), ("occurred_at", Filters::new())] {
            query::find_many(&client, &name, &filters).await.unwrap();
            let plan = plans.recv().await.unwrap();
            expect_index(&plan, &table.name, suffix, choice);
            assert!(!plan.contains("Sort"), "{plan}");
        }
        if choice == Indexes::ReadHeavy {
            query::find_many(&client, &name, &Filters::new().event("e1")).await.unwrap();
            let plan = plans.recv().await.unwrap();
            assert!(!plan.contains("Sort"), "{plan}");
        }
        query::find_by_id(&client, &name, uuid::Uuid::nil()).await.unwrap();
        let plan = plans.recv().await.unwrap();
        assert!(plan.contains("_pkey"), "{plan}");
        table.drop().await;
    }
}

fn expect_index(plan: &str, table: &str, suffix: &str, choice: Indexes) {
    let time = if choice == Indexes::Lean { "" } else { "_time" };
    let index = format!("idx_{table}_{suffix}{time}");
    assert!(plan.contains(&format!("using {index} ")), "without {index}:\n{plan}");
}

#[tokio::test]
async fn generated_columns_trim_cut_and_never_fail_an_insert() {
    let table = Table::new("generated").await;
    let audit = table.audit();
    let long = |n| "é".repeat(n);
    let read = |data: Value| {
        let (audit, table) = (&audit, &table);
        async move {
            let id = audit.emit(Event::new("e").data(data)).await.unwrap().id;
            let rows = table.select("outcome, error_code, severity", "WHERE id = $1", &[&id]).await;
            let column = |index| rows[0].get::<_, Option<String>>(index);
            (column(0), column(1), column(2))
        }
    };
    let some = |text: &str| Some(text.to_owned());
    let set = |outcome: Value, code: Value, severity: Value| json!({ "outcome": outcome, "error": { "code": code }, "severity": severity });
    assert_eq!(read(json!({})).await, (None, None, None));
    assert_eq!(
        read(set(json!(" \t failure\r\n"), json!("\tE1 "), json!("error "))).await,
        (some("failure"), some("E1"), some("error"))
    );
    assert_eq!(read(set(json!(""), json!(" \t\r\n "), json!("\n"))).await, (None, None, None));
    assert_eq!(
        read(set(json!(long(64)), json!(long(255)), json!(long(32)))).await,
        (Some(long(64)), Some(long(255)), Some(long(32)))
    );
    assert_eq!(
        read(set(json!(long(65)), json!(long(70_000)), json!(format!("  {}", long(33))))).await,
        (Some(long(64)), Some(long(255)), Some(long(32)))
    );
    assert_eq!(read(set(json!(5), json!(404), json!(true))).await, (some("5"), some("404"), some("true")));
    assert_eq!(
        read(set(json!({ "a": 1 }), json!(["x"]), json!(null))).await,
        (some(r#"{"a": 1}"#), some(r#"["x"]"#), None)
    );
    assert_eq!(read(json!({ "error": "text" })).await.1, None);
    assert_eq!(read(json!({ "error": [{ "code": "x" }] })).await.1, None);
    let id = audit.emit("without data").await.unwrap().id;
    let rows =
        table.select("outcome IS NULL AND error_code IS NULL AND severity IS NULL", "WHERE id = $1", &[&id]).await;
    assert!(rows[0].get::<_, bool>(0));
    table.drop().await;
}
