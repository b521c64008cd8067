//! What a writer has in hand, and what becomes of it: stored, tried again, halved, set aside, or reported.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    backoff::Backoff,
    deadlines::Deadlines,
    flight::Flight,
    item::{Item, Part, Promise},
    shared::{Shared, WHAT},
    state::Hand,
};
use crate::{
    config::RetryFor,
    error::{ClosedError, Error, Outcome},
    event::Event,
    record::Record,
    store::{NextGoes, Store, Verdict, verdict},
};

/// The largest record that is kept as a witness.
const LARGEST_WITNESS: usize = 16 << 10;

/// What a writer has in hand. Dropped with records in it, or while others wait, it reports each of them: so every
/// accepted record is stored or reported, whether the writer ends by itself, gives up, panics, or dies with its runtime.
pub(super) struct Shift {
    pub(super) shared: Arc<Shared>,
    pub(super) store: Arc<dyn Store>,
    /// Which of the scope's writers this is.
    pub(super) writer: usize,
    /// A batch and what it was halved into; the last is the first to go.
    pub(super) parts: Vec<Part>,
    /// In the store's hands.
    pub(super) flight: Option<Flight>,
    /// The batch behind it, sent while that is committed.
    pub(super) next: Option<Flight>,
    /// How early that is sent.
    pub(super) next_goes: NextGoes,
    /// Until then batches are sent one by one.
    pub(super) one_by_one: Option<Instant>,
    pub(super) suspects: Vec<Suspect>,
    /// It was said that there are suspects.
    doubts: bool,
    /// A record that was stored, and so could be again, if the table takes any.
    witness: Option<Record>,
    /// Stored, to be freed while the next batch is on its way.
    pub(super) done: Vec<Record>,
    /// Why nothing was stored since something was.
    pub(super) trouble: Option<Error>,
    pub(super) backoff: Backoff,
}

/// A record that was refused alone. It is to blame only if another is stored after that, and it is then refused once
/// more: else the table refuses whatever comes.
pub(super) struct Suspect {
    pub(super) item: Item,
    pub(super) error: Error,
}

/// What ends a pause before its time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Nothing.
    Over,
    /// A sync emit, which is not to wait for a person to act; a close.
    Waiter,
    /// Any record; a close.
    Record,
}

impl Shift {
    pub(super) fn new(shared: Arc<Shared>, store: Arc<dyn Store>, writer: usize) -> Self {
        Self {
            shared,
            store,
            writer,
            parts: Vec::new(),
            flight: None,
            next: None,
            next_goes: NextGoes::Sent,
            one_by_one: None,
            suspects: Vec::new(),
            doubts: false,
            witness: None,
            done: Vec::new(),
            trouble: None,
            backoff: Backoff::default(),
        }
    }

    /// Works until nothing is in hand but suspects that nothing speaks for or against.
    pub(super) async fn work_off(&mut self) {
        while self.next_part() {
            let error = match self.attempt().await {
                None => continue,
                Some(Ok(duplicates)) => {
                    self.stored(&duplicates);
                    continue;
                }
                Some(Err(error)) => error,
            };
            let holds = self.shared.settings.holds;
            let may_pass = self.parts.last().is_some_and(|part| others_may_pass(part, &error, holds));
            if may_pass && self.halve() {
                continue;
            }
            self.shared.failing(&error);
            match verdict(&error) {
                Verdict::Final => self.fail_part(&error),
                // It asks for a right that others do without.
                Verdict::Hold if may_pass => self.suspect(&error),
                Verdict::Refused => self.suspect(&error),
                Verdict::Again => {
                    let slow = is_too_slow(&error);
                    self.again(error, false, Until::Over).await;
                    if slow {
                        self.halve();
                    }
                }
                Verdict::Hold => {
                    self.tell_waiters(&error);
                    let closing = self.shared.closing.borrow().is_some();
                    self.again(error, closing, Until::Waiter).await;
                }
            }
        }
        if self.suspects.is_empty() {
            // Nothing is left that could tell.
            self.shared.trouble.store(false, Ordering::Relaxed);
        }
        let emptied = self.shared.state().emptied();
        if emptied.is_some() {
            self.done = Vec::new();
        }
        self.note(0);
    }

    /// Whether something is on its way, or the last part holds something to be stored.
    fn next_part(&mut self) -> bool {
        loop {
            if self.flight.is_some() {
                return true;
            }
            if let Some(part) = self.parts.last() {
                if part.len() > 0 {
                    return true;
                }
                self.parts.pop();
                continue;
            }
            let Some(at) = self.suspects.iter().position(|suspect| suspect.item.promise.vouched) else { return false };
            let Suspect { item, .. } = self.suspects.remove(at);
            self.parts.push(Part::of(item));
        }
    }

    /// Makes two of the last part, where it is more than one record.
    fn halve(&mut self) -> bool {
        let Some(mut sooner) = self.parts.pop() else { return false };
        let halves = sooner.len() > 1;
        if halves {
            self.parts.push(sooner.split());
        }
        self.parts.push(sooner);
        halves
    }

    /// Tells everyone that the last part is stored.
    fn stored(&mut self, duplicates: &[usize]) {
        let Some(mut part) = self.parts.pop() else { return };
        let bytes = part.promises.iter().map(|promise| promise.weight as usize).sum();
        // Before the waiters are told, so that whoever was told finds his own place free, and himself counted.
        self.shared.free(part.len(), bytes);
        self.shared.progress.send_modify(|progress| progress.stored += part.len() as u64);
        let mut duplicates = duplicates.iter().peekable();
        for (index, (record, promise)) in part.records.iter().zip(&mut part.promises).enumerate() {
            // What an attempt without an answer may have stored is no duplicate, nor can one be told from it.
            let there = duplicates.next_if_eq(&&index).is_some() && record.own_id() && !promise.unknown;
            if let Some(waiter) = promise.waiter.take() {
                // Whoever no longer waits does not want to know.
                let _ = waiter.send(Ok(there));
            }
        }
        self.vouch();
        self.doubts &= !self.suspects.is_empty();
        if let Some(record) = part.records.pop().filter(|record| record.weight() <= LARGEST_WITNESS) {
            self.witness = Some(record);
        }
        self.done = part.records;
        if self.trouble.take().is_some() {
            self.shared.trouble.store(false, Ordering::Relaxed);
            let tries = self.backoff.failures();
            tracing::info!(table = %self.shared.settings.table, tries, "audit events are stored again");
        }
        self.backoff.reset();
    }

    /// The last part is one record, which was refused.
    fn suspect(&mut self, error: &Error) {
        let lasting = !error.is_retryable();
        for item in self.parts.pop().unwrap_or_default() {
            let waited_for = item.promise.deadline.is_some();
            let over = item.promise.told || (!waited_for && self.is_over(&item.promise));
            if over || !self.shared.settings.retries || (lasting && (waited_for || item.promise.vouched)) {
                self.shared.fail([item], error);
                continue;
            }
            if !std::mem::replace(&mut self.doubts, true) {
                tracing::warn!(
                    %error, id = %item.record.id(),
                    "an audit event was refused; it is kept until another is stored, which tells whose fault it is"
                );
            }
            let promise = Promise { vouched: false, ..item.promise };
            self.suspects.push(Suspect { item: Item { promise, ..item }, error: error.clone() });
        }
    }

    /// Waits, to try the last part again: without what was told, or was tried for long enough; without all, where it is `in_vain`.
    async fn again(&mut self, error: Error, in_vain: bool, until: Until) {
        let in_vain = in_vain || !self.shared.settings.retries;
        let (now, retry_for) = (Instant::now(), self.shared.settings.retry_for);
        let Some(part) = self.parts.last_mut() else { return };
        let over = |promise: &Promise| promise.deadline.is_none() && is_over(promise, retry_for, now);
        let given_up = part.extract(|promise| in_vain || promise.told || over(promise));
        let left = part.len() as u64;
        self.shared.leave(given_up, &error);
        self.troubled(error);
        if left > 0 {
            self.pause(until).await;
            self.shared.progress.send_modify(|progress| progress.retried += left);
        }
    }

    fn fail_part(&mut self, error: &Error) {
        let part = self.parts.pop().unwrap_or_default();
        self.shared.leave(part, error);
    }

    /// Tells every sync emit, also those that wait behind: a person has to act, and they are not to wait for that.
    fn tell_waiters(&mut self, error: &Error) {
        for part in &mut self.parts {
            self.shared.fail(part.extract(|promise| promise.deadline.is_some()), error);
        }
        self.shared.dismiss(|_| true, &error.clone().with_outcome(Outcome::Rejected));
    }

    fn troubled(&mut self, error: Error) {
        if self.trouble.is_none() {
            let table = &self.shared.settings.table;
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%table, %error, cause, "audit events are not stored for now; they are tried again");
        }
        self.trouble = Some(error);
        self.shared.trouble.store(true, Ordering::Relaxed);
    }

    /// Waits before the next attempt.
    pub(super) async fn pause(&mut self, until: Until) {
        self.note(self.parts.last().map_or(0, Part::len));
        let shared = Arc::clone(&self.shared);
        let end = Instant::now() + self.backoff.pause();
        loop {
            let wake = if until == Until::Waiter { &shared.urgent } else { &shared.wake }.notified();
            let closing = shared.closing.borrow().is_some();
            let called = match until {
                Until::Over => false,
                Until::Waiter => closing || shared.state().waiters > 0,
                Until::Record => closing || !shared.state().waiting.is_empty(),
            };
            if called {
                return;
            }
            let is_over = async {
                tokio::select! {
                    () = tokio::time::sleep_until(end) => true,
                    () = wake, if until != Until::Over => false,
                }
            };
            if self.deadlines().beside(is_over).await {
                return;
            }
        }
    }

    /// Nothing but suspects is in hand, and nothing waits: finds out whether the table takes anything.
    pub(super) async fn doubt(&mut self) {
        // First, since whatever comes ends the pause.
        let (over, left) = std::mem::take(&mut self.suspects).into_iter().partition(|s| self.is_over(&s.item.promise));
        self.suspects = left;
        self.fail_suspects(over);
        if self.suspects.is_empty() {
            return;
        }
        self.pause(Until::Record).await;
        let waits = self.shared.closing.borrow().is_some() || !self.shared.state().waiting.is_empty();
        if waits || self.suspects.is_empty() {
            return;
        }
        if let Some(witness) = self.witness() {
            let (store, shared) = (Arc::clone(&self.store), Arc::clone(&self.shared));
            let trial = store.trial(&shared.settings.table, &witness);
            if self.deadlines().beside(trial).await.is_ok() {
                self.vouch();
                return;
            }
        }
        // In turn, since one of them may be to blame after all.
        if !self.suspects.is_empty() {
            let Suspect { item, .. } = self.suspects.remove(0);
            self.parts.push(Part::of(item));
        }
    }

    /// The table takes others.
    fn vouch(&mut self) {
        for suspect in &mut self.suspects {
            suspect.item.promise.vouched = true;
        }
    }

    /// A record that the table should take: one that it took, else the plainest one there is.
    fn witness(&self) -> Option<Record> {
        let plainest = || Record::of(&Event::new("tracevault.trial"), None, &self.shared.settings).ok();
        self.witness.clone().or_else(plainest)
    }

    pub(super) fn fail_suspects(&self, suspects: Vec<Suspect>) {
        for Suspect { item, error } in suspects {
            self.shared.leave([item], &error);
        }
    }

    pub(super) fn deadlines(&mut self) -> Deadlines<'_> {
        Deadlines {
            shared: &self.shared,
            flying: [None, None],
            resting: &mut self.parts,
            suspects: &mut self.suspects,
            trouble: self.trouble.as_ref(),
        }
    }

    fn is_over(&self, promise: &Promise) -> bool {
        promise.told || is_over(promise, self.shared.settings.retry_for, Instant::now())
    }

    /// Says what is in hand; `held` of the last part waits after a failure.
    pub(super) fn note(&self, held: usize) {
        let flights = || self.flight.iter().chain(&self.next);
        let firsts = self.parts.iter().filter_map(|part| part.promises.first());
        let firsts = firsts.chain(flights().filter_map(Flight::first_promise));
        let all = firsts.chain(self.suspects.iter().map(|suspect| &suspect.item.promise));
        let hand = all.min_by_key(|promise| promise.number).map(|oldest| Hand {
            oldest: oldest.number,
            since: oldest.accepted,
            in_flight: flights().map(Flight::len).sum(),
            held: held + self.suspects.len(),
        });
        self.shared.note(self.writer, hand);
    }
}

fn is_over(promise: &Promise, retry_for: RetryFor, now: Instant) -> bool {
    match retry_for {
        RetryFor::Forever => false,
        RetryFor::For(Duration::ZERO) => true,
        RetryFor::For(duration) => promise.accepted + duration <= now,
    }
}

/// Whether others may be stored that this part is not: where one record is to blame, where it was too much at once, or
/// where some ask for what the others do without, since they may be there already: the right to read ids, ON CONFLICT.
/// Where it `holds`, these wait all the same.
fn others_may_pass(part: &Part, error: &Error, holds: bool) -> bool {
    let may_be_there = || {
        let all = part.records.iter().zip(&part.promises);
        all.filter(|(record, promise)| record.own_id() || promise.unknown).count()
    };
    error.is_record_refused()
        || match error.sqlstate() {
            Some("42501" | "42P10" | "0A000") => !holds && may_be_there() > 0,
            Some("53200") => part.len() > 1,
            _ => false,
        }
}

/// Whether time ran out, which may be enough for half as many.
fn is_too_slow(error: &Error) -> bool {
    match error.sqlstate() {
        Some(state) => matches!(state, "57014" | "25P04"),
        // No answer came, and nothing broke.
        None => error.outcome() == Outcome::Unknown && std::error::Error::source(error).is_none(),
    }
}

impl Drop for Shift {
    fn drop(&mut self) {
        self.shared.begin_close();
        let suspects = std::mem::take(&mut self.suspects);
        self.fail_suspects(suspects);
        let waiting = std::mem::take(&mut self.shared.state().waiting);
        self.recall();
        let flying = self.flight.take().map(Flight::recalled);
        let flying = flying.into_iter().flatten().map(|item| (item, Outcome::Unknown));
        let resting = self.parts.drain(..).flatten();
        let known = resting.chain(waiting).map(|item| {
            let outcome = item.promise.outcome();
            (item, outcome)
        });
        let mut all: Vec<_> = flying.chain(known).collect();
        // In the order in which they came, for whoever keeps them.
        all.sort_by_key(|(item, _)| item.promise.number);
        let (mut left, mut kept) = (0, 0);
        for (Item { record, mut promise }, outcome) in all {
            self.shared.free(1, promise.weight as usize);
            if let Some(leftovers) = self.shared.settings.leftovers.as_ref().filter(|_| promise.deadline.is_none()) {
                self.shared.hand_over(leftovers, &record);
                kept += 1;
                continue;
            }
            left += 1;
            self.shared.tell(&record, &mut promise, &ClosedError::in_flight(WHAT, outcome, record.id()).into());
        }
        if left > 0 {
            tracing::error!(
                records = left,
                "a scope's writer ended before these accepted audit events were stored; each was reported"
            );
        }
        let mut state = self.shared.state();
        state.hands[self.writer] = None;
        state.writers -= 1;
        let (low, ended) = (state.low(), state.writers == 0);
        self.shared.progress.send_modify(|progress| {
            progress.left += left;
            progress.kept += kept;
            progress.low = low;
            progress.ended = ended;
        });
        drop(state);
        self.shared.measure();
    }
}
