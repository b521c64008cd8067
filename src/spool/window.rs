//! The window of memory on a log: which sequence number is behind which record of the queue.

use std::collections::VecDeque;

/// What was read and is not done with.
pub(super) struct Window {
    /// The queue's number of the first, counted from 1.
    first: u64,
    /// Sequence numbers, and when they were accepted, in microseconds since 1970.
    records: VecDeque<(u64, i64)>,
    /// All below it was read, or is lost.
    read_to: u64,
}

impl Window {
    pub(super) fn new(start: u64) -> Self {
        Self { first: 1, records: VecDeque::new(), read_to: start }
    }

    /// These were read, and go to the queue next, in this order.
    pub(super) fn extend(&mut self, read: impl Iterator<Item = (u64, i64)>, read_to: u64) {
        self.records.extend(read);
        self.read_to = read_to;
    }

    /// Of all below `low`, by the queue's numbers, it is known what became. Answers what that is in sequence numbers.
    pub(super) fn finished_below(&mut self, low: u64) -> u64 {
        while self.first < low && self.records.pop_front().is_some() {
            self.first += 1;
        }
        self.records.front().map_or(self.read_to, |(sequence, _)| *sequence)
    }

    /// When the oldest was accepted.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.records.front().map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_queue_become_sequence_numbers_across_gaps() {
        let mut window = Window::new(10);
        assert_eq!(window.finished_below(1), 10);
        window.extend([(10, 5), (11, 6), (15, 7)].into_iter(), 16);
        assert_eq!((window.finished_below(1), window.oldest()), (10, Some(5)));
        assert_eq!((window.finished_below(3), window.oldest()), (15, Some(7)));
        assert_eq!((window.finished_below(4), window.oldest()), (16, None));
        window.extend(std::iter::empty(), 20);
        assert_eq!(window.finished_below(4), 20);
        window.extend([(20, 8)].into_iter(), 21);
        assert_eq!((window.finished_below(4), window.finished_below(5)), (20, 21));
    }
}
