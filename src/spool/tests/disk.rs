//! A disk that is full, or fails.

use super::*;
use crate::{error::SpoolFault, spool::cursor};

/// Where a first event is stored.
async fn with_a_reserve(server: &Server, dir: &Path) -> Root {
    let root = Root::open(server, config(dir));
    root.emit(named("first")).await;
    root.scope.flush().await.unwrap();
    until("the reserve is made", || dir.join("reserve").exists()).await;
    root
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_failed_once_is_moved_though_nothing_more_comes() {
    let (dir, server) = (Dir::new(), Server::silent());
    let root = Root::open(&server, small(&dir.0, 64 << 10));
    for _ in 0..7 {
        root.emit(large("event", 9_000)).await;
    }
    let log = root.context.spool().unwrap().log("audit_logs");
    let cursor = fs::File::open(log.folder.join(cursor::NAME)).unwrap();
    let cursor = log.cursor().exchange(cursor);
    server.0.silent.send_replace(false);
    until("all is stored", || server.0.stored.lock().unwrap().len() == 7).await;
    until("the cursor fails", || root.scope.stats().spooled == 0).await;
    assert!(root.spool().stats().records > 0, "it has not moved");
    log.cursor().exchange(cursor);
    until("it has moved", || root.spool().stats().records == 0).await;
    let emitting = timeout(LONG, root.emit(large("late", 9_000))).await;
    assert!(emitting.is_ok(), "{:?}", root.spool().stats());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_to_a_full_disk_is_left_and_then_told() {
    let Some(disk) = Disk::new() else { return };
    let (dir, server) = (disk.0.0.join("spool"), Server::default());
    let root = with_a_reserve(&server, &dir).await;
    fs::remove_file(dir.join("reserve")).unwrap();
    disk.fill();
    for _ in 0..10 {
        assert_eq!(root.scope.try_emit(large("late", 20_000)).unwrap().durability, Durability::Queued);
    }
    until("the disk is full", || root.spool().stats().stuck).await;
    let flushed = root.scope.flush().await.unwrap();
    assert_eq!((flushed.stored, flushed.failed, flushed.left, flushed.spooled), (0, 0, 10, 0));
    let closed = root.close(SECOND).await;
    assert_eq!((closed.stored, closed.failed + closed.left, closed.spooled), (0, 10, 0), "{closed:?}");
    assert_eq!(root.told().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reserve_is_made_again_whoever_took_it() {
    let Some(disk) = Disk::new() else { return };
    let (dir, server) = (disk.0.0.join("spool"), Server::default());
    let root = with_a_reserve(&server, &dir).await;
    server.0.silent.send_replace(true);
    root.emit(named("bad")).await;
    root.emit(named("good")).await;
    disk.fill();
    server.0.silent.send_replace(false);
    until("the letter is written", || root.spool().stats().dead_letters == 1).await;
    assert!(!dir.join("reserve").exists(), "it was needed");
    disk.free();
    until("the reserve is made again", || dir.join("reserve").exists()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_told_of() {
    let (dir, server) = (Dir::new(), Server::away());
    let root = Root::open(&server, small(&dir.0, 8 << 20).queue_capacity(2));
    for number in 0..60 {
        root.emit(large(&format!("event.{number}"), 9_000)).await;
    }
    let log = root.context.spool().unwrap().log("audit_logs");
    let path = crate::spool::segment::path(&log.folder, log.segments()[5].base);
    fs::rename(&path, dir.0.join("aside")).unwrap();
    fs::create_dir(&path).unwrap();
    server.goes(false);
    until("it is told of", || root.spool().stats().stuck).await;
    fs::remove_dir(&path).unwrap();
    fs::rename(dir.0.join("aside"), &path).unwrap();
    until("it goes on", || server.0.stored.lock().unwrap().len() == 60).await;
    until("it is told of", || !root.spool().stats().stuck).await;
}

#[tokio::test]
async fn names_and_numbers_that_leave_no_room_behind_them_are_refused() {
    for base in [u64::MAX, u64::MAX / 2 + 1] {
        let dir = Dir::new();
        fs::write(dir.0.join(format!("{base:020}.log")), "").unwrap();
        let opened = Log::open(dir.0.clone(), TableName::new("audit_logs").unwrap());
        assert_eq!(opened.map(drop).unwrap_err().fault(), SpoolFault::Format);
    }
}
