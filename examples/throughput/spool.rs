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
    ways::{Emitted, asynchronous},
};

/// What an event takes on disk, about.
const EVENT: [u8; 700] = [b'x'; 700];

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
