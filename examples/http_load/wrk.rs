//! `wrk`, which asks as fast as it gets answers.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use tokio::process::Command;

use crate::Outcome;

/// Whether it is there.
pub fn check() -> Outcome<()> {
    // It has no way of asking for nothing: its usage, and an exit code of 1, will do.
    let found = std::process::Command::new("wrk").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.map(drop).map_err(|_| "wrk is missing: apt-get install wrk".into())
}

/// Requests a second, over 64 connections.
pub async fn run(address: SocketAddr, window: Duration) -> Outcome<f64> {
    let url = format!("http://{address}/hello");
    let duration = format!("{}s", window.as_secs());
    let output = Command::new("wrk").args(["-t", "1", "-c", "64", "-d", &duration, &url]).output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("not every request was answered:\n{text}").into());
    }
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    Ok(rate.ok_or_else(|| format!("wrk said no rate:\n{text}"))?.trim().parse()?)
}
