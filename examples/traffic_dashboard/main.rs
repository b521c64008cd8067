//! A small API with its traffic on a dashboard: `cargo run --example traffic_dashboard --features dashboard -- --demo`.
//!
//! The dashboard is at `/traffic-dashboard`, for `admin` with `password`. `--demo` fills it with a day of lively traffic
//! and keeps it lively; `--check` looks at all of it once, and ends. The database is found or made as for the quickstart;
//! what is stored goes when the example ends. What it serves is in `site`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

mod site;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

use tracevault::{
    deadpool_postgres::{Manager, Pool},
    tokio_postgres::NoTls,
};

use self::{
    site::{Options, Told},
    support::{Database, Purpose, database},
};

fn main() -> ExitCode {
    match Options::read().and_then(|options| serve(&database(Purpose::Examples)?, &options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(database: &Database, options: &Options) -> Told {
    let config = database.url().parse().map_err(|_| "the database's URL is neither a URL nor key=value pairs")?;
    let pool = Pool::builder(Manager::new(config, NoTls)).max_size(10).build()?;
    site::serve(pool, &database.origin().to_string(), options).await
}
