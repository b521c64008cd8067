//! The quickstart with a PostgreSQL built into it, for machines that have none: `cargo run -p tracevault-embedded`; with
//! `-- dashboard --demo`, the example of the dashboard.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

mod cache;
mod connector;
mod database;
mod server;
#[path = "../../traffic_dashboard/site/mod.rs"]
mod site;
#[path = "../../quickstart/story/mod.rs"]
mod story;

use std::process::ExitCode;

fn main() -> ExitCode {
    match tell() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            story::lament(&*error);
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn tell() -> story::Told {
    let cache = cache::Cache::writable()?;
    println!("Starting the PostgreSQL that is built into this program...");
    let (_guard, pool) = tokio::select! {
        started = database::start(cache) => started?,
        signal = story::interruption() => return Err(format!("ended by {signal}").into()),
    };
    let origin = "a PostgreSQL built into this program";
    if std::env::args().any(|argument| argument == "dashboard") {
        return site::serve(pool, origin, &site::Options::read()?).await;
    }
    story::tell(pool, origin).await
}
