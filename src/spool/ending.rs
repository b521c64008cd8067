//! The end of a stream, and waiting for its records.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{runtime::Handle, task::JoinHandle, time::Instant};

use super::stream::{GRACE, Stream, lock};
use crate::queue::{Drained, WeakQueue};

impl Stream {
    /// Waits until all that was taken on by now is stored or refused, until a deadline; `or_trouble`: no longer than storing
    /// succeeds.
    pub(crate) async fn settle(&self, deadline: Instant, or_trouble: bool) -> Drained {
        self.settled(deadline, or_trouble).await.0
    }

    /// And how many were told of as not kept by then.
    async fn settled(&self, deadline: Instant, or_trouble: bool) -> (Drained, u64) {
        const LOOK: Duration = Duration::from_millis(50);
        let before = self.0.counted();
        let Some(core) = self.0.core.upgrade() else { return (Drained::default(), before.lost) };
        let settled = async {
            loop {
                core.appender.settled().await;
                if self.0.pending.load(Ordering::SeqCst) == 0 || !or_trouble {
                    return;
                }
                // Between its two steps.
                tokio::task::yield_now().await;
            }
        };
        let _ = tokio::time::timeout_at(deadline, settled).await;
        let target = *self.0.log.tail.borrow();
        let mut done = self.0.done.subscribe();
        loop {
            if *done.borrow_and_update() >= target {
                break;
            }
            let in_trouble = or_trouble && self.0.queue.is_in_trouble();
            if in_trouble || Instant::now() >= deadline {
                break;
            }
            let _ = tokio::time::timeout_at(deadline.min(Instant::now() + LOOK), done.changed()).await;
        }
        // In this order: what arrives meanwhile is counted twice rather than not at all.
        let on_the_way = self.on_the_way();
        let (now, done) = (self.0.counted(), *done.borrow());
        let drained = Drained {
            // A letter is counted a moment before what it stands for.
            stored: now.stored.saturating_sub(before.stored),
            failed: now.failed.saturating_sub(before.failed),
            left: on_the_way,
            spooled: target.saturating_sub(done),
        };
        (drained, now.lost)
    }

    /// How many are on their way to the disk.
    pub(super) fn on_the_way(&self) -> u64 {
        self.0.pending.load(Ordering::SeqCst)
    }

    /// How many were told of as not kept.
    pub(super) fn losses(&self) -> u64 {
        self.0.counted().lost
    }

    /// Nothing is taken on any more.
    pub(super) fn refuse(&self) {
        self.0.closing.store(true, Ordering::SeqCst);
    }

    /// Stores what it can until the deadline, then stops. What is on its way to the disk is still to arrive there.
    /// Answers how many were told of as not kept until then, too.
    pub(super) fn stop(self, deadline: Instant, runtime: &Handle) -> JoinHandle<(Drained, u64)> {
        runtime.spawn(async move {
            self.refuse();
            // What they leave goes to the disk.
            let memory: Vec<_> = lock(&self.0.memory).iter().filter_map(WeakQueue::upgrade).collect();
            for queue in memory {
                let _ = queue.ended().await;
            }
            let drained = self.settled(deadline, true).await;
            self.0.queue.end_now();
            let _ = self.0.queue.ended().await;
            self.0.ending.send_replace(true);
            let keeper = lock(&self.0.keeper).take();
            if let Some(keeper) = keeper {
                let _ = tokio::time::timeout(GRACE, keeper).await;
            }
            drained
        })
    }

    /// Once all is on disk: puts the cursor there. Answers what is left for the next start.
    pub(super) async fn finish(&self) -> u64 {
        let (log, done) = (Arc::clone(&self.0.log), *self.0.done.borrow());
        // It may have failed where it was to be moved.
        let finish = move || log.advance(done).and_then(|_| log.finish());
        if let Ok(Err(error)) = tokio::task::spawn_blocking(finish).await {
            tracing::warn!(%error, "the spool's cursor is not on disk: records that are stored are looked at again");
        }
        self.left()
    }

    /// What is on disk and not stored.
    pub(super) fn left(&self) -> u64 {
        let behind = self.0.log.tail.borrow().saturating_sub(*self.0.done.borrow());
        behind + self.0.numbers.front.load(Ordering::Relaxed)
    }
}
