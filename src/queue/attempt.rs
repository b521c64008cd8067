//! One attempt of a writer: its last part goes to the store, and where a whole batch waits, that is sent behind it, to be
//! committed after it. So the order stands, and the server need not wait for us while it writes a commit to its disk.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    deadlines::Deadlines,
    flight::{Aboard, Flight, Written},
    shift::Shift,
};
use crate::{error::Outcome, store::NextGoes};

/// How long a batch that is sent behind another may keep its transaction open.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long nothing is sent behind another after that.
const ONE_BY_ONE: Duration = Duration::from_secs(60);

/// What happens while a part is in the store's hands.
enum News {
    Answer(Written),
    Nothing,
    /// Its records are sent.
    Sent,
    /// Nobody goes behind it.
    Alone,
    /// It takes longer than a commit does.
    Stuck,
}

impl Shift {
    /// Gives the last part to the store, unless one is there already. `None`: it came to nothing.
    pub(super) async fn attempt(&mut self) -> Option<Written> {
        if self.flight.is_none() {
            let (store, shared) = (Arc::clone(&self.store), Arc::clone(&self.shared));
            let session = match self.deadlines().beside(store.session(&shared.settings.table, false)).await {
                Ok(session) => session,
                Err(error) => return Some(Err(error)),
            };
            // Some of it may have been told meanwhile.
            let part = self.parts.pop().filter(|part| part.len() > 0)?;
            let leads = (part.len() >= shared.settings.batch_size && self.may_lead()).then_some(self.next_goes);
            let tries = self.backoff.failures() + 1;
            self.flight = Some(Flight::first(session, part, leads, &shared.settings, tries));
        }
        self.note(0);
        let answer = self.answer().await;
        let part = self.flight.take()?.answered(answer.is_ok(), &self.shared.meters);
        match &answer {
            Ok(_) => {
                self.flight = self.next.take_if(|next| next.has_departed());
                if let Some(next) = &mut self.flight {
                    next.go();
                }
                // One that has no connection yet can have this one's.
                self.recall();
            }
            Err(_) => self.recall(),
        }
        self.parts.push(part);
        if answer.as_ref().is_err_and(|error| error.outcome() == Outcome::Unknown) {
            for promise in self.parts.last_mut().into_iter().flat_map(|part| &mut part.promises) {
                promise.unknown = true;
            }
        }
        Some(answer)
    }

    /// Waits for what became of the flight, and meanwhile sends the next batch behind it.
    async fn answer(&mut self) -> Written {
        let mut done = Some(std::mem::take(&mut self.done));
        let mut patience = None;
        loop {
            let Some(flight) = &mut self.flight else { return Ok(Vec::new()) };
            let Aboard { write, sent, records, promises } = flight.aboard();
            let (behind, others) = match self.next.as_mut().map(Flight::aboard) {
                Some(Aboard { write, records, promises, .. }) => (Some(write), Some((records, promises))),
                None => (None, None),
            };
            let mut deadlines = Deadlines {
                shared: &self.shared,
                flying: [Some((records, promises)), others],
                resting: &mut self.parts,
                suspects: &mut self.suspects,
                trouble: self.trouble.as_ref(),
            };
            let may_follow = behind.is_none();
            let work = async {
                tokio::select! {
                    biased;
                    answer = write => News::Answer(answer),
                    // Freed while the server works.
                    () = std::future::ready(()), if done.is_some() => News::Nothing,
                    sent = or_never(sent), if may_follow => if sent.is_ok() { News::Sent } else { News::Alone },
                    _ = or_never(behind) => News::Alone,
                    () = sleep_until(patience) => News::Stuck,
                }
            };
            match deadlines.beside(work).await {
                News::Answer(answer) => return answer,
                News::Nothing => done = None,
                News::Sent => {
                    flight.forget_sent();
                    if self.may_lead() {
                        let part = self.shared.take_batch(self.writer);
                        if part.len() == 0 {
                            // Another writer was faster.
                            continue;
                        }
                        self.next = Some(Flight::behind(&self.store, part, self.next_goes, &self.shared.settings));
                        patience = Some(Instant::now() + PATIENCE);
                        self.note(0);
                    }
                }
                News::Alone => {
                    flight.forget_sent();
                    self.recall();
                    self.note(0);
                    patience = None;
                }
                News::Stuck => {
                    // The two may wait for each other, by locks that a trigger or a constraint takes.
                    self.recall();
                    self.note(0);
                    if self.next_goes == NextGoes::Sent {
                        self.next_goes = NextGoes::Taken;
                    } else {
                        self.one_by_one = Some(Instant::now() + ONE_BY_ONE);
                    }
                    patience = None;
                }
            }
        }
    }

    /// Whether the next batch may be sent behind this one.
    fn may_lead(&self) -> bool {
        let clear = self.parts.is_empty() && self.suspects.is_empty() && self.trouble.is_none();
        clear && self.one_by_one.is_none_or(|until| until <= Instant::now()) && self.shared.has_a_batch()
    }

    /// Takes back what was sent behind, to be sent anew in its turn.
    pub(super) fn recall(&mut self) {
        if let Some(next) = self.next.take() {
            // Nothing else is in hand but what is in flight.
            self.parts.push(next.recalled());
        }
    }
}

async fn or_never<T>(future: Option<impl Future<Output = T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(time: Option<Instant>) {
    or_never(time.map(tokio::time::sleep_until)).await;
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;

    use super::super::{Queue, Totals};
    use super::*;
    use crate::{
        config::Config,
        error::{Error, Task},
        event::Event,
        record::Record,
        store::{Batch, BoxFuture, Session, Store, Turn},
        table::TableName,
    };

    /// It has one connection; for another it takes longer than a batch does, and that comes to nothing.
    struct Lonely;

    impl Store for Lonely {
        fn session<'s>(&'s self, table: &'s TableName, spare: bool) -> BoxFuture<'s, Result<Box<dyn Session>, Error>> {
            Box::pin(async move {
                if spare {
                    tokio::time::sleep(Duration::from_millis(40)).await;
                    return Err(Task::Store(table).unprepared("no second one".to_owned()));
                }
                Ok(Box::new(Self) as Box<dyn Session>)
            })
        }

        fn trial<'s>(&'s self, _: &'s TableName, _: &'s Record) -> BoxFuture<'s, Result<(), Error>> {
            Box::pin(std::future::ready(Ok(())))
        }

        fn answers(&self) -> BoxFuture<'_, bool> {
            Box::pin(std::future::ready(true))
        }
    }

    impl Session for Lonely {
        fn write(self: Box<Self>, batch: Batch, _: bool, mut turn: Turn) -> BoxFuture<'static, Written> {
            Box::pin(async move {
                assert!(!batch.is_empty());
                turn.has_come().await;
                turn.is(NextGoes::Sent);
                tokio::time::sleep(Duration::from_millis(10)).await;
                Ok(Vec::new())
            })
        }
    }

    #[tokio::test]
    async fn a_second_connection_that_comes_to_nothing_fails_no_record() {
        let config = Config::default().async_batch_size(32).retry_for(Duration::ZERO);
        let settings = config.resolve().unwrap().root;
        let store = Arc::new(Lonely) as Arc<dyn Store>;
        let queue = Queue::start(&settings, &store, &Handle::current(), Totals::default());
        for _ in 0..320 {
            let record = Record::of(&Event::new("queued"), None, &settings).unwrap();
            assert!(queue.try_offer(record, None).is_ok());
        }
        let drained = queue.flush().await;
        let stats = queue.stats();
        assert_eq!((drained.stored, drained.failed, stats.retried, stats.last_error), (320, 0, 0, None));
    }
}
