//! Where records wait for the thread, and what it is told and tells.

use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tokio::sync::watch;

use super::Append;

#[derive(Default)]
pub(super) struct Intake {
    state: Mutex<State>,
    wake: Condvar,
    stuck: AtomicBool,
    /// Of all that was pushed, so many are settled without a gap before them; `u64::MAX` once the thread has ended.
    pub(super) settled: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Append>,
    pushed: u64,
    /// So many were pushed when somebody last asked for all of them to be settled.
    to_settle: u64,
    retry: bool,
    closed: bool,
    /// The thread sleeps: a wake costs a system call, which it should be worth.
    asleep: bool,
}

/// What the thread finds when it looks.
pub(super) struct Taken {
    /// The number of the first of these.
    pub(super) first: u64,
    pub(super) to_settle: u64,
    pub(super) retry: bool,
    pub(super) closed: bool,
}

impl Intake {
    /// # Errors
    /// The record, where the thread takes none any more.
    pub(super) fn push(&self, append: Append) -> Result<(), Append> {
        let mut state = self.state();
        if state.closed {
            return Err(append);
        }
        state.waiting.push(append);
        state.pushed += 1;
        self.rouse(state);
        Ok(())
    }

    pub(super) fn retry(&self) {
        let mut state = self.state();
        state.retry = true;
        self.rouse(state);
    }

    /// Answers what `settled` has to reach.
    pub(super) fn ask_to_settle(&self) -> u64 {
        let mut state = self.state();
        state.to_settle = state.pushed;
        let target = state.pushed;
        self.rouse(state);
        target
    }

    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        self.rouse(state);
    }

    /// Takes all that waits into `group`, which is empty, as soon as there is something to do, at the latest then.
    /// `asked`: up to there the thread knows that it is to settle.
    pub(super) fn take(&self, group: &mut Vec<Append>, asked: u64, until: Option<Instant>) -> Taken {
        let mut state = self.state();
        while state.waiting.is_empty() && !state.retry && !state.closed && state.to_settle <= asked {
            state.asleep = true;
            let wait = until.map(|until| until.saturating_duration_since(Instant::now()));
            state = match wait {
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(wait) => self.wake.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
            };
            state.asleep = false;
            if until.is_some_and(|until| until <= Instant::now()) {
                break;
            }
        }
        std::mem::swap(&mut state.waiting, group);
        Taken {
            first: state.pushed - group.len() as u64,
            to_settle: state.to_settle,
            retry: std::mem::take(&mut state.retry),
            closed: state.closed,
        }
    }

    /// Nothing is taken any more: what still waits.
    pub(super) fn end(&self) -> Vec<Append> {
        let mut state = self.state();
        state.closed = true;
        std::mem::take(&mut state.waiting)
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    pub(super) fn set_stuck(&self, stuck: bool) {
        self.stuck.store(stuck, Ordering::Relaxed);
    }

    fn rouse(&self, mut state: MutexGuard<'_, State>) {
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.wake.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
