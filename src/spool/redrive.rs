//! Dead letters on their way back into the log.

use std::sync::{Arc, atomic::Ordering};

use tokio::sync::oneshot;

use super::{
    dead,
    stream::{Stream, lock},
};
use crate::{
    error::{ClosedError, Error},
    table::TableName,
};

impl Stream {
    pub(super) fn table(&self) -> &TableName {
        &self.0.log.table
    }

    /// Puts all dead letters back; they are removed once all of them are on disk again.
    pub(super) async fn redrive(&self) -> Result<u64, Error> {
        // Those that are refused again meanwhile are written afterwards.
        let _turn = self.0.burying.lock().await;
        let core = self.0.core().ok_or_else(|| ClosedError::new("the spool"))?;
        let (stream, runtime) = (self.clone(), core.runtime.clone());
        drop(core);
        let pushing = tokio::task::spawn_blocking(move || {
            let mut acks = Vec::new();
            let on_error = Arc::clone(&lock(&stream.0.on_error));
            let files = dead::files(&stream.0.log.folder)?;
            dead::read::<Error>(&files, &mut |letter| {
                let (ack, answer) = oneshot::channel();
                runtime.block_on(stream.append(letter.record, Some(ack), Arc::clone(&on_error)))?;
                acks.push(answer);
                Ok(())
            })?;
            Ok::<_, Error>((files, acks))
        });
        let (files, acks) = pushing.await.map_err(|_| ClosedError::new("the spool"))??;
        let count = acks.len() as u64;
        for ack in acks {
            ack.await.map_err(|_| ClosedError::new("the spool"))?.map_err(|unkept| unkept.error)?;
        }
        let folder = self.0.log.folder.clone();
        let cleared = tokio::task::spawn_blocking(move || {
            dead::clear(&folder, &files)?;
            dead::count(&folder)
        });
        let left = cleared.await.map_err(|_| ClosedError::new("the spool"))??;
        self.0.numbers.dead_on_disk.store(left, Ordering::Relaxed);
        Ok(count)
    }
}
