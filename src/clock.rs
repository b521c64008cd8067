//! Where the time and the version 7 ids come from.

use std::{fmt, sync::Mutex};

use time::OffsetDateTime;
use uuid::{ContextV7, Timestamp, Uuid};

type Now = dyn Fn() -> OffsetDateTime + Send + Sync;

/// One source for a root and all of its scopes, so that ids made one after the other sort one after the other.
pub(crate) struct Clock {
    now: Box<Now>,
    sequence: Mutex<ContextV7>,
}

impl Clock {
    pub(crate) fn new(now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self { now: Box::new(now), sequence: Mutex::new(ContextV7::new()) }
    }

    /// A new id and the time, from one reading of the clock.
    pub(crate) fn stamp(&self) -> (Uuid, OffsetDateTime) {
        let now = (self.now)();
        // Version 7 ids cannot count from before 1970; a test's clock may stand there.
        let seconds = u64::try_from(now.unix_timestamp()).unwrap_or_default();
        // A panic inside the counter is not possible to leave it half-way: it sets plain cells.
        let sequence = self.sequence.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let id = Uuid::new_v7(Timestamp::from_unix(&*sequence, seconds, now.nanosecond()));
        (id, now)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(OffsetDateTime::now_utc)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
