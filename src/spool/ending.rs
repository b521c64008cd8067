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
        const LOOK: Duration = Duration::from_millis(50);
        let before = self.0.counted();
        let Some(core) = self.0.core.upgrade() else { return Drained::default() };
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
        let (now, done) = (self.0.counted(), *done.borrow());
        Drained {
            // A letter is counted a moment before what it stands for.
            stored: now.stored.saturating_sub(before.stored),
            failed: now.failed.saturating_sub(before.failed),
            left: 0,
            spooled: target.saturating_sub(done),
        }
    }

    /// Nothing is taken on any more.
    pub(super) fn refuse(&self) {
        self.0.closing.store(true, Ordering::SeqCst);
    }

    /// Stores what it can until the deadline, then stops. What is on its way to the disk is still to arrive there.
    pub(super) fn stop(self, deadline: Instant, runtime: &Handle) -> JoinHandle<Drained> {
        runtime.spawn(async move {
            self.refuse();
            // What they leave goes to the disk.
            let memory: Vec<_> = lock(&self.0.memory).iter().filter_map(WeakQueue::upgrade).collect();
            for queue in memory {
                let _ = queue.ended().await;
            }
            let drained = self.settle(deadline, true).await;
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
        let log = Arc::clone(&self.0.log);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || log.finish()).await {
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
