//! Room in the queue, as its callers see it.

use tracevault::testing;

use super::*;

/// Whoever was told of his record finds its place free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_caller_after_another_fits_into_a_queue_of_one() {
    let (audit, _recorder) =
        testing::recorder(Config::default().queue_capacity(1).when_full(WhenFull::Reject)).unwrap();
    for n in 0..2_000 {
        audit.emit(numbered(n)).await.unwrap();
        assert_eq!(audit.stats().queued_bytes, 0);
    }
    audit.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn as_many_callers_as_places_are_never_refused() {
    let (audit, _recorder) =
        testing::recorder(Config::default().queue_capacity(4).when_full(WhenFull::Reject)).unwrap();
    let callers = (0..4).map(|_| {
        let audit = audit.clone();
        tokio::spawn(async move {
            for n in 0..2_000 {
                audit.emit(numbered(n)).await.unwrap();
            }
        })
    });
    for caller in join_all(callers).await {
        caller.unwrap();
    }
    audit.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_numbers_add_up_at_any_moment() {
    let (audit, recorder) = testing::recorder(Config::default().on_error(|_, _| {})).unwrap();
    let busy = tokio::spawn({
        let audit = audit.clone();
        async move {
            for n in 0..60_000 {
                if n % 1_000 == 0 {
                    recorder.fail_next();
                }
                audit.emit(numbered(n).mode(Mode::Async)).await.unwrap();
            }
        }
    });
    let watch = || {
        let mut before = audit.stats();
        while !busy.is_finished() {
            let now = audit.stats();
            assert_eq!(now.accepted, now.stored + now.failed + now.queued, "{now:?}");
            assert!(now.accepted >= before.accepted && now.stored >= before.stored && now.failed >= before.failed);
            before = now;
        }
    };
    std::thread::scope(|threads| {
        threads.spawn(watch);
        threads.spawn(watch);
    });
    busy.await.unwrap();
    audit.close().await.unwrap();
    let end = audit.stats();
    assert_eq!((end.accepted, end.stored + end.failed, end.queued), (60_000, 60_000, 0));
}
