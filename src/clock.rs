//! Where the time and the ids come from.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{ids::Ids, moment::Moment};

type Now = dyn Fn() -> OffsetDateTime + Send + Sync;

/// One source for a root and all of its scopes, so that ids made one after the other sort one after the other.
#[derive(Default)]
pub(crate) struct Clock {
    /// In place of the system's time.
    now: Option<Box<Now>>,
    ids: Mutex<Ids>,
}

impl Clock {
    pub(crate) fn new(now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self { now: Some(Box::new(now)), ids: Mutex::default() }
    }

    /// A new id and the time, or what is wrong with it, from one reading of the clock.
    pub(crate) fn stamp(&self) -> (Uuid, Result<Moment, &'static str>) {
        let (millis, moment) = match &self.now {
            None => system_time(),
            Some(now) => read(now()),
        };
        // A panic inside leaves the last id as it was, or the next.
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        (ids.next(millis), moment)
    }
}

/// Without the calendar, which takes longer than reading the clock.
fn system_time() -> (u64, Result<Moment, &'static str>) {
    let Ok(since_1970) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) else {
        return read(OffsetDateTime::now_utc());
    };
    let micros = since_1970.as_secs().saturating_mul(1_000_000).saturating_add(since_1970.subsec_micros().into());
    (micros / 1_000, Moment::of_unix(i64::try_from(micros).unwrap_or(i64::MIN)))
}

fn read(now: OffsetDateTime) -> (u64, Result<Moment, &'static str>) {
    // Version 7 ids cannot count from before 1970; a test's clock may stand there.
    let millis = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    (millis, Moment::of(now))
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::moment::to_microseconds;

    #[test]
    fn the_systems_time_is_that_of_the_calendar() {
        let before = to_microseconds(OffsetDateTime::now_utc()).unwrap();
        let (id, moment) = Clock::default().stamp();
        let at = moment.unwrap().to_utc();
        assert!((before..=OffsetDateTime::now_utc()).contains(&at), "{at}");
        assert_eq!((id.as_u128() >> 80).cast_signed(), at.unix_timestamp_nanos() / 1_000_000);
    }

    #[test]
    fn a_clock_out_of_range_makes_ids_and_no_moment() {
        let clock = Clock::new(|| datetime!(-5000-01-01 0:00 UTC));
        let (id, moment) = clock.stamp();
        assert!(clock.stamp().0 > id);
        assert_eq!((id.as_u128() >> 80, moment.err()), (0, Some("is out of PostgreSQL's range")));
    }
}
