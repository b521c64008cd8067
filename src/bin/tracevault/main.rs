//! `tracevault`: makes audit tables, stores events from JSON lines, reads them back, shows them, and looks after spools.

mod argument;
mod console;
#[cfg(feature = "dashboard")]
mod dashboard;
mod database;
mod emit;
mod init_sql;
mod moment;
mod printable;
mod query;
mod signals;
#[cfg(feature = "spool")]
mod spool;
mod table_view;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::console::Exit;

const EXAMPLES: &str = "\
Examples:
  tracevault init-sql audit_logs | psql \"$DATABASE_URL\"
  echo '{\"event\":\"order.paid\",\"actor\":{\"id\":\"ann\",\"type\":\"user\"}}' | tracevault emit
  tracevault query --event order.paid --from 24h

Data goes to stdout, messages go to stderr. The connection string is never printed.";

/// Audit events on PostgreSQL: make the table, store events, read them
#[derive(Parser)]
#[command(name = "tracevault", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    InitSql(init_sql::Args),
    Emit(Box<emit::Args>),
    Query(Box<query::Args>),
    #[cfg(feature = "dashboard")]
    Dashboard(Box<dashboard::Args>),
    #[cfg(feature = "spool")]
    Spool(spool::Args),
}

fn main() -> ExitCode {
    let exit = match Cli::try_parse() {
        Ok(cli) => run(cli.command),
        Err(error) => console::usage(&error),
    };
    exit.into()
}

fn run(command: Command) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            console::say(console::explain(&error));
            return Exit::Database;
        }
    };
    match command {
        Command::InitSql(args) => init_sql::run(args),
        Command::Emit(args) => runtime.block_on(emit::run(*args)),
        Command::Query(args) => runtime.block_on(query::run(*args)),
        #[cfg(feature = "dashboard")]
        Command::Dashboard(args) => runtime.block_on(dashboard::run(*args)),
        #[cfg(feature = "spool")]
        Command::Spool(args) => runtime.block_on(spool::run(args)),
    }
}
