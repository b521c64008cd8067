//! How fast events become rows, beside plain SQL on the same server in the same run.
//!
//!     cargo run --release --example throughput -- [--json] [--seconds N]
//!
//! The server is a private one with fsync on, else the one of `DATABASE_URL`. The ways are measured in turn, in several
//! rounds, and medians are shown: machines are noisy, ratios within one run much less so. With `--features spool` also
//! the spool, in the temporary folder, beside the memory queue and the disk's own `fsync`.
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
mod latency;
mod limits;
mod order;
mod plain;
mod report;
mod spool;
mod ways;

use std::time::Duration;

use bench::{Bench, Outcome};
use report::Report;
use support::{Cluster, Options, Purpose};

const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Outcome<()> {
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
    let mut report = Report::default();
    for _ in 0..ROUNDS {
        report.rate("baseline", bench.baseline().await?);
        for callers in [1, 64, 256] {
            let (rate, latencies) = bench.sync(callers).await?;
            report.rate(&format!("sync_{callers}"), rate);
            report.latencies(&format!("sync_{callers}"), latencies);
        }
        report.rate("async_stored", bench.async_stored(1).await?);
        report.rate("async_stored_2", bench.async_stored(2).await?);
        if cfg!(feature = "spool") {
            spool::measure(&bench, &url, &mut report).await?;
        }
        report.rate("copy_one_shot", bench.copy_one_shot().await?);
        report.rate("two_copies", bench.two_copies(&url).await?);
        report.rate("insert_select", bench.insert_select().await?);
        report.rate("eight_connections", bench.eight_connections(&url).await?);
    }
    if json {
        println!("{}", report.json());
    } else {
        println!("fsync is {}; events of about 500 bytes of JSON; medians of {ROUNDS} rounds", bench.fsync().await?);
        report.print();
    }
    bench.clean_up().await
}
