//! `ensure_schema` and the script, on tables that are there already.

use std::time::{Duration, Instant};

use tracevault::Tracevault;

use super::*;

const OURS: &str = "tracevault audit table, schema version ";

async fn comment(table: &Table) -> Option<String> {
    let sql = "SELECT obj_description($1::text::regclass, 'pg_class')";
    table.sql.query_one(sql, &[&format!("\"{}\"", table.name)]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_table_of_a_newer_version_is_refused_and_stays_as_it_is() {
    let table = Table::new("newer").await;
    for version in [2, 10, u32::MAX] {
        let newer = format!("{OURS}{version}");
        table.sql.batch_execute(&format!("COMMENT ON TABLE \"{}\" IS '{newer}'", table.name)).await.unwrap();
        for ensure in [false, true] {
            let error = Tracevault::connect(table.config().ensure_schema(ensure)).await.unwrap_err().to_string();
            assert!(
                error.contains(&format!("schema version {version}")) && error.contains("update the crate"),
                "{error}"
            );
            assert_eq!(comment(&table).await.as_ref(), Some(&newer));
        }
        table.sql.batch_execute(&generate_init_sql(&table.name).unwrap()).await.unwrap();
        assert_eq!(comment(&table).await, Some(newer), "the script by hand leaves it too");
    }
    table.drop().await;
}

#[tokio::test]
async fn a_table_without_a_comment_gets_ours() {
    let table = Table::new("uncommented").await;
    table.sql.batch_execute(&format!("COMMENT ON TABLE \"{}\" IS NULL", table.name)).await.unwrap();
    Tracevault::connect(table.config().ensure_schema(true)).await.unwrap();
    assert_eq!(comment(&table).await, Some(format!("{OURS}1")));
    table.drop().await;
}

/// A reader's lock is enough to hold up what the script does, and behind it every writer.
#[tokio::test]
async fn a_table_of_this_version_is_not_locked() {
    let mut table = Table::new("unlocked").await;
    let name = table.name.clone();
    let config = table.config().statement_timeout(Duration::from_secs(60));
    let reader = table.sql.transaction().await.unwrap();
    reader.query(&format!("SELECT count(*) FROM \"{name}\""), &[]).await.unwrap();
    let began = Instant::now();
    let audit = Tracevault::connect(config.clone().ensure_schema(true)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    audit.emit("while a reader reads").await.unwrap();
    reader.rollback().await.unwrap();

    // Nor is a writer's lock waited for.
    let writer = table.sql.transaction().await.unwrap();
    audit.emit_in(&writer, "uncommitted").await.unwrap();
    let began = Instant::now();
    Tracevault::connect(config.ensure_schema(true)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    writer.rollback().await.unwrap();
    assert_eq!(table.count().await, 1);
    table.drop().await;
}
