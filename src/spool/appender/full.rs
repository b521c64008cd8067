//! A disk that is full, for real: a small tmpfs.
#![cfg(target_os = "linux")]

use std::{fs, path::PathBuf, process::Command, time::Duration};

use uuid::Uuid;

use super::{
    tests::{Dir, Spool, stored},
    *,
};
use crate::{config::Sync, event::Event, spool::sample::needs};

const SIZE: u64 = 4 << 20;

/// A disk of 4 MiB, half of it taken by something else.
struct Disk {
    dir: Dir,
}

impl Disk {
    fn new() -> Option<Self> {
        let dir = Dir::new();
        fs::create_dir(&dir.0).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&dir.0).output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        if !needs::needs("a tmpfs", mounted, "run as root, with CAP_SYS_ADMIN") {
            return None;
        }
        let disk = Self { dir };
        fs::write(disk.ballast(), vec![1; 2 << 20]).unwrap();
        Some(disk)
    }

    fn ballast(&self) -> PathBuf {
        self.dir.0.join("ballast")
    }

    fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn spool(&self, when_full: WhenFull) -> Spool {
        let dir = self.dir.0.join("spool");
        Spool::with(SpoolSettings { dir, sync: Sync::Always, max_bytes: 1 << 30, segment_bytes: 256 << 10 }, when_full)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.dir.0).status();
    }
}

/// Of an odd size, so that the disk ends within one.
fn large(spool: &Spool) -> Record {
    let event = Event::new("large").data(serde_json::json!({ "text": "x".repeat(9_999) }));
    Record::of(&event, None, &spool.root).unwrap()
}

async fn emit(spool: &Spool, log: &Arc<Log>) -> Result<Uuid, Box<Unkept>> {
    let (ack, answer) = oneshot::channel();
    let record = large(spool);
    let id = record.id();
    spool.appender.push(Append { ack: Some(ack), ..spool.append(log, record) });
    answer.await.unwrap().map(|()| id)
}

fn ids(log: &Log) -> Vec<Uuid> {
    stored(&log.folder).into_iter().map(|(_, id)| id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_rejects_and_takes_again_when_there_is_room() {
    let Some(disk) = Disk::new() else { return };
    let spool = disk.spool(WhenFull::Reject);
    let log = spool.log("one");
    let mut kept = Vec::new();
    let unkept = loop {
        match emit(&spool, &log).await {
            Ok(id) => kept.push(id),
            Err(unkept) => break unkept,
        }
    };
    // What the reserve leaves.
    assert!((50..150).contains(&kept.len()), "{}", kept.len());
    let Error::Spool(error) = &unkept.error else { panic!("{:?}", unkept.error) };
    assert!(error.is_full() && spool.appender.is_stuck() || kept.len() > 1);
    assert_eq!((error.outcome(), error.record_id()), (Outcome::Rejected, Some(unkept.record.id())));
    assert!(unkept.error.is_retryable());
    // Nobody waits for this one, so that it is kept for later.
    let later = large(&spool);
    let later_id = later.id();
    spool.appender.push(spool.append(&log, later));
    for _ in 0..20 {
        assert!(emit(&spool, &log).await.is_err());
    }
    assert!(spool.appender.is_stuck());
    assert_eq!(ids(&log), kept);
    disk.free();
    spool.appender.settled().await;
    kept.push(later_id);
    assert!(!spool.appender.is_stuck());
    for _ in 0..20 {
        kept.push(emit(&spool, &log).await.map_err(|unkept| unkept.error).unwrap());
    }
    assert_eq!(ids(&log), kept);
    assert!(spool.errors.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_waited_for() {
    let Some(disk) = Disk::new() else { return };
    let spool = Arc::new(disk.spool(WhenFull::Wait));
    let log = spool.log("one");
    let emits: Vec<_> = (0..200)
        .map(|_| {
            let (spool, log) = (Arc::clone(&spool), Arc::clone(&log));
            tokio::spawn(async move { emit(&spool, &log).await })
        })
        .collect();
    while !spool.appender.is_stuck() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let before = ids(&log);
    assert!(before.len() > 50, "as much as there was room for: {}", before.len());
    assert!(tokio::time::timeout(Duration::from_millis(300), spool.appender.settled()).await.is_err());
    disk.free();
    let mut kept = Vec::new();
    for emit in emits {
        kept.push(emit.await.unwrap().map_err(|unkept| unkept.error).unwrap());
    }
    let mut found = ids(&log);
    assert_eq!(found[..before.len()], before);
    kept.sort();
    found.sort();
    assert_eq!(found, kept);
    // It acknowledges before it says so.
    spool.appender.settled().await;
    assert!(!spool.appender.is_stuck());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_takes_what_a_close_leaves_by_its_reserve() {
    let Some(disk) = Disk::new() else { return };
    let spool = disk.spool(WhenFull::Reject);
    let log = spool.log("one");
    let mut kept = Vec::new();
    while let Ok(id) = emit(&spool, &log).await {
        kept.push(id);
    }
    let reserve = spool.settings.dir.join("reserve");
    assert!(reserve.exists());
    let (mut front, mut behind) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let record = large(&spool);
        let list = if number % 2 == 0 { &mut front } else { &mut behind };
        list.push(record.id());
        spool.appender.push(Append { front: number % 2 == 0, room: None, ..spool.append(&log, record) });
    }
    spool.appender.ended().await;
    assert!(!reserve.exists());
    assert_eq!(ids(&log), [front, kept, behind].concat());
    assert!(spool.errors.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reserve_is_made_again_once_there_is_room() {
    let Some(disk) = Disk::new() else { return };
    let spool = disk.spool(WhenFull::Reject);
    let log = spool.log("one");
    while emit(&spool, &log).await.is_ok() {}
    let reserve = spool.settings.dir.join("reserve");
    let record = large(&spool);
    spool.appender.push(Append { room: None, ..spool.append(&log, record) });
    spool.appender.settled().await;
    assert!(!reserve.exists());
    disk.free();
    // At once it is not, so that it does not flutter.
    while !reserve.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(spool.errors.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_what_waits_and_says_so() {
    let Some(disk) = Disk::new() else { return };
    let spool = disk.spool(WhenFull::Wait);
    let log = spool.log("one");
    let pushed: Vec<_> = (0..400)
        .map(|_| {
            let record = large(&spool);
            let id = record.id();
            spool.appender.push(spool.append(&log, record));
            id
        })
        .collect();
    spool.appender.ended().await;
    let kept = ids(&log);
    let told = spool.errors.lock().unwrap().clone();
    assert_eq!(kept, pushed[..kept.len()]);
    assert_eq!(told, pushed[kept.len()..].iter().map(|id| (*id, Outcome::Rejected)).collect::<Vec<_>>());
    // All of the disk, but for what the last record would not fit into.
    let bytes = kept.len() as u64 * crate::spool::writer::size(&large(&spool));
    assert!(bytes + (2 << 20) > SIZE - (40 << 10) - 5_000, "{bytes}");
}
