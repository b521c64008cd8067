//! A part on its way to the store.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::oneshot;
use tracing::{Instrument, Span, field::Empty};

use super::item::{Part, Promise};
use crate::{
    config::Settings,
    error::Error,
    metrics::{Attempt, Meters},
    record::Record,
    store::{Batch, BoxFuture, NextGoes, Session, Store, Turn},
};

/// Which of the batch were there already.
pub(super) type Written = Result<Vec<usize>, Error>;

/// A part that was given to the store, whose answer is not there. Dropped before its turn has come, nothing of it is
/// stored.
pub(super) struct Flight {
    records: Batch,
    promises: Vec<Promise>,
    write: BoxFuture<'static, Written>,
    /// Tells the store that the part before is committed.
    turn: Option<oneshot::Sender<()>>,
    /// Told when the next may be sent.
    sent: Option<oneshot::Receiver<()>>,
    /// It has what it is written in.
    departed: Arc<AtomicBool>,
    attempt: Attempt,
    span: Span,
}

/// What is waited for, and whose records these are.
pub(super) struct Aboard<'f> {
    pub(super) write: Pin<&'f mut (dyn Future<Output = Written> + Send)>,
    pub(super) sent: Option<&'f mut oneshot::Receiver<()>>,
    pub(super) records: &'f [Record],
    pub(super) promises: &'f mut [Promise],
}

impl Flight {
    /// Sets off. `leads`: another may be sent behind it.
    pub(super) fn first(
        session: Box<dyn Session>,
        part: Part,
        leads: Option<NextGoes>,
        settings: &Settings,
        tries: u32,
    ) -> Self {
        let (turn, sent) = match leads {
            None => (Turn::alone(), None),
            Some(next_goes) => {
                let (tell, sent) = oneshot::channel();
                (Turn::first(next_goes, tell), Some(sent))
            }
        };
        let again = part.promises.iter().any(|promise| promise.unknown);
        Self::new(part, None, sent, again, settings, tries, |batch, departed| {
            departed.store(true, Ordering::Relaxed);
            session.write(batch, again, turn)
        })
    }

    /// Follows another: is sent on a connection that nobody else wants, and committed after [`go`](Self::go).
    pub(super) fn behind(store: &Arc<dyn Store>, part: Part, next_goes: NextGoes, settings: &Settings) -> Self {
        let (turn, comes) = oneshot::channel();
        let (tell, sent) = oneshot::channel();
        let (store, table) = (Arc::clone(store), settings.table.clone());
        Self::new(part, Some(turn), Some(sent), false, settings, 1, |batch, departed| {
            Box::pin(async move {
                let session = store.session(&table, true).await?;
                departed.store(true, Ordering::Relaxed);
                session.write(batch, false, Turn::after(comes, next_goes, tell)).await
            })
        })
    }

    fn new(
        part: Part,
        turn: Option<oneshot::Sender<()>>,
        sent: Option<oneshot::Receiver<()>>,
        again: bool,
        settings: &Settings,
        tries: u32,
        write: impl FnOnce(Batch, Arc<AtomicBool>) -> BoxFuture<'static, Written>,
    ) -> Self {
        let Part { records, promises } = part;
        let records = Arc::new(records);
        let (table, count) = (&settings.table, records.len());
        let span = tracing::debug_span!("store", %table, records = count, again, tries, outcome = Empty);
        let departed = Arc::<AtomicBool>::default();
        let write = Box::pin(write(Arc::clone(&records), Arc::clone(&departed)).instrument(span.clone()));
        Self { records, promises, write, turn, sent, departed, attempt: Attempt::begin(), span }
    }

    /// The part before is committed.
    pub(super) fn go(&mut self) {
        // Where nobody listens, it has failed already.
        let _ = self.turn.take().map(|turn| turn.send(()));
    }

    pub(super) fn has_departed(&self) -> bool {
        self.departed.load(Ordering::Relaxed)
    }

    pub(super) fn aboard(&mut self) -> Aboard<'_> {
        Aboard {
            write: self.write.as_mut(),
            sent: self.sent.as_mut(),
            records: &self.records,
            promises: &mut self.promises,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn first_promise(&self) -> Option<&Promise> {
        self.promises.first()
    }

    /// Nothing is to be told of it any more: it was, or nobody shall follow.
    pub(super) fn forget_sent(&mut self) {
        self.sent = None;
    }

    /// An answer has come.
    pub(super) fn answered(self, stored: bool, meters: &Meters) -> Part {
        self.span.record("outcome", if stored { "stored" } else { "failed" });
        let Self { records, promises, write, attempt, .. } = self;
        meters.attempted(attempt, records.len(), stored);
        drop(write);
        land(records, promises)
    }

    /// It is called back.
    pub(super) fn recalled(self) -> Part {
        let Self { records, promises, write, .. } = self;
        drop(write);
        land(records, promises)
    }
}

fn land(records: Batch, promises: Vec<Promise>) -> Part {
    // The write had the only other one.
    Part { records: Arc::unwrap_or_clone(records), promises }
}
