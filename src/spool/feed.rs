//! The feed of a stream: reads its log in order, and gives what it reads to the queue as that has room.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    reader::{Reader, Stored},
    stream::{Shared, lock},
};
use crate::queue::StrongQueue;

/// Read at a time: little enough to stay in the caches, enough for a batch.
const RECORDS: usize = 512;
const BYTES: usize = 1 << 20;
/// The pause after the disk failed.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(stream: Arc<Shared>) {
    let mut closing = stream.ending.subscribe();
    let ends = async {
        // The sender lives in the stream.
        let _ = closing.wait_for(|ending| *ending).await;
    };
    tokio::select! {
        biased;
        () = ends => {}
        () = feed(&stream) => {}
    }
}

async fn feed(stream: &Arc<Shared>) {
    let mut tail = stream.log.tail.subscribe();
    let mut reader = Some(Reader::new(Arc::clone(&stream.log)));
    let mut said = false;
    loop {
        let Some(mut reading) = reader.take() else { return };
        if reading.next() >= *tail.borrow_and_update() {
            reader = Some(reading);
            if tail.changed().await.is_err() {
                return;
            }
            continue;
        }
        let read = tokio::task::spawn_blocking(move || {
            let read = reading.read(RECORDS, BYTES);
            (reading, read)
        });
        // Only with its runtime.
        let Ok((mut reading, read)) = read.await else { return };
        let damaged = reading.take_damaged();
        let next = reading.next();
        reader = Some(reading);
        match read {
            Ok(records) => {
                said = false;
                stream.unreadable.store(false, Ordering::Relaxed);
                if damaged > 0 {
                    stream.numbers.damaged.fetch_add(damaged, Ordering::Relaxed);
                }
                if !offer(stream, records, next).await {
                    return;
                }
            }
            Err(error) => {
                stream.unreadable.store(true, Ordering::Relaxed);
                if !std::mem::replace(&mut said, true) {
                    let table = &stream.log.table;
                    tracing::error!(%table, %error, "the spool cannot be read for now; it is tried again");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// `false`: the queue is closed.
async fn offer(stream: &Arc<Shared>, records: Vec<Stored>, next: u64) -> bool {
    lock(&stream.window).extend(records.iter().map(|stored| (stored.sequence, stored.accepted_at)), next);
    // Where nothing could be read, the cursor moves all the same.
    stream.moved.notify_one();
    after_memory(stream).await;
    for stored in records {
        if stream.queue.offer(stored.record, None).await.is_err() {
            return false;
        }
    }
    true
}

/// Waits until what scopes kept in memory before is finished: it came first.
async fn after_memory(stream: &Shared) {
    let queues: Vec<StrongQueue> = lock(&stream.memory).iter().filter_map(std::sync::Weak::upgrade).collect();
    for queue in queues {
        let accepted = queue.stats().accepted;
        let mut finished = queue.finished();
        let is_left = match finished.wait_for(|progress| progress.low > accepted || progress.ended).await {
            Ok(progress) => progress.kept > 0,
            Err(_) => false,
        };
        if is_left && stream.is_closing() {
            // It comes first, with the next start.
            std::future::pending::<()>().await;
        }
    }
}
