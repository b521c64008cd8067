//! What became of a sync record is told exactly once: to the emit that reads its answer, or else to the handler.

use std::sync::atomic::AtomicU64;

use tracevault::testing;

use super::*;

#[tokio::test]
async fn an_answer_that_nobody_read_goes_to_the_handler() {
    let (config, told) = telling(Config::default());
    let (audit, recorder) = testing::recorder(config).unwrap();
    recorder.fail_next();
    let mut unread = audit.emit(numbered(0));
    assert!(poll!(&mut unread).is_pending());
    while audit.stats().failed == 0 {
        tokio::task::yield_now().await;
    }
    assert!(told.lock().unwrap().is_empty(), "the emit may still read it");
    drop(unread);
    let reported = told.lock().unwrap().clone();
    assert!(matches!(&*reported, [(_, None, Outcome::Rejected)]), "{reported:?}");

    let mut stored = audit.emit(numbered(1));
    assert!(poll!(&mut stored).is_pending());
    audit.flush().await.unwrap();
    drop(stored);
    audit.close().await.unwrap();
    let stats = audit.stats();
    assert_eq!((stats.accepted, stats.stored, stats.failed), (2, 1, 1));
    assert_eq!(told.lock().unwrap().len(), 1, "what is stored is nobody's failure");
}

#[tokio::test]
async fn an_answer_that_was_read_is_not_reported_again() {
    let (config, told) = telling(Config::default());
    let (audit, recorder) = testing::recorder(config).unwrap();
    recorder.fail_next();
    let mut read = audit.emit(numbered(0));
    let error = (&mut read).await.unwrap_err();
    assert!(error.record_id().is_some());
    drop(read);
    audit.close().await.unwrap();
    assert_eq!((audit.stats().failed, told.lock().unwrap().len()), (1, 0));
}

#[tokio::test]
async fn an_unread_answer_of_an_emit_that_waited_for_room_goes_to_the_handler() {
    let (config, told) = telling(Config::default().queue_capacity(1));
    let (audit, recorder) = testing::recorder(config).unwrap();
    audit.try_emit(numbered(0)).unwrap();
    let mut waits = audit.emit(numbered(1));
    assert!(poll!(&mut waits).is_pending());
    audit.flush().await.unwrap();
    recorder.fail_next();
    assert!(poll!(&mut waits).is_pending(), "accepted now");
    while audit.stats().failed == 0 {
        tokio::task::yield_now().await;
    }
    drop(waits);
    assert_eq!(told.lock().unwrap().len(), 1);
    audit.close().await.unwrap();
    assert_eq!(told.lock().unwrap().len(), 1);
}

/// The writer answers on one thread while the emits are dropped on others.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_accepted_record_is_stored_heard_of_or_reported_however_its_emit_is_dropped() {
    const TASKS: u32 = 4;
    const EMITS: u32 = 1_000;
    let reported = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&reported);
    let config = Config::default().queue_capacity(8).on_error(move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let (audit, recorder) = testing::recorder(config).unwrap();
    let tasks = (0..TASKS).map(|task| {
        let (audit, recorder) = (audit.clone(), recorder.clone());
        tokio::spawn(async move {
            let mut heard = 0;
            for n in 0..EMITS {
                recorder.fail_next();
                let mut emit = audit.emit(numbered(n as usize));
                for _ in 0..=(n + task) % 7 {
                    if let std::task::Poll::Ready(answer) = poll!(&mut emit) {
                        heard += u64::from(answer.is_err());
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            heard
        })
    });
    let heard: u64 = join_all(tasks).await.into_iter().map(Result::unwrap).sum();
    audit.close().await.unwrap();
    let stats = audit.stats();
    assert_eq!(stats.accepted, stats.stored + stats.failed);
    assert_eq!(stats.failed, heard + reported.load(Ordering::SeqCst), "{stats:?}, {heard} heard");
}

/// The writer answers on the other thread, at about the time of the drop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_while_its_emit_is_dropped_is_reported() {
    const EMITS: u32 = 20_000;
    let reported = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&reported);
    let config = Config::default().on_error(move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let (audit, recorder) = testing::recorder(config).unwrap();
    let mut heard = 0;
    for n in 0..EMITS {
        recorder.fail_next();
        let mut emit = audit.emit("dropped");
        if poll!(&mut emit).is_ready() {
            heard += 1;
            continue;
        }
        // At first in step with the writer, then a little later each time.
        while n % 2 == 0 && audit.stats().failed <= u64::from(n) {
            std::hint::spin_loop();
        }
        for _ in 0..n % 512 {
            std::hint::spin_loop();
        }
        drop(emit);
    }
    audit.close().await.unwrap();
    assert_eq!(heard + reported.load(Ordering::SeqCst), u64::from(EMITS));
}
