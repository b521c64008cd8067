//! Dead letters on their way back into the log.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};

use tokio::sync::oneshot;

use super::{
    appender::Unkept,
    dead, reader,
    stream::{Stream, lock},
};
use crate::{
    error::{ClosedError, Error},
    table::TableName,
};

/// So many letters are on their way at once.
const TOGETHER: usize = 1_000;

impl Stream {
    pub(super) fn table(&self) -> &TableName {
        &self.0.log.table
    }

    /// Puts all dead letters back; they are removed once all of them are on disk again.
    pub(super) async fn redrive(&self) -> Result<u64, Error> {
        // One at a time. Those that are refused again meanwhile are among others, and stay.
        let _alone = self.0.redriving.lock().await;
        let core = self.0.core().ok_or_else(|| ClosedError::new("the spool"))?;
        let (stream, runtime) = (self.clone(), core.runtime.clone());
        drop(core);
        let again = Again(self);
        {
            let _turn = self.0.burying.lock().await;
            // What is refused again is written again, though it is still among those that are driven.
            *lock(&self.0.buried) = Some(HashSet::new());
        }
        let pushing = tokio::task::spawn_blocking(move || {
            let (mut acks, mut count, mut damaged) = (Vec::new(), 0, Vec::new());
            let on_error = Arc::clone(&lock(&stream.0.on_error));
            let files = dead::files(&stream.0.log.folder)?;
            for file in &files {
                let faults = dead::read::<Error>(std::slice::from_ref(file), &mut |letter| {
                    let (ack, answer) = oneshot::channel();
                    let room = runtime.block_on(stream.room(&letter.record))?;
                    stream.append_in(room, letter.record, Some(ack), &on_error)?;
                    acks.push(answer);
                    count += 1;
                    // As many as are on their way at once, not as there are letters.
                    if acks.len() >= TOGETHER { runtime.block_on(all(&mut acks)) } else { Ok(()) }
                })?;
                if faults > 0 {
                    damaged.push((file.clone(), faults));
                }
            }
            runtime.block_on(all(&mut acks))?;
            Ok::<_, Error>((files, damaged, count))
        });
        let (files, damaged, count) = pushing.await.map_err(|_| ClosedError::new("the spool"))??;
        let _turn = self.0.burying.lock().await;
        let folder = self.0.log.folder.clone();
        let lost: u64 = damaged.iter().map(|(_, faults)| faults).sum();
        let cleared = tokio::task::spawn_blocking(move || {
            for (file, letters) in &damaged {
                let kept = reader::keep_file(&folder, file)?;
                tracing::error!(letters, kept = %kept.display(), "dead letters could not be read, and are kept aside");
            }
            dead::clear(&folder, &files)?;
            dead::count(&folder)
        });
        let left = cleared.await.map_err(|_| ClosedError::new("the spool"))??;
        self.0.numbers.dead_on_disk.store(left, Ordering::Relaxed);
        self.0.numbers.damaged_letters.fetch_add(lost, Ordering::Relaxed);
        std::mem::forget(again);
        Ok(count)
    }
}

/// Waits until all of these are on disk.
async fn all(acks: &mut Vec<oneshot::Receiver<Result<(), Box<Unkept>>>>) -> Result<(), Error> {
    for ack in acks.drain(..) {
        ack.await.map_err(|_| ClosedError::new("the spool"))?.map_err(|unkept| unkept.error)?;
    }
    Ok(())
}

/// Dropped, the letters are looked through anew, since those that were to be driven are still there.
struct Again<'s>(&'s Stream);

impl Drop for Again<'_> {
    fn drop(&mut self) {
        *lock(&self.0.0.buried) = None;
    }
}
