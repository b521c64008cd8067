//! Closes and drops, whatever goes on meanwhile.

use std::{
    sync::atomic::AtomicUsize,
    task::{self, Waker},
};

use super::*;
use crate::config::WhenFull;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_close_acknowledges_on_a_full_disk_is_on_disk() {
    let Some(disk) = Disk::new() else { return };
    let (dir, server) = (disk.0.0.join("spool"), Server::default());
    let root = Root::open(&server, config(&dir));
    assert_eq!(root.emit(named("first")).await, Durability::Spooled);
    root.scope.flush().await.unwrap();
    until("the reserve is made", || dir.join("reserve").exists()).await;
    disk.fill();
    let scope = root.scope.clone();
    let emitting = tokio::spawn(async move { scope.emit(large("late", 20_000)).await });
    until("the disk is full", || root.spool().stats().stuck).await;
    assert!(!emitting.is_finished());
    root.close(SECOND).await;
    let answer = timeout(LONG, emitting).await.unwrap().unwrap();
    disk.free();
    let is_kept = server.has("late") || on_disk(&dir).iter().any(|name| name == "late");
    assert_eq!(answer.is_ok(), is_kept, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_while_it_closes_is_on_disk() {
    for round in 0..20 {
        let (dir, server) = (Dir::new(), Server::default());
        let root = Root::open(&server, config(&dir.0));
        let emitters = [0, 1].map(|emitter| {
            let scope = root.scope.clone();
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                loop {
                    let name = format!("event.{emitter}.{}", acknowledged.len());
                    if scope.emit(named(&name)).await.is_err() {
                        return acknowledged;
                    }
                    acknowledged.push(name);
                }
            })
        });
        until("some are stored", || server.0.stored.lock().unwrap().len() > round).await;
        root.close(Duration::ZERO).await;
        let left = on_disk(&dir.0);
        for emitter in emitters {
            for name in emitter.await.unwrap() {
                assert!(server.has(&name) || left.contains(&name), "{name} of round {round}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_drop_leaves_in_memory_is_on_disk() {
    let dir = Dir::new();
    let root = Root::open(&Server::silent(), config(&dir.0).when_full(WhenFull::Spill));
    for name in names(0..5) {
        assert_eq!(root.emit(named(&name)).await, Durability::Queued);
    }
    let told = Arc::clone(&root.told);
    drop(root);
    until("the directory is free", || Folder::open(&dir.0).is_ok()).await;
    assert_eq!(on_disk(&dir.0), names(0..5));
    assert!(told.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_users_costs_no_record_of_a_drop() {
    let dir = Dir::new();
    let told = Arc::new(AtomicUsize::new(0));
    let tell = Arc::clone(&told);
    let config = config(&dir.0).when_full(WhenFull::Spill).on_error(move |_, _| {
        tell.fetch_add(1, SeqCst);
        panic!("the user's");
    });
    let root = Root::telling(&Server::silent(), config, Arc::default());
    for name in names(0..5) {
        root.emit(named(&name)).await;
    }
    drop(root);
    until("the directory is free", || Folder::open(&dir.0).is_ok()).await;
    assert_eq!(told.load(SeqCst) + on_disk(&dir.0).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_close_leaves_of_several_batches_is_in_order() {
    let dir = Dir::new();
    let server = Server(Arc::new(State { pause: Duration::from_millis(120), ..State::default() }));
    server.goes(true);
    let root = Root::open(&server, config(&dir.0).when_full(WhenFull::Spill).async_batch_size(2));
    for name in names(0..8) {
        root.scope.try_emit(named(&name)).unwrap();
    }
    root.close(SECOND).await;
    assert_eq!(on_disk(&dir.0), names(0..8));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_room_is_told_of_the_close_of_its_scope() {
    let (dir, server) = (Dir::new(), Server::away());
    let root = Root::open(&server, small(&dir.0, 128 << 10));
    let waiting = loop {
        let scope = root.scope.clone();
        let mut emit = Box::pin(async move { scope.emit(large("event", 9_000)).await });
        if timeout(Duration::from_millis(300), &mut emit).await.is_err() {
            break tokio::spawn(emit);
        }
    };
    root.scope.close().await.unwrap();
    server.goes(false);
    let answer = timeout(LONG, waiting).await.unwrap().unwrap();
    assert!(answer.is_err(), "accepted after the scope was closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn emits_that_are_dropped_on_a_full_disk_are_kept_or_told_of_and_counted() {
    let Some(disk) = Disk::new() else { return };
    let dir = disk.0.0.join("spool");
    let root = Root::open(&Server::default(), config(&dir));
    root.emit(named("first")).await;
    root.scope.flush().await.unwrap();
    until("the reserve is made", || dir.join("reserve").exists()).await;
    disk.fill();
    // More than the reserve gives room for.
    for _ in 0..30 {
        let mut emit = Box::pin(root.scope.emit(large("late", 60_000)));
        assert!(emit.as_mut().poll(&mut task::Context::from_waker(Waker::noop())).is_pending());
    }
    root.close(Duration::ZERO).await;
    disk.free();
    let (stats, told, kept) = (root.scope.stats(), root.told().len(), on_disk(&dir).len());
    assert!(told > 0 && told + kept == 30, "{told} {kept}");
    assert_eq!((stats.accepted, stats.failed), (31, told as u64), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_nobody_waits_for_puts_memory_on_disk() {
    let (dir, server) = (Dir::new(), Server::silent());
    let root = Root::open(&server, config(&dir.0).when_full(WhenFull::Spill));
    let names = names(0..5);
    for name in &names {
        assert_eq!(root.emit(named(name)).await, Durability::Queued);
    }
    timeout(Duration::from_millis(200), root.close(SECOND)).await.unwrap_err();
    let folder = || Folder::open(&dir.0).is_ok();
    until("the directory is free", folder).await;
    assert_eq!((on_disk(&dir.0), root.told()), (names, Vec::new()));
}
