//! The spool beside the memory queue, and the disk that it is on.

use std::{
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use tracevault::{SpoolConfig, Tracevault, uuid::Uuid};

use crate::{
    bench::{Bench, Outcome, config},
    report::Report,
    ways::{Emitted, asynchronous},
};

/// What an event takes on disk, about.
const EVENT: [u8; 700] = [b'x'; 700];

/// Beside the memory queue, at the same number of callers, and beside the disk.
pub async fn measure(bench: &Bench, url: &str, report: &mut Report) -> Outcome<()> {
    let memory = bench.async_accepted(64).await?;
    report.rate("async_64", memory.accepted);
    report.latencies("async_64", memory.latencies);
    report.rate("async_64_stored", memory.stored);
    for callers in [1, 64] {
        let spooled = bench.spooled(url, callers).await?;
        report.rate(&format!("spool_{callers}"), spooled.accepted);
        report.latencies(&format!("spool_{callers}"), spooled.latencies);
        report.rate(&format!("spool_{callers}_stored"), spooled.stored);
    }
    let (rate, latencies) = bench.fsyncs()?;
    report.rate("disk_fsync", rate);
    report.latencies("disk_fsync", latencies);
    Ok(())
}

impl Bench {
    /// So many callers, each waiting until its event is on disk before its next, while one writer stores.
    pub async fn spooled(&self, url: &str, callers: usize) -> Outcome<Emitted> {
        let folder = Folder::new();
        let audit = Tracevault::connect(config(url, &self.table).spool(SpoolConfig::new(&folder.0))).await?;
        let emitted = self.emit(&audit.scope(asynchronous())?, callers).await?;
        audit.close().await?;
        Ok(emitted)
    }

    /// What the disk takes for as much as one event, again and again.
    pub fn fsyncs(&self) -> Outcome<(f64, Vec<Duration>)> {
        let folder = Folder::new();
        fs::create_dir(&folder.0)?;
        let mut file = File::create(folder.0.join("file"))?;
        let (began, mut latencies) = (Instant::now(), Vec::new());
        while began.elapsed() < self.window {
            let called = Instant::now();
            file.write_all(&EVENT)?;
            file.sync_data()?;
            latencies.push(called.elapsed());
        }
        Ok((f64::from(u32::try_from(latencies.len())?) / began.elapsed().as_secs_f64(), latencies))
    }
}

/// Removed with what is in it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("tracevault-throughput-{}", Uuid::new_v4().simple())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
