//! The future of an emit: an event that is already checked and masked, on its way into the queue.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{
    error::{ClosedError, Error, Outcome, ValidationError},
    event::Mode,
    queue::{Answer, Refusal, Waiter},
    receipt::{Durability, Receipt},
    record::Record,
    reservation::Held,
    scope::Scope,
    spool::{Refused, Room, Stream, Unkept},
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
        held: Option<Held>,
    },
    /// Waiting for room in the queue.
    Queueing(Pin<Box<dyn Future<Output = Result<Accepted, Error>> + Send>>),
    Accepted(Accepted),
    Done,
}

/// What is known once the queue has the record.
struct Accepted {
    id: Uuid,
    told: Told,
    /// Keeps the scope's queue open while somebody waits.
    scope: Scope,
}

/// What an emit waits for once its record is accepted.
enum Told {
    /// Nothing: it is in memory, or on its way to the disk.
    Nothing,
    /// The commit.
    Commit(oneshot::Receiver<Answer>),
    /// The disk.
    Disk(oneshot::Receiver<Result<(), Box<Unkept>>>),
}

impl Drop for Accepted {
    /// An answer that came and was not read is a failure that nobody heard of.
    fn drop(&mut self) {
        // From the close on the writer finds nobody, and reports by itself.
        match &mut self.told {
            Told::Nothing => {}
            Told::Commit(answer) => {
                answer.close();
                if let Ok(Err(unstored)) = answer.try_recv() {
                    self.scope.queue().report(&unstored.error, &unstored.record);
                }
            }
            Told::Disk(answer) => {
                answer.close();
                if let Ok(Err(unkept)) = answer.try_recv() {
                    if let Some(stream) = self.scope.stream() {
                        stream.lost();
                    }
                    self.scope.queue().report(&unkept.error, &unkept.record);
                }
            }
        }
    }
}

impl Emit {
    pub(crate) fn new(scope: &Scope, record: Result<Record, ValidationError>, held: Option<Held>) -> Self {
        Self(match record {
            Ok(record) => State::Ready { scope: scope.clone(), record, held },
            Err(error) => State::Failed(error.into()),
        })
    }
}

/// Puts the record into its place, in the queue or on disk, or there if there is room now.
fn accept(scope: Scope, record: Record, held: Option<Held>) -> State {
    let stream = scope.stream().filter(|stream| record.mode() == Mode::Async && stream.goes_to_disk(scope.queue()));
    if let Some(stream) = stream.cloned() {
        return spool(scope, &stream, record, held.and_then(|held| held.room));
    }
    let id = record.id();
    let (waiter, told) = channel(&scope, &record);
    if let Some(place) = held.map(|held| held.place) {
        return match scope.queue().offer_in(place, record, waiter) {
            Ok(()) => State::Accepted(Accepted { id, told, scope }),
            Err(error) => State::Failed(error),
        };
    }
    match scope.queue().try_offer(record, waiter) {
        Ok(()) => State::Accepted(Accepted { id, told, scope }),
        Err(Refusal::Full(record, error)) => match scope.stream().filter(|_| record.mode() == Mode::Async).cloned() {
            Some(stream) => spool(scope, &stream, record, None),
            None if scope.queue().waits_when_full() => State::Queueing(Box::pin(async move {
                let id = record.id();
                let (waiter, told) = channel(&scope, &record);
                scope.queue().offer(record, waiter).await?;
                Ok(Accepted { id, told, scope })
            })),
            None => State::Failed(error.into()),
        },
        Err(Refusal::Closed(error)) => State::Failed(error.into()),
    }
}

/// Gives the record to the spool, now or when it has room.
fn spool(scope: Scope, stream: &Stream, record: Record, room: Option<Room>) -> State {
    if let Err(error) = scope.is_open() {
        return State::Failed(error);
    }
    let id = record.id();
    let on_error = Arc::clone(&scope.settings().on_error);
    let (ack, answer) = oneshot::channel();
    let told = Told::Disk(answer);
    if let Some(room) = room {
        return match stream.append_in(room, record, Some(ack), &on_error) {
            Ok(()) => State::Accepted(Accepted { id, told, scope }),
            Err(error) => State::Failed(error),
        };
    }
    match stream.try_append(record, Some(ack), &on_error) {
        Ok(()) => State::Accepted(Accepted { id, told, scope }),
        Err(Refused::Full(refused)) if scope.queue().waits_when_full() => {
            let (stream, record) = (stream.clone(), refused.0);
            State::Queueing(Box::pin(async move {
                let (ack, answer) = oneshot::channel();
                let room = stream.room(&record).await?;
                scope.is_open()?;
                stream.append_in(room, record, Some(ack), &on_error)?;
                Ok(Accepted { id, told: Told::Disk(answer), scope })
            }))
        }
        Err(Refused::Full(refused)) => State::Failed(refused.1),
        Err(Refused::Other(error)) => State::Failed(error),
    }
}

fn channel(scope: &Scope, record: &Record) -> (Option<Waiter>, Told) {
    match record.mode() {
        Mode::Sync => {
            let (sender, answer) = oneshot::channel();
            (Some(Waiter { sender, deadline: scope.queue().deadline_of_an_emit() }), Told::Commit(answer))
        }
        Mode::Async => (None, Told::Nothing),
    }
}

impl Future for Emit {
    type Output = Result<Receipt, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match std::mem::replace(&mut self.0, State::Done) {
                State::Failed(error) => return Poll::Ready(Err(error)),
                State::Ready { scope, record, held } => self.0 = accept(scope, record, held),
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
                    let receipt = |durability, duplicate| Poll::Ready(Ok(Receipt { id, durability, duplicate }));
                    let ended = || Poll::Ready(Err(ClosedError::in_flight("the scope", Outcome::Unknown, id).into()));
                    let told = match &mut accepted.told {
                        Told::Nothing => return receipt(Durability::Queued, false),
                        Told::Commit(answer) => Pin::new(answer).poll(context).map(|told| match told {
                            Ok(Ok(duplicate)) => receipt(Durability::Committed, duplicate),
                            Ok(Err(unstored)) => Poll::Ready(Err(unstored.error)),
                            // A writer answers every record, so that this is its runtime's end at the latest.
                            Err(_) => ended(),
                        }),
                        Told::Disk(answer) => Pin::new(answer).poll(context).map(|told| match told {
                            Ok(Ok(())) => receipt(Durability::Spooled, false),
                            Ok(Err(unkept)) => Poll::Ready(Err(unkept.error)),
                            Err(_) => ended(),
                        }),
                    };
                    if let Poll::Ready(told) = told {
                        return told;
                    }
                    self.0 = State::Accepted(accepted);
                    return Poll::Pending;
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
