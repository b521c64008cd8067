//! A disk that is full, seen through the public face: nothing is lost, nothing that was refused is stored, and it goes on by
//! itself.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use tracevault::{Config, Durability, Error, Event, Mode, SpoolConfig, Tracevault, WhenFull};
use uuid::Uuid;

use super::Dir;
use crate::{
    kit::{self, Table},
    support,
};

/// A disk of 4 MiB, with something else on it.
struct Disk {
    dir: Dir,
}

impl Disk {
    fn new() -> Option<Self> {
        let dir = Dir::new();
        fs::create_dir(&dir.path).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&dir.path).output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        if !support::needs("a tmpfs", mounted, "run as root, with CAP_SYS_ADMIN") {
            return None;
        }
        let disk = Self { dir };
        fs::write(disk.ballast(), vec![1; 1 << 20]).unwrap();
        Some(disk)
    }

    fn ballast(&self) -> PathBuf {
        self.dir.path.join("ballast")
    }

    fn spool(&self) -> PathBuf {
        self.dir.path.join("spool")
    }

    fn config(&self, table: &Table, when_full: WhenFull) -> Config {
        let spool = SpoolConfig::new(self.spool()).segment_bytes(256 << 10);
        table.config().when_full(when_full).close_timeout(Duration::from_secs(20)).spool(spool)
    }

    /// Takes the last byte that is free.
    fn fill(&self) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.dir.path.join("filling")).unwrap();
        for size in [64 << 10, 4_096, 1] {
            while file.write(&vec![1; size]).is_ok_and(|written| written > 0) {}
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.dir.path).status();
    }
}

/// Of an odd size, so that the disk ends within one.
fn large(n: usize) -> Event<'static> {
    Event::new("large").mode(Mode::Async).data(json!({ "n": n, "text": "x".repeat(9_999) }))
}

async fn make(table: &Table) {
    table.sql.batch_execute(&tracevault::generate_init_sql(&table.name).unwrap()).await.unwrap();
}

/// The ids in the table, sorted.
async fn stored(table: &Table) -> Vec<Uuid> {
    table.select("id", "ORDER BY id", &[]).await.iter().map(|row| row.get(0)).collect()
}

fn sorted(mut ids: Vec<Uuid>) -> Vec<Uuid> {
    ids.sort_unstable();
    ids
}

/// Emits until one is refused; answers what was kept, and the id of what was not.
async fn emit_until_refused(audit: &Tracevault) -> (Vec<Uuid>, Uuid) {
    let mut kept = Vec::new();
    loop {
        match audit.emit(large(kept.len())).await {
            Ok(receipt) => {
                assert_eq!(receipt.durability, Durability::Spooled);
                kept.push(receipt.id);
            }
            Err(Error::Spool(error)) => {
                assert!(error.is_full(), "{error}");
                assert_eq!(error.outcome(), tracevault::Outcome::Rejected);
                return (kept, error.record_id().unwrap());
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let so = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), so).await.is_ok(), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_disk_refuses_is_never_stored_and_all_else_is_once() {
    let Some(disk) = Disk::new() else { return };
    let table = Table::missing("spool_full").await;
    let audit = Tracevault::new(disk.config(&table, WhenFull::Reject)).unwrap();
    let (mut kept, refused) = emit_until_refused(&audit).await;
    // Of 4 MiB, one is something else's, and one the reserve.
    assert!((150..220).contains(&kept.len()), "{}", kept.len());
    let mut all_refused = vec![refused];
    for _ in 0..20 {
        let (more, refused) = emit_until_refused(&audit).await;
        kept.extend(more);
        all_refused.push(refused);
    }
    assert_eq!(audit.spool().unwrap().stats().records, kept.len() as u64);

    // Something else goes.
    fs::remove_file(disk.ballast()).unwrap();
    let before = kept.len();
    let (more, refused) = emit_until_refused(&audit).await;
    assert!((70..120).contains(&more.len()), "{}", more.len());
    kept.extend(more);
    all_refused.push(refused);
    assert!(kept.len() > before);

    // PostgreSQL takes it.
    make(&table).await;
    let drained = audit.flush().await.unwrap();
    assert_eq!((drained.failed, drained.spooled), (0, 0));
    for n in 0..50 {
        kept.push(audit.emit(large(n)).await.unwrap().id);
    }
    let drained = audit.close().await.unwrap();
    assert_eq!((drained.failed, drained.left, drained.spooled), (0, 0, 0));
    let stored = stored(&table).await;
    assert_eq!(stored, sorted(kept));
    assert!(all_refused.iter().all(|id| stored.binary_search(id).is_err()), "what was refused is not there");
    table.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emits_wait_for_a_full_disk_and_go_on_by_themselves() {
    let Some(disk) = Disk::new() else { return };
    let table = Table::missing("spool_wait").await;
    let audit = Tracevault::new(disk.config(&table, WhenFull::Wait)).unwrap();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let emits: Vec<_> = (0..400)
        .map(|n| {
            let (audit, kept) = (audit.clone(), Arc::clone(&kept));
            tokio::spawn(async move {
                let receipt = audit.emit(large(n)).await.unwrap();
                assert_eq!(receipt.durability, Durability::Spooled);
                kept.lock().unwrap().push(receipt.id);
            })
        })
        .collect();
    let spool = audit.spool().unwrap();
    let count = || kept.lock().unwrap().len();
    until("it says that it is stuck", || spool.stats().stuck).await;
    let first = usize::try_from(spool.stats().records).unwrap();
    until("what has room is acknowledged", || count() == first).await;
    assert!((120..220).contains(&first), "{first}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(count(), first, "they wait");
    assert!(emits.iter().any(|emit| !emit.is_finished()));

    fs::remove_file(disk.ballast()).unwrap();
    until("there is room for more", || count() > first + 50).await;
    until("it is full again", || spool.stats().stuck && count() > first + 70).await;
    assert!(count() < 400, "{}", count());

    make(&table).await;
    for emit in emits {
        tokio::time::timeout(Duration::from_secs(20), emit).await.expect("it goes on").unwrap();
    }
    let drained = audit.flush().await.unwrap();
    assert_eq!((drained.failed, drained.spooled), (0, 0));
    assert!(!spool.stats().stuck);
    assert_eq!(stored(&table).await, sorted(kept.lock().unwrap().clone()));
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_and_the_cursor_find_room_on_a_full_disk() {
    let Some(disk) = Disk::new() else { return };
    let table = Table::missing("spool_full_dead").await;
    let audit = Tracevault::new(disk.config(&table, WhenFull::Reject)).unwrap();
    let reserve = disk.spool().join("reserve");
    until("the reserve is there", || fs::metadata(&reserve).is_ok_and(|there| there.len() >= 1 << 20)).await;
    // They fit into one segment, which is not removed while it is written to: only the reserve has room.
    let mut kept = Vec::new();
    for n in 0..20 {
        kept.push(audit.emit(large(n)).await.unwrap().id);
    }
    disk.fill();
    let check = format!(r#"ALTER TABLE "{}" ADD CONSTRAINT odd CHECK ((data->>'n')::bigint % 5 <> 0)"#, table.name);
    let sql = format!("BEGIN; {}; {check}; COMMIT", tracevault::generate_init_sql(&table.name).unwrap());
    table.sql.batch_execute(&sql).await.unwrap();
    let spool = audit.spool().unwrap();
    until("they are on disk", || spool.stats().dead_letters == 4).await;
    assert!(!reserve.exists(), "it was given up for them");
    until("the cursor has moved", || spool.stats().records == 0).await;
    let (mut letters, mut states) = (Vec::new(), Vec::new());
    tracevault::spool::dead_letters(&disk.spool(), None, &mut |_, letter| {
        letters.push(letter.record.id());
        states.push(letter.sqlstate);
        Ok(())
    })
    .unwrap();
    assert_eq!(states, vec![Some("23514".to_owned()); 4]);
    audit.close().await.unwrap();
    drop(audit);

    // Nothing is stored again.
    let audit = Tracevault::new(disk.config(&table, WhenFull::Reject)).unwrap();
    let found = audit.spool().unwrap().recovery().clone();
    assert_eq!((found.records, found.dead_letters), (0, 4));
    audit.close().await.unwrap();
    let stored = stored(&table).await;
    assert_eq!(stored.len(), 16);
    assert_eq!(sorted([stored, letters].concat()), sorted(kept));
    let _ = kit::CANARY;
    table.drop().await;
}
