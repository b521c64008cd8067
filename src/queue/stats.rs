//! The numbers of a queue, and of all queues of a root.

use std::{
    ops::AddAssign,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    error::{Error, ErrorClass},
    metrics::Numbers,
};

/// The numbers of a scope's queue since it was made. `accepted = stored + failed + queued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Records taken on.
    pub accepted: u64,
    /// Records that are in the table, duplicates included.
    pub stored: u64,
    /// Records that were reported as not, or perhaps not, stored.
    pub failed: u64,
    /// The same, by reason.
    pub failures: Failures,
    /// Records waiting or on their way.
    pub queued: u64,
    /// What these take in memory, in bytes.
    pub queued_bytes: u64,
    /// Of these, what PostgreSQL was given and has not answered.
    pub in_flight: u64,
    /// Of these, what failed at least once and will be tried again.
    pub held: u64,
    /// Of these, what is in the spool.
    pub spooled: u64,
    /// What these take on disk, in bytes.
    pub spooled_bytes: u64,
    /// How often a record was given to PostgreSQL again.
    pub retried: u64,
    /// How long ago the oldest of them was accepted.
    pub oldest: Option<Duration>,
    /// The class of the last failure; of a root, that of one of its scopes.
    pub last_error: Option<ErrorClass>,
}

/// How many records failed, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Failures {
    /// PostgreSQL refuses the record for what it is.
    pub refused: u64,
    /// PostgreSQL was away, busy, or did not answer in time.
    pub unavailable: u64,
    /// The database is not as it must be: a table, a permission, a password.
    pub environment: u64,
    /// The scope was closed, or its runtime ended, before they were stored.
    pub closed: u64,
}

impl Failures {
    pub(super) fn count(&mut self, error: &Error) {
        *match error.class() {
            _ if error.is_record_refused() => &mut self.refused,
            Some(ErrorClass::Environment) => &mut self.environment,
            Some(_) => &mut self.unavailable,
            None => &mut self.closed,
        } += 1;
    }

    pub(super) fn total(self) -> u64 {
        let Self { refused, unavailable, environment, closed } = self;
        refused + unavailable + environment + closed
    }
}

impl AddAssign for Failures {
    fn add_assign(&mut self, other: Self) {
        let Self { refused, unavailable, environment, closed } = other;
        self.refused += refused;
        self.unavailable += unavailable;
        self.environment += environment;
        self.closed += closed;
    }
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        let Self {
            accepted,
            stored,
            failed,
            failures,
            queued,
            queued_bytes,
            in_flight,
            held,
            spooled,
            spooled_bytes,
            retried,
            oldest,
            last_error,
        } = other;
        self.accepted += accepted;
        self.stored += stored;
        self.failed += failed;
        self.failures += failures;
        self.queued += queued;
        self.queued_bytes += queued_bytes;
        self.in_flight += in_flight;
        self.held += held;
        self.spooled += spooled;
        self.spooled_bytes += spooled_bytes;
        self.retried += retried;
        self.oldest = self.oldest.max(oldest);
        self.last_error = last_error.or(self.last_error);
    }
}

impl From<Stats> for Numbers {
    fn from(stats: Stats) -> Self {
        let Failures { refused, unavailable, environment, closed } = stats.failures;
        Self {
            accepted: stats.accepted,
            stored: stats.stored,
            refused,
            unavailable,
            environment,
            closed,
            retried: stats.retried,
            records: stats.queued,
            bytes: stats.queued_bytes,
            held: stats.held,
            oldest: stats.oldest.unwrap_or_default(),
        }
    }
}

/// The numbers of the queues that are gone, so that a root's never go backwards.
#[derive(Clone, Default)]
pub(crate) struct Totals(Arc<Mutex<Stats>>);

impl Totals {
    pub(crate) fn get(&self) -> Stats {
        // Plain numbers: no panic leaves them half-written.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, stats: Stats) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += stats;
    }
}
