//! The first thing to run: `cargo run --example quickstart`.
//!
//! On the database that `TRACEVAULT_DATABASE_URL` or `DATABASE_URL` names; without one, on a throwaway PostgreSQL from
//! this machine's own programs or in a container; and where there is neither, on one built into a program
//! (`examples/embedded`), which it then builds and runs by itself. What it tells is in `story`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

mod embedded;
mod story;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::{env, process::ExitCode, time::Duration};

use tracevault::{
    deadpool_postgres::{Manager, Pool},
    tokio_postgres::{self, NoTls},
};

use self::support::{Database, Origin, Purpose, binaries::PG_BIN, database};

fn main() -> ExitCode {
    match database(Purpose::Examples) {
        Ok(database) => match tell(&database) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                story::lament(&*error);
                if let (true, Origin::Environment(variable)) = (error.is::<tokio_postgres::Error>(), database.origin())
                {
                    eprintln!("\n{variable} is set; without it, the quickstart finds or makes a database itself.");
                }
                ExitCode::FAILURE
            }
        },
        // What was named and cannot be used is to be corrected, not passed over.
        Err(none) if env::var_os(PG_BIN).is_some() || !embedded::is_here() => {
            story::lament(&none);
            ExitCode::FAILURE
        }
        Err(_) => {
            story::lament(&embedded::take_over());
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn tell(database: &Database) -> story::Told {
    let unreadable = |_| {
        let named = match database.origin() {
            Origin::Environment(variable) => variable,
            _ => "the connection string",
        };
        format!("{named} is neither a postgres:// URL nor key=value pairs")
    };
    let mut config: tokio_postgres::Config = database.url().parse().map_err(unreadable)?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(5));
    }
    let pool = Pool::builder(Manager::new(config, NoTls)).max_size(4).build()?;
    story::tell(pool, &database.origin().to_string()).await
}
