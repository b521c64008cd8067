//! What waits for one log, and the writing of it.

use std::time::Instant;

use super::Append;
use crate::{
    config::{Sync, WhenFull},
    error::{Error, Outcome},
    spool::{
        folder::Folder,
        log::Log,
        room::Bounds,
        writer::{Failure, Writer, size},
    },
};

/// What is acknowledged and not synced takes no more memory than about this.
const MOST_UNSYNCED: usize = 8 << 20;

/// A record, and its number among all that were pushed.
struct Item {
    number: u64,
    append: Append,
}

/// What a round is about.
pub(super) struct Round<'s> {
    pub(super) folder: &'s Folder,
    pub(super) bounds: &'s Bounds,
    pub(super) sync: Sync,
    pub(super) when_full: WhenFull,
    pub(super) now: Instant,
    /// What found no room is tried again.
    pub(super) again: bool,
    /// All is to be on disk.
    pub(super) settle: bool,
    /// What cannot be written now never will.
    pub(super) last: bool,
}

/// What waits for one log.
pub(super) struct Lane {
    pub(super) writer: Writer,
    items: Vec<Item>,
    /// What goes before all others.
    front: Vec<Item>,
    sync_due: Option<Instant>,
    /// The disk had no room, and what waits is tried again.
    stuck: bool,
    /// The disk failed the last time.
    failed: bool,
}

impl Lane {
    pub(super) fn new(writer: Writer) -> Self {
        Self { writer, items: Vec::new(), front: Vec::new(), sync_due: None, stuck: false, failed: false }
    }

    pub(super) fn is_of(&self, log: &Log) -> bool {
        std::ptr::eq(&raw const *self.writer.log, log)
    }

    pub(super) fn push(&mut self, number: u64, append: Append) {
        let item = Item { number, append };
        if item.append.front {
            self.front.push(item);
        } else {
            self.items.push(item);
        }
    }

    pub(super) fn work(&mut self, round: &Round<'_>) {
        if !self.items.is_empty() && (!self.stuck || round.again || self.is_urgent(round)) {
            self.write(round);
        }
        // At the end, so that all of it is one segment, in its order.
        if !self.front.is_empty() && round.last {
            self.write_front(round);
        }
        let sync_due = self.sync_due.is_some_and(|due| due <= round.now);
        if self.writer.is_dirty() && (sync_due || round.settle) {
            self.sync(round);
        }
        if round.again && self.items.is_empty() {
            match self.writer.let_go() {
                Ok(0) => {}
                Ok(freed) => round.bounds.freed(freed),
                Err(error) => tracing::warn!(%error, "a segment that is done with could not be removed for now"),
            }
        }
    }

    /// Whether somebody waits who must not be kept waiting until the disk has room.
    fn is_urgent(&self, round: &Round<'_>) -> bool {
        let rejects = round.when_full == WhenFull::Reject;
        self.items.iter().any(|Item { append, .. }| append.room.is_none() || rejects && append.ack.is_some())
    }

    fn write(&mut self, round: &Round<'_>) {
        let mut most = usize::MAX;
        while !self.items.is_empty() {
            let records = self.items.iter().take(most).map(|item| &item.append.record);
            let written = self.writer.write(records).and_then(|count| {
                if round.sync == Sync::Always {
                    self.writer.sync()?;
                }
                Ok(count)
            });
            match written {
                Ok(count) => {
                    (self.stuck, self.failed) = (false, false);
                    self.writer.publish();
                    for item in self.items.drain(..count) {
                        item.append.succeed(round.bounds);
                    }
                }
                Err(failure) if failure.error.is_full() => {
                    let vital = round.last || self.items.iter().any(|item| item.append.room.is_none());
                    if vital && round.folder.release_reserve() {
                        continue;
                    }
                    // There may be room for fewer.
                    most = most.min(self.items.len()) / 2;
                    if most == 0 {
                        return self.no_space(failure, round);
                    }
                }
                Err(failure) => {
                    self.failed = true;
                    let error = failure.told();
                    return self.items.drain(..).for_each(|item| item.append.fail(&error));
                }
            }
        }
        if let Sync::Interval(interval) = round.sync
            && self.writer.is_dirty()
        {
            self.sync_due.get_or_insert(round.now + interval);
            if self.writer.unsynced() >= MOST_UNSYNCED {
                self.sync(round);
            }
        }
    }

    fn no_space(&mut self, failure: Failure, round: &Round<'_>) {
        self.stuck = true;
        let error = failure.told();
        let is_told = |item: &mut Item| {
            let waits = item.append.ack.is_some() && item.append.room.is_some();
            round.last || round.when_full == WhenFull::Reject && waits
        };
        self.items.extract_if(.., is_told).for_each(|item| item.append.fail(&error));
        self.stuck = !self.items.is_empty();
    }

    fn write_front(&mut self, round: &Round<'_>) {
        let written = loop {
            match self.writer.write_front(self.front.iter().map(|item| &item.append.record)) {
                Err(failure) if failure.error.is_full() && round.folder.release_reserve() => {}
                written => break written,
            }
        };
        match written {
            Ok(freed) => {
                round.bounds.freed(freed);
                self.front.drain(..).for_each(|item| item.append.succeed(round.bounds));
            }
            Err(failure) => {
                let error = failure.told();
                self.front.drain(..).for_each(|item| item.append.fail(&error));
            }
        }
    }

    fn sync(&mut self, round: &Round<'_>) {
        self.sync_due = None;
        let Err(failure) = self.writer.sync() else {
            self.failed = false;
            return;
        };
        self.failed = true;
        let again = match round.sync {
            Sync::Interval(interval) if !round.last => Some(round.now + interval),
            _ => None,
        };
        self.sync_due = again;
        let (error, bytes) = (failure.error, self.writer.unsynced());
        tracing::error!(%error, bytes, again = again.is_some(), "acknowledged audit events could not be synced");
    }

    /// When there is something to do by itself.
    pub(super) fn due(&self) -> Option<Instant> {
        self.sync_due
    }

    /// Whether it waits for room.
    pub(super) fn waits(&self) -> bool {
        self.stuck
    }

    pub(super) fn is_in_trouble(&self) -> bool {
        self.stuck || self.failed
    }

    /// What waits, where nothing is written any more.
    pub(super) fn into_left(self) -> impl Iterator<Item = Append> {
        self.items.into_iter().chain(self.front).map(|item| item.append)
    }

    /// The number of the first record that waits.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.items.first().map(|item| item.number)
    }
}

impl Append {
    fn succeed(self, bounds: &Bounds) {
        let bytes = size(&self.record);
        match self.room {
            Some(room) => room.written(bytes),
            None => bounds.used(bytes),
        }
        if let Some(ack) = self.ack {
            // Whoever has gone meanwhile wanted no more than this.
            let _ = ack.send(Ok(()));
        }
    }
}

impl Failure {
    fn told(self) -> Error {
        let outcome = if self.findable { Outcome::Unknown } else { Outcome::Rejected };
        Error::from(self.error).with_outcome(outcome)
    }
}
