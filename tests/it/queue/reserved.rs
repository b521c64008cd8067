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
    let held = scope.stats().queued_bytes;
    assert!(scope.stats().accepted == 0 && (200..2_000).contains(&held), "{held}");
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
    let one = scope.try_reserve(10).unwrap();
    let held = scope.stats().queued_bytes;
    let rest = usize::try_from(10_000 - 2 * held).unwrap();
    let _rest = scope.try_reserve(rest).unwrap();
    let left = 10_000 - scope.stats().queued_bytes;
    assert!(left < 200, "{left}");
    let error = one.emit(Event::new("large").data(json!({ "text": "x".repeat(2_000) }))).await.unwrap_err();
    assert!(matches!(error, Error::QueueFull(_)), "{error}");
    assert_eq!((scope.stats().accepted, scope.stats().queued_bytes), (0, 10_000 - left - held));
    assert_eq!(table.count().await, 0);
    table.drop().await;
}

/// Whatever was reserved for its texts is enough, though nothing else has room.
#[tokio::test]
async fn an_event_of_the_size_that_was_said_has_room() {
    let (table, scope) = small("reserved").await;
    for size in [0, 10, 700, 1_100, 2_100, 4_500] {
        let one = scope.try_reserve(size + 40).unwrap();
        let rest = usize::try_from(10_000 - 2 * scope.stats().queued_bytes).unwrap_or(0);
        let _rest = scope.try_reserve(rest);
        one.emit(Event::new("sized").data(json!({ "text": "x".repeat(size) }))).await.unwrap();
    }
    assert_eq!(table.count().await, 6);
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
