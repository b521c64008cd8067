//! Room that is held for an event that comes later.

use super::*;

async fn small(theme: &str) -> (Table, tracevault::Scope) {
    let table = Table::new(theme).await;
    let config = table.config().queue_capacity(2).queue_bytes(10_000).when_full(WhenFull::Reject);
    let scope = Tracevault::new(config).unwrap().scope(tracevault::ScopeOverrides::new()).unwrap();
    (table, scope)
}

#[tokio::test]
async fn room_that_is_held_is_nobody_elses() {
    let (table, scope) = small("reserved").await;
    let (one, other) = (scope.try_reserve(100).unwrap(), scope.try_reserve(100).unwrap());
    assert!(matches!(scope.try_reserve(1), Err(Error::QueueFull(_))));
    assert!(matches!(scope.try_emit("late"), Err(Error::QueueFull(_))));
    assert_eq!((scope.stats().accepted, scope.stats().queued_bytes), (0, 200));
    drop(one);
    let third = scope.try_reserve(1).unwrap();
    // Larger than its room, and smaller.
    third.emit(numbered(1)).await.unwrap();
    other.emit(numbered(2)).await.unwrap();
    assert_eq!(stored_order(&table).await, [1, 2]);
    assert_eq!(scope.stats().queued_bytes, 0);
    for _ in 0..3 {
        let _one = scope.try_reserve(5_000).unwrap();
        let _other = scope.try_reserve(usize::MAX).unwrap_err();
    }
    let _all = scope.try_reserve(usize::MAX).unwrap();
    assert_eq!(scope.stats().queued_bytes, 10_000);
    table.drop().await;
}

#[tokio::test]
async fn an_event_that_outgrows_its_room_is_refused_where_there_is_no_more() {
    let (table, scope) = small("reserved").await;
    let (one, _rest) = (scope.try_reserve(10).unwrap(), scope.try_reserve(9_900).unwrap());
    let error = one.emit(numbered(1)).await.unwrap_err();
    assert!(matches!(error, Error::QueueFull(_)), "{error}");
    assert_eq!((scope.stats().accepted, scope.stats().queued_bytes), (0, 9_900));
    assert_eq!(table.count().await, 0);
    table.drop().await;
}

#[tokio::test]
async fn a_close_does_not_wait_for_an_event_that_may_never_come() {
    let (table, scope) = small("reserved").await;
    let room = scope.try_reserve(1_000).unwrap();
    assert_eq!(scope.close().await.unwrap().left, 0);
    assert!(room.emit("late").await.unwrap_err().is_closed());
    assert!(scope.try_reserve(1).unwrap_err().is_closed());
    table.drop().await;
}
