//! A machine that loses its power: what had not left the page cache of the spool's file system is gone.
//!
//! The directory is on ext4 on a loop device. Reading the file behind that device gives what the file system has written
//! to its disk by then, and nothing that it only keeps in memory; so a copy of it, made while everything stands still,
//! is the disk after a power cut. Mounted, its journal is replayed, and the next process goes on with it. What a disk
//! may lose of its own cache is not seen here. The control shows that the copy lacks what was not synced.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tracevault::SpoolSync;
use uuid::Uuid;

use super::{
    Dir,
    emitter::{Emitter, Orders},
    stored::{self, Figures},
};
use crate::{
    endurance::{Random, long, say},
    kit,
    support::{account::Account, command::run, needs, processes::signal, watchdog::Watchdog},
};

const SHORT: Duration = Duration::from_secs(20);
const SIZE: u64 = 64 << 20;
/// Where nobody listens.
const AWAY: &str = "host=127.0.0.1 port=1 user=nobody connect_timeout=1";

/// A file with ext4 in it, mounted. Dropped, it is unmounted; by the watchdog too, however this process ends.
struct Disk {
    image: PathBuf,
    mounted: PathBuf,
    _watchdog: Watchdog,
}

impl Disk {
    fn new(folder: &Path, name: &str) -> Result<Self, String> {
        let image = folder.join(format!("{name}.img"));
        fs::File::create(&image).and_then(|file| file.set_len(SIZE)).map_err(|error| error.to_string())?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image), SHORT)?;
        Self::mount(folder, name)
    }

    fn mount(folder: &Path, name: &str) -> Result<Self, String> {
        let (image, mounted) = (folder.join(format!("{name}.img")), folder.join(name));
        fs::create_dir(&mounted).map_err(|error| error.to_string())?;
        let watchdog = Watchdog::start(r#"umount -l "$1""#, &[mounted.as_os_str()])?;
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(&image).arg(&mounted), SHORT)?;
        Ok(Self { image, mounted, _watchdog: watchdog })
    }

    fn spool(&self) -> PathBuf {
        self.mounted.join("spool")
    }

    /// What is on it when the power goes. Nothing writes to it meanwhile: else it is read again.
    fn cut(&self, folder: &Path, name: &str) {
        let mut before = fs::read(&self.image).unwrap();
        loop {
            let now = fs::read(&self.image).unwrap();
            if now == before {
                break;
            }
            before = now;
        }
        fs::write(folder.join(format!("{name}.img")), before).unwrap();
    }
}

/// Waits until no thread of it runs, so that what it said is what it had when the power went.
fn stop(process: u32) {
    signal("STOP", &[process]).unwrap();
    let stopped = |task: &Path| {
        let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
        stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['T', 't']))
    };
    let begun = Instant::now();
    loop {
        let tasks: Vec<_> = fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten().collect();
        if tasks.iter().all(|task| stopped(&task.path())) {
            return;
        }
        assert!(begun.elapsed() < SHORT, "it does not stop");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Cuts the power so many times, each time on the disk that the last one left, then stores all that is there.
async fn cuts(
    folder: &Path,
    rounds: usize,
    sync: SpoolSync,
    random: &mut Random,
    away: bool,
) -> Result<Figures, String> {
    let sql = kit::client().await;
    let tables = stored::tables(&sql, "spool_power").await;
    let name = |round: usize| format!("{sync:?}-{round}");
    let mut disk = Disk::new(folder, &name(0))?;
    let mut acknowledged: Vec<Uuid> = Vec::new();
    for round in 0..rounds {
        let url = if away || random.below(2) == 0 { AWAY.to_owned() } else { kit::url() };
        let orders = Orders { dir: disk.spool(), url, tables: tables.clone(), round, sync, spill: false };
        let mut emitter = Emitter::start(&orders);
        let begun = Instant::now();
        while emitter.heard() < 20 {
            assert!(!emitter.has_ended() && begun.elapsed() < Duration::from_secs(60), "nothing is acknowledged");
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(random.pause(Duration::from_millis(400)));
        stop(emitter.id());
        disk.cut(folder, &name(round + 1));
        acknowledged.extend(emitter.kill_9());
        let old = disk.image.clone();
        drop(disk);
        fs::remove_file(old).unwrap();
        disk = Disk::mount(folder, &name(round + 1))?;
    }
    stored::drain(&kit::url(), &disk.spool(), &tables).await;
    let found = stored::figures(&sql, &tables, &acknowledged).await;
    for table in &tables {
        sql.batch_execute(&format!("DROP TABLE {table}")).await.unwrap();
    }
    Ok(found)
}

/// Whether a file can be mounted here: only root may, and not in every container.
fn can_mount() -> bool {
    let dir = Dir::new();
    fs::create_dir_all(&dir.path).unwrap();
    let mounted = Disk::new(&dir.path, "trial");
    needs(
        "a loop mount of ext4",
        mounted.is_ok() || Account::current() != Ok(0),
        "run as root, with CAP_SYS_ADMIN, loop devices and e2fsprogs",
    ) && mounted.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_takes_nothing_that_was_synced() {
    if !can_mount() {
        return;
    }
    let dir = Dir::new();
    fs::create_dir_all(&dir.path).unwrap();
    let mut random = Random::seeded();
    let (seed, rounds) = (random.0, if long() { 20 } else { 4 });
    let found = cuts(&dir.path, rounds, SpoolSync::Always, &mut random, false).await.unwrap();
    say(&format!(
        "power cut: {rounds} rounds, {} acknowledged, {} stored, {} lost; seed {seed}",
        found.acknowledged,
        found.rows,
        found.lost.len(),
    ));
    found.assert(seed);
    assert!(found.acknowledged >= 20 * rounds);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_takes_what_was_never_synced() {
    if !can_mount() {
        return;
    }
    let dir = Dir::new();
    fs::create_dir_all(&dir.path).unwrap();
    let mut random = Random::seeded();
    let seed = random.0;
    // PostgreSQL would save some of it.
    let found = cuts(&dir.path, 1, SpoolSync::Os, &mut random, true).await.unwrap();
    say(&format!("power cut, not synced: {} acknowledged, {} lost; seed {seed}", found.acknowledged, found.lost.len()));
    assert!(!found.lost.is_empty(), "what the system keeps in memory only must be gone: {found:?}; seed {seed}");
}
