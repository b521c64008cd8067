//! The thread: rounds of taking what waits, and of what is due.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Append,
    intake::Intake,
    lane::{Lane, Round},
};
use crate::{
    config::{SpoolSettings, WhenFull},
    error::{ClosedError, Outcome},
    spool::{folder::Folder, room::Bounds, writer::Writer},
};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What the thread has. The directory is given up before its end is told.
pub(super) struct Shift {
    folder: Arc<Folder>,
    settings: SpoolSettings,
    when_full: WhenFull,
    bounds: Arc<Bounds>,
    lanes: Vec<Lane>,
    group: Vec<Append>,
    /// So many were taken.
    taken: u64,
    /// What found no room is tried again then.
    retry: Option<(Instant, Duration)>,
    /// The reserve is to be made again, at the earliest then.
    reserve: Option<Instant>,
    intake: End,
}

impl Drop for Shift {
    fn drop(&mut self) {
        // Only after a panic: else a close came before, and all of it was written or told of.
        let unknown = |append: &Append| {
            let id = append.record.id();
            ClosedError::in_flight("the spool", Outcome::Unknown, id).into()
        };
        for append in self.lanes.drain(..).flat_map(Lane::into_left).chain(self.group.drain(..)) {
            let error = unknown(&append);
            append.fail(&error);
        }
    }
}

/// Tells of the thread's end, however it comes.
struct End(Arc<Intake>);

impl Drop for End {
    fn drop(&mut self) {
        // Only after a panic: else a close came before, and all was taken.
        for append in self.0.end() {
            let id = append.record.id();
            append.fail(&ClosedError::in_flight("the spool", Outcome::Rejected, id).into());
        }
        self.0.settled.send_replace(u64::MAX);
    }
}

impl Shift {
    pub(super) fn new(
        folder: Arc<Folder>,
        settings: &SpoolSettings,
        when_full: WhenFull,
        bounds: Arc<Bounds>,
        intake: Arc<Intake>,
    ) -> Self {
        Self {
            folder,
            settings: settings.clone(),
            when_full,
            bounds,
            lanes: Vec::new(),
            group: Vec::new(),
            taken: 0,
            retry: None,
            reserve: Some(Instant::now()),
            intake: End(intake),
        }
    }

    #[cfg(test)]
    pub(super) fn has_in_hand(&mut self, append: Append) {
        self.group.push(append);
        self.sort(0);
    }

    pub(super) fn work(mut self) {
        self.restore_reserve(Instant::now());
        let mut asked = 0;
        loop {
            let due = self.due();
            let taken = self.intake.0.take(&mut self.group, asked, due);
            asked = taken.to_settle;
            let now = Instant::now();
            self.sort(taken.first);
            let again = taken.retry || taken.closed || self.retry.is_some_and(|(at, _)| at <= now);
            let round = Round {
                folder: &self.folder,
                bounds: &self.bounds,
                sync: self.settings.sync,
                when_full: self.when_full,
                now,
                again,
                settle: taken.closed || asked > *self.intake.0.settled.borrow(),
                last: taken.closed,
            };
            self.lanes.iter_mut().for_each(|lane| lane.work(&round));
            self.pause(again);
            self.restore_reserve(now);
            self.tell();
            if taken.closed {
                return;
            }
        }
    }

    fn sort(&mut self, first: u64) {
        self.taken = first + self.group.len() as u64;
        let mut at = 0;
        for (number, append) in (first..).zip(self.group.drain(..)) {
            if !self.lanes.get(at).is_some_and(|lane| lane.is_of(&append.log)) {
                at = self.lanes.iter().position(|lane| lane.is_of(&append.log)).unwrap_or(self.lanes.len());
            }
            if at == self.lanes.len() {
                self.lanes.push(Lane::new(Writer::new(Arc::clone(&append.log), &self.settings)));
            }
            self.lanes[at].push(number, append);
        }
    }

    fn due(&self) -> Option<Instant> {
        let reserve = self.reserve.filter(|_| !self.lanes.iter().any(Lane::is_in_trouble));
        self.lanes.iter().filter_map(Lane::due).chain(self.retry.map(|(at, _)| at)).chain(reserve).min()
    }

    /// After what was tried `again`.
    fn pause(&mut self, again: bool) {
        let waits = self.lanes.iter().any(Lane::waits);
        self.retry = match self.retry {
            _ if !waits => None,
            None => Some((Instant::now() + FIRST_PAUSE, FIRST_PAUSE)),
            Some((_, pause)) if again => {
                let pause = (pause * 2).min(LONGEST_PAUSE);
                Some((Instant::now() + pause, pause))
            }
            waiting => waiting,
        };
    }

    fn restore_reserve(&mut self, now: Instant) {
        if self.folder.was_released() {
            self.reserve = Some(now + LONGEST_PAUSE);
        }
        if self.reserve.is_some_and(|at| at <= now) && !self.lanes.iter().any(Lane::is_in_trouble) {
            self.reserve = if self.folder.restore_reserve() { None } else { Some(now + LONGEST_PAUSE) };
        }
    }

    fn tell(&self) {
        self.intake.0.set_stuck(self.lanes.iter().any(Lane::is_in_trouble));
        if self.lanes.iter().any(|lane| lane.writer.is_dirty()) {
            return;
        }
        let below = self.lanes.iter().filter_map(Lane::oldest).min().unwrap_or(self.taken);
        self.intake.0.settled.send_if_modified(|settled| std::mem::replace(settled, below) != below);
    }
}
