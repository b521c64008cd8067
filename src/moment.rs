//! Time as PostgreSQL counts it.

use std::ops::Range;

use time::{Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description};

/// PostgreSQL counts microseconds from here.
const EPOCH: OffsetDateTime = time::macros::datetime!(2000-01-01 00:00 UTC);
/// The same in microseconds since 1970.
pub(crate) const EPOCH_IN_UNIX: i64 = EPOCH.unix_timestamp() * 1_000_000;
/// The microseconds that a timestamp can hold: 4714-11-24 BC to 294276 AD.
const TIMESTAMPS: Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

/// A `timestamptz`: microseconds since 2000.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(i64);

impl Moment {
    /// The moment, or what is wrong with it.
    pub(crate) fn of(at: OffsetDateTime) -> Result<Self, &'static str> {
        let at = to_microseconds(at).ok_or("is out of range once it is taken to UTC")?;
        Self::of_unix(i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MIN))
    }

    /// The same from microseconds since 1970.
    pub(crate) fn of_unix(microseconds: i64) -> Result<Self, &'static str> {
        let since_2000 = microseconds.saturating_sub(EPOCH_IN_UNIX);
        if TIMESTAMPS.contains(&since_2000) { Ok(Self(since_2000)) } else { Err("is out of PostgreSQL's range") }
    }

    /// Microseconds since 2000.
    pub(crate) fn microseconds(self) -> i64 {
        self.0
    }

    pub(crate) fn to_utc(self) -> OffsetDateTime {
        EPOCH.saturating_add(Duration::microseconds(self.0))
    }
}

/// RFC 3339, in UTC where the years before 0 are, which it does not know.
pub(crate) fn rfc3339(at: OffsetDateTime) -> Result<String, time::error::Format> {
    let early = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond]Z");
    at.format(&Rfc3339).or_else(|_| at.to_offset(UtcOffset::UTC).format(early))
}

/// PostgreSQL keeps microseconds; what is finer is cut, never rounded up into the future.
pub(crate) fn to_microseconds(at: OffsetDateTime) -> Option<OffsetDateTime> {
    let utc = at.checked_to_offset(UtcOffset::UTC)?;
    utc.checked_sub(Duration::nanoseconds(i64::from(utc.nanosecond() % 1_000)))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_moment_is_cut_and_counted_from_2000() {
        for (at, microseconds) in [
            (datetime!(2000-01-01 0:00:00.000_001_999 UTC), 1),
            (datetime!(1999-12-31 23:59:59.999_999_001 UTC), -1),
            (datetime!(1969-12-31 23:59:59.999_999_999 UTC), -946_684_800_000_001),
            (datetime!(2000-01-01 2:00 +02:00), 0),
        ] {
            let moment = Moment::of(at).unwrap();
            assert_eq!(moment.microseconds(), microseconds);
            assert_eq!(moment.to_utc(), to_microseconds(at).unwrap());
        }
    }

    #[test]
    fn a_moment_beyond_the_range_is_refused() {
        assert_eq!(Moment::of(datetime!(-4713-11-24 0:00 UTC)).unwrap().microseconds(), TIMESTAMPS.start);
        for at in [datetime!(-4713-11-23 23:59:59 UTC), datetime!(-9999-01-01 0:00 UTC)] {
            assert_eq!(Moment::of(at).unwrap_err(), "is out of PostgreSQL's range");
        }
        let beyond = datetime!(9999-12-31 23:59:59 -01:00);
        // `time`'s feature `large-dates`, which any crate may switch on, knows later years.
        assert_eq!(Moment::of(beyond).is_err(), beyond.checked_to_offset(UtcOffset::UTC).is_none());
        assert!(Moment::of_unix(i64::MIN).is_err());
    }
}
