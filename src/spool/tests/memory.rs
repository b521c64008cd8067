//! Memory before the disk.

use super::*;
use crate::config::WhenFull;

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_is_closed_in_an_outage_holds_up_no_other() {
    let (dir, server) = (Dir::new(), Server::away());
    let root = Root::open(&server, small(&dir.0, 256 << 10).when_full(WhenFull::Spill));
    let short = Scope::new(&root.context, &root.names, root.settings.clone()).unwrap();
    short.emit(named("short")).await.unwrap();
    short.close().await.unwrap();
    let spilling = async { while root.emit(named("event")).await != Durability::Spooled {} };
    timeout(LONG, spilling).await.expect("never to the disk");
    server.goes(false);
    until("all is stored", || root.spool().stats().records == 0).await;
    assert!(server.has("short"));
    assert_eq!(root.scope.flush().await.unwrap().spooled, 0);
    for _ in 0..60 {
        let emitting = timeout(LONG, root.emit(large("event", 9_000))).await;
        assert!(emitting.is_ok(), "{:?}", root.spool().stats());
    }
    // Closed, and still there.
    drop(short);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_memory_is_refused_is_not_taken_off_what_the_disk_stored() {
    let (dir, server) = (Dir::new(), Server::away());
    let root = Root::open(&server, config(&dir.0).when_full(WhenFull::Spill).queue_capacity(2));
    for name in names(0..10) {
        root.emit(named(&name)).await;
    }
    server.goes(false);
    root.emit_to_memory("event.10").await;
    root.scope.flush().await.unwrap();
    let before = root.scope.stats();
    root.emit(named("bad")).await;
    root.emit(named("event.11")).await;
    root.scope.flush().await.unwrap();
    until("the letter is written", || root.spool().stats().dead_letters == 1).await;
    let after = root.scope.stats();
    let counted = [after.accepted - before.accepted, after.stored - before.stored, after.failed - before.failed];
    assert_eq!((counted, root.told()), ([2, 1, 1], vec!["bad".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_used_again_after_the_failure_of_a_sync_emit() {
    let (dir, server) = (Dir::new(), Server::away());
    let root = Root::open(&server, config(&dir.0).when_full(WhenFull::Spill));
    assert!(root.scope.emit(Event::new("sync")).await.is_err());
    server.goes(false);
    root.emit_to_memory("event").await;
}
