//! Callers that go on emitting while a fault comes and goes, and what each of them was told.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinHandle, time::Instant};
use tracevault::{Config, Error, Mode, Outcome, Receipt, Tracevault};

use super::{agree, ends, ms, named, names, rows};
use crate::kit::Table;

/// How often somebody emits.
const EVERY: Duration = ms(15);

/// What `on_error` was told, by name.
pub type Reported = Arc<Mutex<HashMap<String, Outcome>>>;

/// Keeps what `on_error` is told.
pub fn reporting(config: Config) -> (Config, Reported) {
    let reported = Reported::default();
    let keeper = Arc::clone(&reported);
    let config = config.on_error(move |error, record| {
        let name = record.correlation_id().unwrap().to_owned();
        let before = keeper.lock().unwrap().insert(name, error.outcome());
        assert_eq!(before, None, "reported twice");
    });
    (config, reported)
}

/// A sync emit that came to its end.
#[derive(Debug)]
pub struct Told {
    pub name: String,
    pub answer: Result<Receipt, Error>,
    pub took: Duration,
}

pub struct Load {
    stop: Arc<AtomicBool>,
    emitting: JoinHandle<Seen>,
}

/// What came of it.
#[derive(Default)]
pub struct Seen {
    pub told: Vec<Told>,
    /// Async records that were accepted.
    pub queued: Vec<String>,
}

pub async fn emit(audit: &Tracevault) -> Told {
    let name = names(1).remove(0);
    let began = Instant::now();
    let answer = ends("an emit", audit.emit(named(&name))).await;
    Told { name, answer, took: began.elapsed() }
}

impl Load {
    /// Begins, and waits until some records are stored.
    pub async fn start(audit: &Tracevault) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let emitting = tokio::spawn(emitting(audit.clone(), Arc::clone(&stop)));
        ends("the wait for some records", async {
            while audit.stats().stored < 20 {
                tokio::time::sleep(ms(1)).await;
            }
        })
        .await;
        Self { stop, emitting }
    }

    /// Stops, and waits until everyone was told.
    pub async fn end(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        self.emitting.await.unwrap()
    }
}

async fn emitting(audit: Tracevault, stop: Arc<AtomicBool>) -> Seen {
    let (mut callers, mut seen) = (Vec::new(), Seen::default());
    while !stop.load(Ordering::SeqCst) {
        let one = audit.clone();
        callers.push(tokio::spawn(async move { emit(&one).await }));
        let name = names(1).remove(0);
        if audit.try_emit(named(&name).mode(Mode::Async)).is_ok() {
            seen.queued.push(name);
        }
        tokio::time::sleep(EVERY).await;
    }
    for caller in callers {
        seen.told.push(caller.await.unwrap());
    }
    seen
}

impl Seen {
    /// How many were told that they failed.
    pub fn failed(&self) -> usize {
        self.told.iter().filter(|told| told.answer.is_err()).count()
    }

    /// What everyone was told, and what the numbers say, must be what the table says. All is finished.
    pub async fn agrees(&self, table: &Table, audit: &Tracevault, reported: &Reported) {
        let reported = reported.lock().unwrap().clone();
        let names: Vec<_> = self.told.iter().map(|told| &told.name).chain(&self.queued).cloned().collect();
        let rows = rows(table, &names).await;
        for told in &self.told {
            agree(&told.name, &told.answer, rows[&told.name]);
            assert!(!reported.contains_key(&told.name), "{} was told to its caller", told.name);
        }
        for name in &self.queued {
            match reported.get(name) {
                None => assert_eq!(rows[name], 1, "{name} was accepted"),
                Some(Outcome::Rejected) => assert_eq!(rows[name], 0, "{name} was reported as not stored"),
                Some(_) => assert!(rows[name] <= 1, "{name} is there {} times", rows[name]),
            }
        }
        let stats = audit.stats();
        assert_eq!((stats.queued, stats.in_flight, stats.held, stats.queued_bytes), (0, 0, 0, 0), "{stats:?}");
        assert_eq!(stats.accepted, stats.stored + stats.failed, "{stats:?}");
        let there = u64::try_from(table.count().await).unwrap();
        assert!(stats.stored <= there && there <= stats.accepted, "{there} rows: {stats:?}");
    }
}
