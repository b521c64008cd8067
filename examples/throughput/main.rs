//! How fast events become rows, beside a loop of plain prepared inserts on the same server in the same run.
//!
//!     cargo run --release --example throughput -- [--json] [--seconds N]
//!
//! The server is a private one with fsync on, else the one of `DATABASE_URL`. The ways are measured in turn, in several
//! rounds, and medians are shown: machines are noisy, ratios within one run much less so.
#![allow(
    dead_code,
    clippy::print_stdout,
    unreachable_pub,
    missing_docs,
    reason = "an example: it talks, and nobody imports it"
)]

#[path = "../../tests/support/mod.rs"]
mod support;

mod bench;
mod order;
mod ways;

use std::time::Duration;

use bench::Bench;
use support::{Cluster, Options, Purpose};

const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = arguments.iter().position(|argument| argument == "--seconds");
    let seconds: f64 = seconds.and_then(|at| arguments.get(at + 1)).map_or(Ok(1.0), |text| text.parse())?;
    let json = arguments.iter().any(|argument| argument == "--json");

    let (_server, url) = if let Ok(url) = std::env::var("DATABASE_URL") {
        (None, url)
    } else {
        let bin = support::server_binaries(Purpose::Tests)?;
        let server = Cluster::start(Options { fsync: true, ..Options::new(bin) })?;
        let url = server.connection_string();
        (Some(server), url)
    };
    let bench = Bench::prepare(&url, Duration::from_secs_f64(seconds)).await?;
    let names = ["baseline", "sync_1", "sync_64", "async_stored"];
    let mut rates = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        rates[0].push(bench.baseline().await?);
        rates[1].push(bench.sync(1).await?);
        rates[2].push(bench.sync(64).await?);
        rates[3].push(bench.async_stored().await?);
    }
    let medians = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    });
    bench.clean_up().await?;

    if json {
        let object: serde_json::Map<_, _> =
            names.iter().zip(medians).map(|(name, rate)| ((*name).to_owned(), rate.round().into())).collect();
        println!("{}", serde_json::Value::from(object));
    } else {
        println!("fsync is {}; events of about 500 bytes of JSON; medians of {ROUNDS} rounds", bench.fsync().await?);
        println!("{:<14} {:>10} {:>9}", "", "events/s", "ratio");
        for (name, rate) in names.iter().zip(medians) {
            println!("{name:<14} {rate:>10.0} {:>8.2}x", rate / medians[0]);
        }
        println!("baseline: one prepared INSERT a statement, plain tokio-postgres, one connection");
    }
    Ok(())
}
