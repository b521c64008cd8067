//! What changes in a queue: who waits, who is in which writer's hand, and what became of the rest.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::{item::Item, stats::Failures};
use crate::error::ErrorClass;

/// In records: the room that a scope keeps while nothing waits.
pub(super) const MOST_ROOM_KEPT: usize = 256;

pub(super) struct State {
    pub(super) waiting: VecDeque<Item>,
    /// How many of these are sync emits'.
    pub(super) waiters: usize,
    /// No deadline among these is earlier.
    pub(super) earliest: Option<Instant>,
    pub(super) accepted: u64,
    /// A batch is to be taken up to here without waiting for company: what is pushed up to there is waited for.
    pub(super) urgent_up_to: u64,
    /// One a writer.
    pub(super) hands: Vec<Option<Hand>>,
    pub(super) writers: usize,
    pub(super) last_error: Option<ErrorClass>,
    pub(super) closed: Option<Progress>,
}

/// What a writer holds.
#[derive(Clone, Copy)]
pub(super) struct Hand {
    /// The number of the oldest.
    pub(super) oldest: u64,
    pub(super) since: Instant,
    pub(super) in_flight: usize,
    pub(super) held: usize,
}

/// What became of the accepted records.
#[derive(Clone, Copy, Default)]
pub(crate) struct Progress {
    pub(super) stored: u64,
    pub(super) failures: Failures,
    /// Reported because the writer ended; among the failures, as closed, in the statistics.
    pub(super) left: u64,
    /// Taken over by others when the writer ended.
    pub(crate) kept: u64,
    pub(super) retried: u64,
    /// Of all that were accepted up to here, this one excluded, it is known what became.
    pub(crate) low: u64,
    pub(crate) ended: bool,
}

impl Progress {
    pub(super) fn finished(self) -> u64 {
        self.stored + self.failures.total() + self.left + self.kept
    }
}

impl State {
    pub(super) fn new(writers: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            waiters: 0,
            earliest: None,
            accepted: 0,
            urgent_up_to: 0,
            hands: vec![None; writers],
            writers,
            last_error: None,
            closed: None,
        }
    }

    /// The number of the oldest record that is not finished.
    pub(super) fn low(&self) -> u64 {
        let waiting = self.waiting.front().map_or(self.accepted + 1, |item| item.promise.number);
        self.hands.iter().flatten().map(|hand| hand.oldest).fold(waiting, u64::min)
    }

    /// When the oldest record that is not finished was accepted.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let waiting = self.waiting.front().map(|item| item.promise.accepted);
        self.hands.iter().flatten().map(|hand| hand.since).chain(waiting).min()
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.waiting.pop_front()?;
        self.waiters -= usize::from(item.promise.deadline.is_some());
        Some(item)
    }

    /// Where nothing waits: what a burst made the queue take, to be freed outside of the lock.
    pub(super) fn emptied(&mut self) -> Option<VecDeque<Item>> {
        if !self.waiting.is_empty() {
            return None;
        }
        let burst = self.waiting.capacity() > MOST_ROOM_KEPT;
        Some(if burst { std::mem::take(&mut self.waiting) } else { VecDeque::new() })
    }

    /// Takes the sync emits away of which this is true.
    pub(super) fn extract_waiters(&mut self, mut which: impl FnMut(&Item) -> bool) -> Vec<Item> {
        let mut taken = Vec::new();
        if self.waiters == 0 {
            self.earliest = None;
            return taken;
        }
        for item in std::mem::take(&mut self.waiting) {
            if item.promise.deadline.is_some() && which(&item) {
                taken.push(item);
            } else {
                self.waiting.push_back(item);
            }
        }
        self.waiters -= taken.len();
        self.earliest = self.waiting.iter().filter_map(|item| item.promise.deadline).min();
        taken
    }
}
