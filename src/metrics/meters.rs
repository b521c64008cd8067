//! The meters of a queue.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use metrics::{
    Counter, Gauge, Histogram, SharedString, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use super::Numbers;
use crate::table::TableName;

/// A power of two, so that what is added to a gauge in parts comes back to nothing.
const TICKS_A_SECOND: u64 = 1 << 10;

/// Made once a queue, for the recorder there is then.
pub(crate) struct Meters {
    /// What was last said.
    said: Mutex<Numbers>,
    accepted: Counter,
    stored: Counter,
    refused: Counter,
    unavailable: Counter,
    environment: Counter,
    closed: Counter,
    retried: Counter,
    batch_records: Histogram,
    seconds_to_store: Histogram,
    seconds_to_fail: Histogram,
    records: Gauge,
    bytes: Gauge,
    held: Gauge,
    oldest: Gauge,
}

/// An attempt that has begun.
#[derive(Clone, Copy)]
pub(crate) struct Attempt(Instant);

impl Attempt {
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }
}

impl Meters {
    pub(crate) fn new(table: &TableName) -> Self {
        describe();
        let schema = table.schema().map(|schema| format!("{schema}.")).unwrap_or_default();
        let table = SharedString::from_shared(format!("{schema}{}", table.name()).into());
        let failed = |reason| counter!("tracevault_events_failed_total", "table" => table.clone(), "reason" => reason);
        let seconds = |outcome| histogram!("tracevault_batch_seconds", "table" => table.clone(), "outcome" => outcome);
        Self {
            said: Mutex::default(),
            accepted: counter!("tracevault_events_accepted_total", "table" => table.clone()),
            stored: counter!("tracevault_events_stored_total", "table" => table.clone()),
            refused: failed("refused"),
            unavailable: failed("unavailable"),
            environment: failed("environment"),
            closed: failed("closed"),
            retried: counter!("tracevault_events_retried_total", "table" => table.clone()),
            batch_records: histogram!("tracevault_batch_records", "table" => table.clone()),
            seconds_to_store: seconds("stored"),
            seconds_to_fail: seconds("failed"),
            records: gauge!("tracevault_queue_records", "table" => table.clone()),
            bytes: gauge!("tracevault_queue_bytes", "table" => table.clone()),
            held: gauge!("tracevault_queue_held", "table" => table.clone()),
            oldest: gauge!("tracevault_queue_oldest_seconds", "table" => table.clone()),
        }
    }

    /// Says what has changed. The numbers are asked for under the lock, so that no writer says older ones after.
    pub(crate) fn update(&self, numbers: impl FnOnce() -> Numbers) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let now = numbers();
        let then = std::mem::replace(&mut *said, now);
        let Numbers {
            accepted,
            stored,
            refused,
            unavailable,
            environment,
            closed,
            retried,
            records,
            bytes,
            held,
            oldest,
        } = now;
        add(&self.accepted, then.accepted, accepted);
        add(&self.stored, then.stored, stored);
        add(&self.refused, then.refused, refused);
        add(&self.unavailable, then.unavailable, unavailable);
        add(&self.environment, then.environment, environment);
        add(&self.closed, then.closed, closed);
        add(&self.retried, then.retried, retried);
        shift(&self.records, then.records, records, 1);
        shift(&self.bytes, then.bytes, bytes, 1);
        shift(&self.held, then.held, held, 1);
        shift(&self.oldest, ticks(then.oldest), ticks(oldest), TICKS_A_SECOND);
    }

    pub(crate) fn attempted(&self, attempt: Attempt, records: usize, stored: bool) {
        self.batch_records.record(to_float(records as u64));
        let seconds = if stored { &self.seconds_to_store } else { &self.seconds_to_fail };
        seconds.record(attempt.0.elapsed());
    }
}

fn add(counter: &Counter, then: u64, now: u64) {
    if now > then {
        counter.increment(now - then);
    }
}

/// Moves a gauge by a difference, counted in parts of its unit.
fn shift(gauge: &Gauge, then: u64, now: u64, parts: u64) {
    let by = |difference| to_float(difference) / to_float(parts);
    match now.cmp(&then) {
        std::cmp::Ordering::Greater => gauge.increment(by(now - then)),
        std::cmp::Ordering::Less => gauge.decrement(by(then - now)),
        std::cmp::Ordering::Equal => {}
    }
}

#[expect(clippy::cast_precision_loss, reason = "nothing here comes near 2^53")]
fn to_float(number: u64) -> f64 {
    number as f64
}

fn ticks(duration: Duration) -> u64 {
    duration.as_secs() * TICKS_A_SECOND + u64::from(duration.subsec_millis()) * TICKS_A_SECOND / 1_000
}

fn describe() {
    describe_counter!("tracevault_events_accepted_total", "Audit events that a queue took on");
    describe_counter!("tracevault_events_stored_total", "Audit events that are in the table, duplicates included");
    describe_counter!("tracevault_events_failed_total", "Audit events reported as not, or perhaps not, stored");
    describe_counter!("tracevault_events_retried_total", "How often an audit event was given to PostgreSQL again");
    describe_histogram!("tracevault_batch_records", "Audit events in one attempt to store them");
    describe_histogram!("tracevault_batch_seconds", Unit::Seconds, "What one attempt took, connecting included");
    describe_gauge!("tracevault_queue_records", "Audit events that wait or are on their way");
    describe_gauge!("tracevault_queue_bytes", Unit::Bytes, "What these take in memory");
    describe_gauge!("tracevault_queue_held", "Of these, those that failed at least once and will be tried again");
    describe_gauge!("tracevault_queue_oldest_seconds", Unit::Seconds, "The age of the oldest, summed over the queues");
}
