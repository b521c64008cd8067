//! What `flush` and `close` give back.

use std::ops::AddAssign;

/// What became of the records that `flush` or `close` waited for.
///
/// They count from the call on: what the writer finished before is not among them, and what others emit meanwhile is.
/// For totals see [`Stats`](crate::Stats).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Drained {
    /// Committed.
    pub stored: u64,
    /// Refused by the database; each was reported.
    pub failed: u64,
    /// Not finished within `close_timeout`. After `close` each was reported, with
    /// [`Error::Closed`](crate::Error::Closed); after `flush` they are still on their way.
    pub left: u64,
    /// Not finished within `close_timeout`, or while the database was away, and in the spool: the next start goes on with
    /// them. None of them was reported.
    pub spooled: u64,
}

impl AddAssign for Drained {
    fn add_assign(&mut self, other: Self) {
        let Self { stored, failed, left, spooled } = other;
        self.stored += stored;
        self.failed += failed;
        self.left += left;
        self.spooled += spooled;
    }
}
