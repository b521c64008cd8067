//! The DDL of a traffic table. `sql/002_init_traffic.sql` is its one copy, and is rendered here for other tables.

use super::names::Names;
use crate::{error::Error, table::TableName};

/// The DDL of the default table, as it stands in the repository.
const DEFAULT: &str = include_str!("../../sql/002_init_traffic.sql");
/// The shape that this version writes and reads; it stands in the table's comment.
pub(super) const VERSION: u32 = 1;
/// What the table's comment says before the version.
pub(super) const COMMENT: &str = "tracevault traffic table, schema version ";

/// The DDL of a traffic table: its days, its rollups, and what keeps them true. Idempotent; nothing is executed.
///
/// `generate_traffic_init_sql("traffic_logs")` is `sql/002_init_traffic.sql`, byte for byte. The rollups are named after
/// the table: `<table>_total_1m` and so on, and of a name of more than 40 characters a part and a digest.
///
/// # Errors
/// `Config` when the name is not a plain SQL name of at most 63 characters.
///
/// ```
/// let sql = tracevault::traffic::generate_traffic_init_sql("web_traffic")?;
/// assert!(sql.contains(r#"CREATE TABLE IF NOT EXISTS "web_traffic_route_1h""#));
/// # Ok::<(), tracevault::Error>(())
/// ```
pub fn generate_traffic_init_sql(table: &str) -> Result<String, Error> {
    Ok(render(&Names::new(TableName::new(table)?)))
}

pub(super) fn render(names: &Names) -> String {
    let line = |line: &str| if line.starts_with("--") { line.to_owned() } else { names.sql(line) };
    DEFAULT.split_inclusive('\n').map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_rendering_is_the_file() {
        assert_eq!(generate_traffic_init_sql("traffic_logs").unwrap(), DEFAULT);
    }

    #[test]
    fn another_table_shares_no_name_with_the_default() {
        let sql = generate_traffic_init_sql("web").unwrap();
        let rest: Vec<_> =
            sql.lines().filter(|line| !line.starts_with("--") && line.contains("traffic_logs")).collect();
        assert!(rest.is_empty(), "{rest:#?}");
    }

    #[test]
    fn long_tables_with_a_shared_prefix_get_rollups_of_their_own() {
        let stem =
            |end: &str| Names::new(TableName::new(&format!("{}{end}", "t".repeat(62))).unwrap()).stem().to_owned();
        assert_ne!(stem("a"), stem("b"));
        assert_eq!(stem("a").len(), 40);
    }

    #[test]
    fn a_schema_stands_before_every_table_and_no_index() {
        let table = TableName::new("t").unwrap().in_schema("S").unwrap();
        let sql = render(&Names::new(table));
        assert!(sql.contains(r#"CREATE TABLE IF NOT EXISTS "S"."t" ("#));
        assert!(sql.contains(r#"CREATE INDEX IF NOT EXISTS "idx_t_user" ON "S"."t" ("#));
        assert!(sql.contains(r#"format('"S"."t_p%s"', "#));
    }

    #[test]
    fn the_comment_carries_the_version() {
        assert!(DEFAULT.contains(&format!("'{COMMENT}{VERSION}'")));
    }
}
