//! The story's chapters in their order, and what comes after it.

use tracevault::{Config, Tracevault, deadpool_postgres::Pool, regex::Regex};

use super::{Told, doors, masking, reading, refusal, tables::Tables, transaction};

pub(super) async fn chapters(pool: Pool, tables: Tables) -> Told {
    tables.create(&pool).await?;
    let config = Config::default()
        .table_name(&tables.audit)
        .environment("quickstart")
        .mask_fields(["password"])
        .mask_patterns([Regex::new(r"[\w.+-]+@[\w-]+\.\w+")?]);
    let audit = Tracevault::with_pools(pool.clone(), None, config)?;

    doors::sync(&audit).await?;
    masking::masks(&audit).await?;
    doors::in_background(&audit).await?;
    doors::diff(&audit).await?;
    doors::scope(&audit, &tables).await?;
    transaction::commit_and_rollback(&audit, &pool).await?;
    refusal::refused(&audit).await?;
    reading::filters_and_pages(&audit).await?;
    reading::plain_sql(&audit, &tables, &pool).await?;
    let drained = audit.close().await?;
    assert_eq!((drained.failed, drained.left), (0, 0));
    what_next();
    Ok(())
}

pub(super) fn heading(number: u8, call: &str, promise: &str) {
    println!("\n{number}  {call}\n   {promise}");
}

fn what_next() {
    println!("\nNext");
    println!("   your database     DATABASE_URL=postgres://you@localhost/app cargo run --example quickstart");
    println!("   your table        sql/001_init_audit_logs.sql, or Config::ensure_schema(true)");
    println!("   more examples     --example scopes | transaction | sqlx | read | testing | webhooks | axum_app");
    println!("   every setting     cargo doc --no-deps --open");
}
