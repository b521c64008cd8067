//! The future of an emit: an event that is already checked and masked, on its way into the queue.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{
    error::{ClosedError, Error, Outcome, ValidationError},
    event::Mode,
    queue::{Answer, Place, Refusal, Waiter},
    receipt::{Durability, Receipt},
    record::Record,
    scope::Scope,
};

/// What `emit` and `emit_diff` return. It borrows nothing of the event, which was checked, masked and written out by
/// the call itself; the record enters the queue when this is first polled.
///
/// # Errors
/// `Validation` when the event breaks a rule; `Closed`; `QueueFull` where the scope rejects; `Driver` when a sync record
/// could not be stored: [`Error::outcome`] says whether it may be stored nevertheless, [`Error::record_id`] what to emit
/// it again with.
///
/// # Cancel safety
/// Dropped before the record was accepted, nothing was emitted. Dropped later, the record is stored all the same, and a
/// failure goes to `on_error`.
#[must_use = "an event is emitted only when this is awaited"]
pub struct Emit(State);

enum State {
    Failed(Error),
    Ready {
        scope: Scope,
        record: Record,
        /// Held for it.
        place: Option<Place>,
    },
    /// Waiting for room in the queue.
    Queueing(Pin<Box<dyn Future<Output = Result<Accepted, Error>> + Send>>),
    Accepted(Accepted),
    Done,
}

/// What is known once the queue has the record.
struct Accepted {
    id: Uuid,
    /// Where a sync emit hears of it.
    answer: Option<oneshot::Receiver<Answer>>,
    /// Keeps the scope's queue open while somebody waits.
    scope: Scope,
}

impl Drop for Accepted {
    /// An answer that came and was not read is a failure that nobody heard of.
    fn drop(&mut self) {
        let Some(mut answer) = self.answer.take() else { return };
        // From here on the writer finds nobody, and reports by itself.
        answer.close();
        if let Ok(Err(unstored)) = answer.try_recv() {
            self.scope.queue().report(&unstored.error, &unstored.record);
        }
    }
}

impl Emit {
    pub(crate) fn new(scope: &Scope, record: Result<Record, ValidationError>, place: Option<Place>) -> Self {
        Self(match record {
            Ok(record) => State::Ready { scope: scope.clone(), record, place },
            Err(error) => State::Failed(error.into()),
        })
    }
}

/// Puts the record into its place in the queue, or there if there is room now.
fn accept(scope: Scope, record: Record, place: Option<Place>) -> State {
    let id = record.id();
    let (waiter, answer) = channel(&scope, &record);
    if let Some(place) = place {
        return match scope.queue().offer_in(place, record, waiter) {
            Ok(()) => State::Accepted(Accepted { id, answer, scope }),
            Err(error) => State::Failed(error),
        };
    }
    match scope.queue().try_offer(record, waiter) {
        Ok(()) => State::Accepted(Accepted { id, answer, scope }),
        Err(Refusal::Full(record, _)) if scope.queue().waits_when_full() => State::Queueing(Box::pin(async move {
            let id = record.id();
            let (waiter, answer) = channel(&scope, &record);
            scope.queue().offer(record, waiter).await?;
            Ok(Accepted { id, answer, scope })
        })),
        Err(Refusal::Full(_, error)) => State::Failed(error.into()),
        Err(Refusal::Closed(error)) => State::Failed(error.into()),
    }
}

fn channel(scope: &Scope, record: &Record) -> (Option<Waiter>, Option<oneshot::Receiver<Answer>>) {
    match record.mode() {
        Mode::Sync => {
            let (sender, answer) = oneshot::channel();
            (Some(Waiter { sender, deadline: scope.queue().deadline_of_an_emit() }), Some(answer))
        }
        Mode::Async => (None, None),
    }
}

impl Future for Emit {
    type Output = Result<Receipt, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match std::mem::replace(&mut self.0, State::Done) {
                State::Failed(error) => return Poll::Ready(Err(error)),
                State::Ready { scope, record, place } => self.0 = accept(scope, record, place),
                State::Queueing(mut queueing) => match queueing.as_mut().poll(context) {
                    Poll::Ready(Ok(accepted)) => self.0 = State::Accepted(accepted),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        self.0 = State::Queueing(queueing);
                        return Poll::Pending;
                    }
                },
                State::Accepted(mut accepted) => {
                    let id = accepted.id;
                    let Some(answer) = accepted.answer.as_mut() else {
                        return Poll::Ready(Ok(Receipt { id, durability: Durability::Queued, duplicate: false }));
                    };
                    return match Pin::new(answer).poll(context) {
                        Poll::Ready(Ok(stored)) => match stored {
                            Ok(duplicate) => {
                                Poll::Ready(Ok(Receipt { id, durability: Durability::Committed, duplicate }))
                            }
                            Err(unstored) => Poll::Ready(Err(unstored.error)),
                        },
                        // A writer answers every record, so that this is its runtime's end at the latest.
                        Poll::Ready(Err(_)) => {
                            Poll::Ready(Err(ClosedError::in_flight("the scope", Outcome::Unknown, id).into()))
                        }
                        Poll::Pending => {
                            self.0 = State::Accepted(accepted);
                            Poll::Pending
                        }
                    };
                }
                State::Done => return Poll::Ready(Err(ClosedError::new("a finished emit").into())),
            }
        }
    }
}

impl fmt::Debug for Emit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emit")
    }
}

/// What `emit_in` returns: the one statement in the caller's transaction. It borrows the scope and the transaction, and
/// nothing of the event.
#[must_use = "an event is emitted only when this is awaited"]
pub struct EmitIn<'t>(Pin<Box<dyn Future<Output = Result<Receipt, Error>> + Send + 't>>);

impl<'t> EmitIn<'t> {
    pub(crate) fn new(statement: impl Future<Output = Result<Receipt, Error>> + Send + 't) -> Self {
        Self(Box::pin(statement))
    }
}

impl Future for EmitIn<'_> {
    type Output = Result<Receipt, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for EmitIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmitIn")
    }
}
