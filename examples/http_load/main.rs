//! What the capture layer costs a service, beside tower-http's layers and beside none, while every exchange is stored.
//!
//!     cargo run --release --example http_load --features axum -- [--seconds N] [--rounds N]
//!
//! Each service is asked at a fixed rate, for what one request waits, and by `wrk` (Debian: `apt-get install wrk`) as fast
//! as it goes. The services take turns, so that a noisy machine is noisy for all of them. The server is a private one with
//! fsync on, else the one of `DATABASE_URL`.
#![allow(
    dead_code,
    clippy::print_stdout,
    unreachable_pub,
    missing_docs,
    reason = "an example: it talks, and nobody imports it"
)]

#[path = "../../tests/support/mod.rs"]
mod support;

mod paced;
mod report;
mod services;
mod storage;
mod wrk;

use std::time::Duration;

use report::Report;
use services::{Service, serve};
use storage::Storage;
use support::{Cluster, Options, Purpose};

pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Requests a second, the usual load of a busy service.
const RATE: u32 = 2_000;

#[tokio::main]
async fn main() -> Outcome<()> {
    wrk::check()?;
    let window = Duration::from_secs(u64::from(argument("--seconds")?.unwrap_or(5)));
    let rounds = argument("--rounds")?.unwrap_or(5);
    let (_server, url) = if let Ok(url) = std::env::var("DATABASE_URL") {
        (None, url)
    } else {
        let bin = support::server_binaries(Purpose::Tests)?;
        let server = Cluster::start(Options { fsync: true, ..Options::new(bin) })?;
        let url = server.connection_string();
        (Some(server), url)
    };
    // TraceLayer alone does nothing: its lines are written as a service would have them, and thrown away.
    tracing_subscriber::fmt().with_env_filter("tower_http=debug").with_writer(std::io::sink).init();
    let storage = Storage::open(&url).await?;
    let mut report = Report::new(window, rounds);
    let mut addresses = Vec::new();
    for service in Service::ALL {
        addresses.push((service, serve(service.router(&storage)).await?));
    }
    for _ in 0..rounds {
        for (service, address) in &addresses {
            storage.empty().await?;
            let address = *address;
            let latencies = tokio::task::spawn_blocking(move || paced::run(address, RATE, window));
            report.waited(*service, latencies.await??);
        }
        for (service, address) in &addresses {
            storage.empty().await?;
            let before = storage.now();
            let rate = wrk::run(*address, window).await?;
            report.saturated(*service, rate, storage.since(before).await?);
        }
    }
    report.print(RATE);
    storage.clean_up().await
}

fn argument(name: &str) -> Outcome<Option<u32>> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    Ok(arguments.next().map(|value| value.parse()).transpose()?)
}
