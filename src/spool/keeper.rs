//! The keeper of a stream: follows the queue, and moves the cursor behind what is finished, dead letters first.

use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    dead,
    stream::{Letter, Shared, lock},
};
use crate::{error::SpoolError, metrics::SpoolMeters};

/// How old a meter may be.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after the disk failed.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn run(stream: Arc<Shared>) {
    let mut ending = stream.ending.subscribe();
    let mut finished = stream.queue.finished();
    loop {
        let low = finished.borrow_and_update().low;
        let mut behind = false;
        // In this order: where the queue gives up, it says so before its numbers change.
        if stream.gave_up.load(Ordering::SeqCst) {
            // What is on disk is refused again by the next start; what was in memory is nowhere else.
            lock(&stream.refused).retain(|letter| !letter.is_on_disk);
            bury(&stream).await;
        } else {
            behind = settle(&stream, low).await;
        }
        stream.meters.set(stream.measured());
        if *ending.borrow_and_update() {
            return;
        }
        tokio::select! {
            _ = finished.changed() => {}
            () = stream.moved.notified() => {}
            _ = ending.changed() => {}
            // On a full spool nothing else may ever come.
            () = tokio::time::sleep(PAUSE), if behind => {}
            // What emits add while nothing is stored shows too.
            () = tokio::time::sleep(LOOK), if SpoolMeters::LISTENS => {}
        }
    }
}

/// Puts on disk what is known below `low`, in the order in which a crash between loses nothing. Whether the cursor is to be
/// moved once more, since the disk failed.
async fn settle(stream: &Arc<Shared>, low: u64) -> bool {
    let to = lock(&stream.window).finished_below(low);
    let Some(dead) = bury(stream).await else { return false };
    stream.numbers.dead.fetch_add(dead, Ordering::Relaxed);
    let mut behind = false;
    if to > *stream.done.borrow() || to > stream.log.at() {
        let log = Arc::clone(&stream.log);
        let Ok(advanced) = tokio::task::spawn_blocking(move || log.advance(to)).await else { return false };
        match advanced {
            Ok(freed) => {
                if let Some(core) = stream.core().filter(|_| freed > 0) {
                    core.bounds.freed(freed);
                    core.appender.retry();
                }
            }
            // What is stored twice changes nothing.
            Err(error) => {
                tracing::warn!(%error, "the spool's cursor could not be moved for now; it is tried again");
                if let Some(core) = stream.core().filter(|_| error.is_full()) {
                    core.release_reserve();
                }
                behind = true;
            }
        }
        stream.done.send_replace(to);
    }
    if to >= *stream.log.tail.borrow() {
        stream.emptied();
        make_room(stream).await;
    }
    behind
}

/// All is stored. Where room is short, the last segment goes too.
async fn make_room(stream: &Arc<Shared>) {
    let Some(core) = stream.core().filter(|core| core.bounds.is_short()) else { return };
    if stream.log.is_written.load(Ordering::Relaxed) {
        // Its writer has to let it go.
        core.appender.retry();
        return;
    }
    let log = Arc::clone(&stream.log);
    if let Ok(Ok(freed)) = tokio::task::spawn_blocking(move || log.finish()).await {
        core.bounds.freed(freed);
    }
}

/// Writes dead letters, until the disk takes them: they are nowhere else once the cursor is beyond them. Answers how many of
/// them the cursor has to pass; `None`: they are not written, and the next start finds them refused again.
async fn bury(stream: &Arc<Shared>) -> Option<u64> {
    let letters = std::mem::take(&mut *lock(&stream.refused));
    if letters.is_empty() {
        return Some(0);
    }
    let on_disk = letters.iter().filter(|letter| letter.is_on_disk).count() as u64;
    let mut ending = stream.ending.subscribe();
    let mut letters = letters;
    let _turn = stream.burying.lock().await;
    loop {
        let (folder, that) = (stream.log.folder.clone(), Arc::clone(stream));
        let writing = tokio::task::spawn_blocking(move || {
            let written = write(&that, &folder, &letters);
            (letters, written)
        });
        let (taken, written) = writing.await.ok()?;
        letters = taken;
        match written {
            Ok(count) => {
                stream.numbers.dead_on_disk.fetch_add(count, Ordering::Relaxed);
                return Some(on_disk);
            }
            Err(error) => {
                let count = letters.len();
                tracing::error!(%error, letters = count, "dead letters could not be written for now; they are tried again");
                let released = error.is_full() && stream.core().is_some_and(|core| core.release_reserve());
                if !released {
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE) => {}
                        _ = ending.wait_for(|ending| *ending) => return None,
                    }
                }
            }
        }
    }
}

/// Writes those that are not there yet: a process before may not have lived to move the cursor.
fn write(stream: &Shared, folder: &Path, letters: &[Letter]) -> Result<u64, SpoolError> {
    if *stream.done.borrow() >= stream.log.recovered_below {
        // No process before has seen any of these.
        *lock(&stream.buried) = None;
        let letters: Vec<_> = letters.iter().map(Letter::parts).collect();
        dead::write(folder, &letters)?;
        return Ok(letters.len() as u64);
    }
    let mut known = lock(&stream.buried);
    let known = match &mut *known {
        Some(known) => known,
        none => {
            let mut ids = HashSet::new();
            dead::read::<SpoolError>(&dead::files(folder)?, &mut |letter| {
                ids.insert(letter.record.id());
                Ok(())
            })?;
            none.insert(ids)
        }
    };
    let is_new = |letter: &&Letter| !known.contains(&letter.record.id());
    let new: Vec<_> = letters.iter().filter(is_new).map(Letter::parts).collect();
    if !new.is_empty() {
        dead::write(folder, &new)?;
    }
    known.extend(new.iter().map(|(_, _, record, _)| record.id()));
    Ok(new.len() as u64)
}
