//! What [`stats`](crate::Scope::stats) says, through the `metrics` facade; without the feature, nothing.
//!
//! Counters and gauges move by what has changed since the last time, so that those of several queues on one table add
//! up. A queue that ends takes its part of the gauges back.

#[cfg(feature = "metrics")]
mod meters;
#[cfg(not(feature = "metrics"))]
mod nothing;
#[cfg(all(feature = "metrics", feature = "spool"))]
mod spool;

use std::time::Duration;

#[cfg(feature = "metrics")]
pub(crate) use self::meters::{Attempt, Meters};
#[cfg(all(not(feature = "metrics"), feature = "spool"))]
pub(crate) use self::nothing::SpoolMeters;
#[cfg(not(feature = "metrics"))]
pub(crate) use self::nothing::{Attempt, Meters};
#[cfg(all(feature = "metrics", feature = "spool"))]
pub(crate) use self::spool::SpoolMeters;

/// The numbers of a queue at one moment.
#[derive(Clone, Copy, Default)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "nobody is told"))]
pub(crate) struct Numbers {
    pub(crate) accepted: u64,
    pub(crate) stored: u64,
    pub(crate) refused: u64,
    pub(crate) unavailable: u64,
    pub(crate) environment: u64,
    pub(crate) closed: u64,
    pub(crate) retried: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) held: u64,
    pub(crate) oldest: Duration,
}

/// The numbers of a spool's log at one moment.
#[cfg(feature = "spool")]
#[derive(Clone, Copy, Default)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "nobody is told"))]
pub(crate) struct SpoolNumbers {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) dead_letters: u64,
}
