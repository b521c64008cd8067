//! The deadlines of sync emits, kept beside whatever a writer does.

use std::pin::pin;

use tokio::time::Instant;

use super::{
    item::{Part, Promise},
    shared::Shared,
    shift::Suspect,
};
use crate::{
    error::{Error, Outcome, Task},
    record::Record,
};

/// Who must be told in time: those in a writer's hand, and those that wait in the queue.
pub(super) struct Deadlines<'h> {
    pub(super) shared: &'h Shared,
    /// In the store's hands, so that nobody knows what becomes of them.
    pub(super) flying: [Option<(&'h [Record], &'h mut [Promise])>; 2],
    pub(super) resting: &'h mut [Part],
    pub(super) suspects: &'h mut Vec<Suspect>,
    /// Why nothing is stored, where that is known.
    pub(super) trouble: Option<&'h Error>,
}

impl Deadlines<'_> {
    /// Does the work, and meanwhile tells those whose time is over.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            let sooner = self.shared.sooner.notified();
            let next = self.next();
            let time_is_over = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = time_is_over => self.tell_the_due(),
                () = sooner => {}
            }
        }
    }

    fn next(&self) -> Option<Instant> {
        let flying = self.flying.iter().flatten().flat_map(|(_, promises)| promises.iter());
        let resting = self.resting.iter().flat_map(|part| &part.promises);
        let suspects = self.suspects.iter().map(|suspect| &suspect.item.promise);
        let held = flying.chain(resting).chain(suspects);
        let untold = held.filter(|promise| !promise.told);
        untold.filter_map(|promise| promise.deadline).chain(self.shared.state().earliest).min()
    }

    fn tell_the_due(&mut self) {
        let now = Instant::now();
        let too_late = || Task::Store(&self.shared.settings.table).too_late();
        let error = self.trouble.cloned().unwrap_or_else(too_late);
        let say = |outcome| error.clone().with_outcome(outcome);
        for (records, promises) in self.flying.iter_mut().flatten() {
            for (record, promise) in records.iter().zip(promises.iter_mut()).filter(|(_, promise)| promise.due(now)) {
                self.shared.tell(record, promise, &say(Outcome::Unknown));
            }
        }
        for part in &mut *self.resting {
            self.shared.fail(part.extract(|promise| promise.due(now)), &say(Outcome::Rejected));
        }
        for Suspect { item, error } in self.suspects.extract_if(.., |suspect| suspect.item.promise.due(now)) {
            self.shared.fail([item], &error);
        }
        self.shared.dismiss(|promise| promise.due(now), &say(Outcome::Rejected));
    }
}
