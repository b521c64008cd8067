//! An accepted record, and what was promised of it; and those that go to the store together.

use tokio::{sync::oneshot, time::Instant};

use super::answer::Answer;
use crate::{error::Outcome, record::Record};

/// An accepted record.
pub(super) struct Item {
    pub(super) record: Record,
    pub(super) promise: Promise,
}

/// What is owed to whoever emitted a record.
pub(super) struct Promise {
    /// The sync emit that waits for it.
    pub(super) waiter: Option<oneshot::Sender<Answer>>,
    /// When a sync emit is told, whatever is known by then. `None` for an async one.
    pub(super) deadline: Option<Instant>,
    /// Nobody is to be told any more.
    pub(super) told: bool,
    /// The answer of an attempt was lost: it may be stored.
    pub(super) unknown: bool,
    /// It was refused alone, and another was stored since.
    pub(super) vouched: bool,
    /// What it takes of the queue's bytes.
    pub(super) weight: u32,
    /// Counted from 1, in the order of acceptance.
    pub(super) number: u64,
    pub(super) accepted: Instant,
}

impl Promise {
    /// What is known of a record that is not in the store's hands now.
    pub(super) fn outcome(&self) -> Outcome {
        if self.unknown { Outcome::Unknown } else { Outcome::Rejected }
    }

    pub(super) fn due(&self, now: Instant) -> bool {
        !self.told && self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// Items that go to the store together. The records stand by themselves, since the store wants them in one slice.
#[derive(Default)]
pub(super) struct Part {
    pub(super) records: Vec<Record>,
    pub(super) promises: Vec<Promise>,
}

impl Part {
    pub(super) fn of(item: Item) -> Self {
        Self { records: vec![item.record], promises: vec![item.promise] }
    }

    pub(super) fn push(&mut self, item: Item) {
        self.records.push(item.record);
        self.promises.push(item.promise);
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Takes the later half away.
    pub(super) fn split(&mut self) -> Self {
        let middle = self.len() / 2;
        Self { records: self.records.split_off(middle), promises: self.promises.split_off(middle) }
    }

    /// Takes those away of which this is true.
    pub(super) fn extract(&mut self, mut which: impl FnMut(&Promise) -> bool) -> Vec<Item> {
        if !self.promises.iter().any(&mut which) {
            return Vec::new();
        }
        let (mut taken, mut left) = (Vec::new(), Self::default());
        for item in std::mem::take(self) {
            if which(&item.promise) { taken.push(item) } else { left.push(item) }
        }
        *self = left;
        taken
    }
}

impl IntoIterator for Part {
    type Item = Item;
    type IntoIter = std::iter::Map<
        std::iter::Zip<std::vec::IntoIter<Record>, std::vec::IntoIter<Promise>>,
        fn((Record, Promise)) -> Item,
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.records.into_iter().zip(self.promises).map(|(record, promise)| Item { record, promise })
    }
}
