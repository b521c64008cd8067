//! What those are told who give a record to the queue.

use crate::{
    error::{ClosedError, Error, QueueFullError},
    record::Record,
};

/// What a waiting sync emit is told: whether the record was a duplicate, or why it was not stored.
pub(crate) type Answer = Result<bool, Box<Unstored>>;

/// A record that was not, or perhaps not, stored, and why. It goes to the waiting emit whole: should that be dropped
/// before it has read the answer, it reports the record in the writer's place.
pub(crate) struct Unstored {
    pub(crate) error: Error,
    pub(crate) record: Record,
}

/// Why a record was not accepted at once; it is given back.
pub(crate) enum Refusal {
    /// There is no room.
    Full(Record, QueueFullError),
    Closed(ClosedError),
}
