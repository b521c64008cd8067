//! Room is made of what is stored.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_is_empty_is_never_full() {
    let dir = Dir::new();
    let root = Root::open(&Server::default(), small(&dir.0, 64 << 10));
    for round in 0..40 {
        let emitting = timeout(LONG, root.emit(large("event", 9_000))).await;
        assert!(emitting.is_ok(), "{round}: {:?}", root.spool().stats());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_became_smaller_is_not_full_once_all_is_stored() {
    let (dir, server) = (Dir::new(), Server::away());
    let root = Root::open(&server, config(&dir.0));
    for _ in 0..60 {
        root.emit(large("event", 9_000)).await;
    }
    root.close(Duration::ZERO).await;
    drop(root);
    server.goes(false);
    let root = Root::open(&server, small(&dir.0, 128 << 10));
    root.scope.flush().await.unwrap();
    assert_eq!(root.spool().stats().records, 0);
    let emitting = timeout(LONG, root.emit(named("late"))).await;
    assert!(emitting.is_ok(), "{:?}", root.spool().stats());
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_waits_for_room_gets_it() {
    let dir = Dir::new();
    let root = Root::open(&Server::default(), small(&dir.0, 64 << 10));
    let emits: Vec<_> = (0..60)
        .map(|_| {
            let scope = root.scope.clone();
            tokio::spawn(async move { scope.emit(large("event", 9_000)).await })
        })
        .collect();
    let all = async {
        for emit in emits {
            emit.await.unwrap().unwrap();
        }
    };
    assert!(timeout(2 * LONG, all).await.is_ok(), "{:?}", root.spool().stats());
}
