//! The keeper of a stream: follows the queue, and moves the cursor behind what is finished, dead letters first.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    dead,
    stream::{Shared, lock},
};
use crate::metrics::SpoolMeters;

/// How old a meter may be.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after the disk failed.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn run(stream: Arc<Shared>) {
    let mut ending = stream.ending.subscribe();
    let mut finished = stream.queue.finished();
    let meters = SpoolMeters::new(&stream.log.table);
    loop {
        let low = finished.borrow_and_update().low;
        // In this order: where the queue gives up, it says so before its numbers change.
        if !stream.gave_up.load(Ordering::SeqCst) {
            settle(&stream, low).await;
        }
        meters.set(stream.measured());
        if *ending.borrow_and_update() {
            return;
        }
        tokio::select! {
            _ = finished.changed() => {}
            () = stream.moved.notified() => {}
            _ = ending.changed() => {}
            // What emits add while nothing is stored shows too.
            () = tokio::time::sleep(LOOK), if SpoolMeters::LISTENS => {}
        }
    }
}

/// Puts on disk what is known below `low`, in the order in which a crash between loses nothing.
async fn settle(stream: &Arc<Shared>, low: u64) {
    let to = lock(&stream.window).finished_below(low);
    if !bury(stream).await {
        return;
    }
    if to > *stream.done.borrow() {
        let log = Arc::clone(&stream.log);
        let Ok(advanced) = tokio::task::spawn_blocking(move || log.advance(to)).await else { return };
        match advanced {
            Ok(freed) => {
                if let Some(core) = stream.core().filter(|_| freed > 0) {
                    core.bounds.freed(freed);
                    core.appender.retry();
                }
            }
            // It is tried with the next: what is stored twice changes nothing.
            Err(error) => tracing::warn!(%error, "the spool's cursor could not be moved for now"),
        }
        stream.done.send_replace(to);
    }
    stream.emptied();
}

/// Writes dead letters, until the disk takes them: they are nowhere else once the cursor is beyond them. `false`: they are
/// not written, and the next start finds them refused again.
async fn bury(stream: &Arc<Shared>) -> bool {
    let letters = std::mem::take(&mut *lock(&stream.refused));
    if letters.is_empty() {
        return true;
    }
    let count = letters.len() as u64;
    let mut letters = Some(letters);
    let _turn = stream.burying.lock().await;
    let mut ending = stream.ending.subscribe();
    loop {
        let Some(taken) = letters.take() else { return true };
        let folder = stream.log.folder.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let written = dead::write(&folder, &taken);
            (taken, written)
        });
        let Ok((taken, written)) = writing.await else { return false };
        match written {
            Ok(()) => break,
            Err(error) => {
                tracing::error!(%error, letters = count, "dead letters could not be written for now; they are tried again");
                let released = error.is_full() && stream.core().is_some_and(|core| core.release_reserve());
                letters = Some(taken);
                if !released {
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE) => {}
                        _ = ending.wait_for(|ending| *ending) => return false,
                    }
                }
            }
        }
    }
    stream.numbers.dead_on_disk.fetch_add(count, Ordering::Relaxed);
    true
}
