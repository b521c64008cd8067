//! A server that is killed under load, again and again.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinSet;
use tracevault::{Event, Mode, Outcome, Scope, ScopeOverrides, Tracevault};
use uuid::Uuid;

use super::{Ear, PATIENCE, Random, Server, long, say};
use crate::kit;

/// The acknowledged ids, in a file: nothing of what crashes has a hand in it.
struct Ledger {
    path: PathBuf,
    file: Mutex<File>,
    lines: AtomicUsize,
}

impl Ledger {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("{}.ledger", kit::unique("crash")));
        let file = File::options().create_new(true).append(true).open(&path).unwrap();
        Self { path, file: Mutex::new(file), lines: AtomicUsize::new(0) }
    }

    fn write(&self, id: Uuid) {
        let mut file = self.file.lock().unwrap();
        writeln!(file, "{id}").unwrap();
        file.flush().unwrap();
        self.lines.fetch_add(1, Ordering::SeqCst);
    }

    fn read(self) -> HashSet<Uuid> {
        let lines = BufReader::new(File::open(&self.path).unwrap()).lines();
        let ids: Vec<Uuid> = lines.map(|line| line.unwrap().parse().unwrap()).collect();
        std::fs::remove_file(&self.path).unwrap();
        let distinct: HashSet<Uuid> = ids.iter().copied().collect();
        assert_eq!(ids.len(), distinct.len(), "no id is acknowledged twice");
        distinct
    }
}

/// What all writers share.
struct Load {
    ledger: Ledger,
    failed: Mutex<Vec<(Uuid, Outcome)>>,
    accepted: Mutex<Vec<Uuid>>,
    /// Every event has a number of its own, so that one stored under two ids would show.
    next: AtomicUsize,
    stop: AtomicBool,
}

impl Load {
    fn event(&self, mode: Mode) -> Event<'static> {
        Event::new("load").mode(mode).data(json!({ "n": self.next.fetch_add(1, Ordering::SeqCst) }))
    }

    async fn sync(self: Arc<Self>, audit: Tracevault) {
        while !self.stop.load(Ordering::SeqCst) {
            match audit.emit(self.event(Mode::Sync)).await {
                Ok(receipt) => {
                    assert!(!receipt.duplicate, "the id is of our making");
                    self.ledger.write(receipt.id);
                }
                Err(error) => {
                    assert!(error.is_retryable(), "{error}");
                    self.failed.lock().unwrap().push((error.record_id().unwrap(), error.outcome()));
                }
            }
        }
    }

    async fn queued(self: Arc<Self>, scope: Scope) {
        while !self.stop.load(Ordering::SeqCst) {
            let id = scope.emit(self.event(Mode::Async)).await.unwrap().id;
            self.accepted.lock().unwrap().push(id);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Waits until it is so.
async fn so(never: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "{never}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_again_and_again_loses_nothing_it_acknowledged() {
    kit::url();
    let rounds = if long() { 50 } else { 5 };
    let mut random = Random::seeded();
    let seed = random.0;
    let mut server = Server::start(true).await;
    let ear = Ear::default();
    let config = || ear.hears(server.config());
    let patient = Tracevault::new(config().emit_timeout(Duration::from_secs(300))).unwrap();
    let hasty = Tracevault::new(config().emit_timeout(Duration::from_millis(100)).pool_size(2)).unwrap();
    let load = Arc::new(Load {
        ledger: Ledger::new(),
        failed: Mutex::default(),
        accepted: Mutex::default(),
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    });
    let queued = patient.scope(ScopeOverrides::new()).unwrap();
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        writers.spawn(Arc::clone(&load).sync(patient.clone()));
    }
    for _ in 0..2 {
        writers.spawn(Arc::clone(&load).sync(hasty.clone()));
    }
    writers.spawn(Arc::clone(&load).queued(queued));

    let mut survived = 0;
    for round in 0..rounds {
        let never = |what: &str| format!("round {round}: {what}; seed {seed}");
        let before = load.ledger.lines.load(Ordering::SeqCst);
        so(&never("it does not go on"), || load.ledger.lines.load(Ordering::SeqCst) >= before + 300).await;
        tokio::time::sleep(random.pause(Duration::from_millis(30))).await;
        server.cluster.kill_9().unwrap();
        tokio::time::sleep(random.pause(Duration::from_millis(400))).await;
        // The hasty ones have no time for this.
        so(&never("nobody is told"), || hasty.stats().failed > 0).await;
        server.cluster.start_again().unwrap();
        // Counted once its pause is over, which may be after the server is back.
        so(&never("nothing is tried again"), || patient.stats().retried > survived).await;
        survived = patient.stats().retried;
    }
    load.stop.store(true, Ordering::SeqCst);
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    for audit in [&patient, &hasty] {
        assert_eq!(audit.close().await.unwrap().left, 0);
    }
    server.reconnect().await;
    let stats = (patient.stats(), hasty.stats());
    let Ok(load) = Arc::try_unwrap(load) else { panic!("the writers have ended") };

    // By plain SQL, against what was written down.
    let rows = server.sql.query("SELECT id, (data ->> 'n')::int8 FROM audit", &[]).await.unwrap();
    let mut stored: HashMap<Uuid, i64> = HashMap::new();
    for row in &rows {
        *stored.entry(row.get(0)).or_default() += 1;
    }
    let numbers: HashSet<i64> = rows.iter().map(|row| row.get(1)).collect();
    assert_eq!((stored.len(), numbers.len()), (rows.len(), rows.len()), "each id and each event once; seed {seed}");

    let acknowledged = load.ledger.read();
    let lost: Vec<_> = acknowledged.iter().filter(|id| !stored.contains_key(id)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}; seed {seed}");

    let failed = load.failed.into_inner().unwrap();
    for (id, outcome) in &failed {
        assert!(
            *outcome == Outcome::Unknown || !stored.contains_key(id),
            "{id} was Rejected and is stored; seed {seed}"
        );
        assert!(!acknowledged.contains(id));
    }
    let accepted: HashSet<Uuid> = load.accepted.into_inner().unwrap().into_iter().collect();
    let told = ear.take();
    for id in &accepted {
        match told.get(id).map(|told| told.outcome) {
            Some(Outcome::Unknown) => {}
            Some(_) => assert!(!stored.contains_key(id), "{id} was reported and is stored; seed {seed}"),
            None => assert!(stored.contains_key(id), "{id} is neither stored nor reported; seed {seed}"),
        }
    }
    assert!(told.keys().all(|id| accepted.contains(id)), "a sync emit is told to its caller only");
    let known =
        |id: &Uuid| acknowledged.contains(id) || accepted.contains(id) || failed.contains(&(*id, Outcome::Unknown));
    assert!(stored.keys().all(known), "nothing is stored that nobody accounts for; seed {seed}");

    let unknown = failed.iter().filter(|(_, outcome)| *outcome == Outcome::Unknown).count();
    assert!(!failed.is_empty(), "the hasty ones are told");
    assert_eq!(stats.0.failed, 0, "who has time hears of no crash; seed {seed}");
    say(&format!(
        "kill -9: {rounds} rounds, {} sync acknowledged, {} async accepted, {} stored, {} retried, {} sync errors \
         ({unknown} of unknown outcome), {} async reported; seed {seed}",
        acknowledged.len(),
        accepted.len(),
        stored.len(),
        stats.0.retried + stats.1.retried,
        failed.len(),
        told.len(),
    ));
}
