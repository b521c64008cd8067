//! Room in a scope's queue for an event that is not there yet.

use std::fmt;

use crate::{
    emit::Emit,
    error::Error,
    event::Event,
    queue::Place,
    record::{Record, WEIGHT_BESIDE},
    scope::Scope,
    spool::Room,
};

/// Room in a scope's queue, held until an event takes it: see [`Scope::try_reserve`]. Dropped, it is given back. A close
/// does not wait for it; an event that comes later is refused as `Closed`.
#[must_use = "dropped, the room is given back"]
pub struct Reservation {
    scope: Scope,
    held: Held,
}

/// What is held: the event's mode, which comes later, says which of the two it takes.
pub(crate) struct Held {
    pub(crate) place: Place,
    pub(crate) room: Option<Room>,
}

impl Reservation {
    pub(crate) fn new(scope: &Scope, bytes: usize) -> Result<Self, Error> {
        let place = scope.queue().try_hold(bytes.saturating_add(WEIGHT_BESIDE))?;
        let room = scope.stream().map(|stream| stream.try_hold(bytes.saturating_add(WEIGHT_BESIDE))).transpose()?;
        Ok(Self { scope: scope.clone(), held: Held { place, room } })
    }

    /// As [`Scope::emit`], in the room that is held.
    ///
    /// # Errors
    /// As `emit`; `QueueFull` only where the event is larger than what was reserved, and there is no room for the rest.
    pub fn emit<'a>(self, event: impl Into<Event<'a>>) -> Emit {
        let record = Record::of(&event.into(), None, self.scope.settings());
        Emit::new(&self.scope, record.map(Record::fitted), Some(self.held))
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reservation")
    }
}
