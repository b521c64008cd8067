//! `tracevault init-sql`: the DDL on stdout.

use std::io::{self, Write as _};

use clap::ValueEnum;
use tracevault::{Error, Indexes, InitSql};

use crate::console::{self, Exit};

const EXAMPLES: &str = "\
Examples:
  tracevault init-sql audit_logs | psql \"$DATABASE_URL\"
  tracevault init-sql audit_user_events --schema compliance --indexes read-heavy > init.sql

Exit codes:
  0  printed
  1  stdout could not be written
  2  usage, or a name that cannot be used";

/// Print the SQL that makes an audit table and its indexes
///
/// Nothing is executed. Run again, the SQL adds what is missing and changes nothing else.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The table's name, such as `audit_logs`
    table: String,

    /// The schema, which must exist [default: the connection's search path]
    #[arg(long)]
    schema: Option<String>,

    /// Which indexes it gets
    #[arg(long, value_enum, default_value = "lean")]
    indexes: Choice,

    /// A traffic table with its rollups, in place of an audit table; where the search path leads to
    #[cfg(feature = "traffic")]
    #[arg(long, conflicts_with_all = ["indexes", "schema"])]
    traffic: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    /// Each filter's columns: for tables that are written more than read
    Lean,
    /// Each filter's columns, then the order of reads: for tables that are read more than written
    ReadHeavy,
}

pub(crate) fn run(args: Args) -> Exit {
    match rendered(args) {
        Ok(sql) => console::written(io::stdout().write_all(sql.as_bytes())),
        Err(Error::Config(error)) if error.key() == "table_name" => console::misused("`<TABLE>`", error.reason()),
        Err(error) => console::fail(&error),
    }
}

fn rendered(args: Args) -> Result<String, Error> {
    #[cfg(feature = "traffic")]
    if args.traffic {
        return tracevault::traffic::generate_traffic_init_sql(&args.table);
    }
    let indexes = match args.indexes {
        Choice::Lean => Indexes::Lean,
        Choice::ReadHeavy => Indexes::ReadHeavy,
    };
    let sql = InitSql::new(args.table).indexes(indexes);
    let sql = match args.schema {
        Some(schema) => sql.schema(schema),
        None => sql,
    };
    sql.render()
}
