//! Any sequence of emits, deliveries, closes and crashes, against a model that says what must be in the tables.
//!
//! A crash is a copy of the directory as it is at that moment, with which the next process goes on; the one before keeps
//! its own and never reaches the database. A part of a frame that nobody was told of may stand at the end.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::json;
use tracevault::{Config, Durability, Event, Mode, Scope, ScopeOverrides, SpoolConfig, Tracevault};

use super::{Dir, stored};
use crate::{endurance::long, kit};

/// Where nobody listens.
const AWAY: &str = "host=127.0.0.1 port=1 user=nobody connect_timeout=1";
const TABLES: usize = 3;

#[derive(Debug, Clone)]
enum Action {
    /// So many events of so many bytes to this table.
    Emit { table: usize, count: usize, bytes: usize },
    /// And bytes that were about to become a frame.
    Crash { torn: Torn },
    /// A close, and a start.
    Restart,
    /// A close, and a start that stores everything.
    Deliver,
    /// The same, and a crash before the close: the cursor may be behind what is stored.
    DeliverAndCrash,
}

#[derive(Debug, Clone, Copy)]
enum Torn {
    /// Of a file that was made longer before its bytes arrived.
    Zeros(usize),
    /// So much of a frame, as a percentage.
    Frame(usize),
}

impl Torn {
    /// Behind the frames of this segment.
    fn append(self, segment: &Path) {
        let bytes = fs::read(segment).unwrap();
        let torn = match (self, bytes.get(32..36)) {
            (Self::Zeros(count), _) => vec![0; count],
            (Self::Frame(part), Some(length)) => {
                let frame = 8 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
                bytes[32..32 + frame * part / 100].to_vec()
            }
            (Self::Frame(_), None) => Vec::new(),
        };
        fs::File::options().append(true).open(segment).unwrap().write_all(&torn).unwrap();
    }
}

fn action() -> impl Strategy<Value = Action> {
    let torn = prop_oneof![(0..5_000_usize).prop_map(Torn::Zeros), (0..100_usize).prop_map(Torn::Frame)];
    prop_oneof![
        6 => (0..TABLES, 1..40_usize, 0..8_000_usize)
            .prop_map(|(table, count, bytes)| Action::Emit { table, count, bytes }),
        3 => torn.prop_map(|torn| Action::Crash { torn }),
        1 => Just(Action::Restart),
        1 => Just(Action::Deliver),
        1 => Just(Action::DeliverAndCrash),
    ]
}

/// The process of the moment, and what the tables must hold in the end.
struct World {
    names: Vec<String>,
    dir: Dir,
    audit: Tracevault,
    next: i64,
    expected: Vec<Vec<i64>>,
    /// Segments that end in something torn: no process writes to them again.
    torn: HashSet<(String, OsString)>,
}

impl World {
    fn open(names: &[String], dir: &Dir, url: &str) -> Tracevault {
        let spool = SpoolConfig::new(&dir.path).segment_bytes(64 << 10);
        let audit = Tracevault::new(Config::new(url).table_name(&names[0]).spool(spool)).unwrap();
        let recovery = audit.spool().unwrap().recovery().clone();
        assert!(recovery.damage.is_empty(), "{recovery:?}");
        audit
    }

    fn scopes(&self) -> Vec<Scope> {
        self.names.iter().map(|name| self.audit.scope(ScopeOverrides::new().table_name(name)).unwrap()).collect()
    }

    async fn restart(&mut self, url: &str) {
        self.audit.close().await.unwrap();
        self.audit = Self::open(&self.names, &self.dir, url);
    }

    /// Everything that is there.
    async fn deliver(&mut self) {
        self.restart(&kit::url()).await;
        for scope in self.scopes() {
            while scope.flush().await.unwrap().spooled > 0 {}
        }
        let stats = self.audit.spool().unwrap().stats();
        assert_eq!((stats.records, stats.dead_letters, stats.damaged), (0, 0, 0), "{stats:?}");
    }

    async fn crash(&mut self, torn: Torn) {
        let copy = Dir::new();
        self.dir.copy_to(&copy);
        for name in &self.names {
            let last = segments(&copy, name).pop();
            if let Some(last) = last
                && self.torn.insert((name.clone(), last.file_name().unwrap().to_owned()))
            {
                torn.append(&last);
            }
        }
        let audit = Self::open(&self.names, &copy, AWAY);
        std::mem::replace(&mut self.audit, audit).close().await.unwrap();
        self.dir = copy;
    }

    async fn act(&mut self, action: &Action) {
        match action {
            Action::Emit { table, count, bytes } => {
                let scope = &self.scopes()[*table];
                for _ in 0..*count {
                    let event = Event::new("model").mode(Mode::Async);
                    let data = json!({ "n": self.next, "text": "x".repeat(*bytes) });
                    let receipt = scope.emit(event.data(data)).await.unwrap();
                    assert_eq!(receipt.durability, Durability::Spooled);
                    self.expected[*table].push(self.next);
                    self.next += 1;
                }
            }
            Action::Crash { torn } => self.crash(*torn).await,
            Action::Restart => self.restart(AWAY).await,
            Action::Deliver => {
                self.deliver().await;
                self.restart(AWAY).await;
            }
            Action::DeliverAndCrash => {
                self.deliver().await;
                self.crash(Torn::Zeros(0)).await;
            }
        }
    }
}

fn segments(dir: &Dir, table: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.path.join(table)).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut all: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    all.sort();
    all
}

async fn play(actions: &[Action]) {
    let sql = kit::client().await;
    let names = stored::tables(&sql, "spool_model").await;
    let dir = Dir::new();
    let audit = World::open(&names, &dir, AWAY);
    let mut world = World { names, dir, audit, next: 0, expected: vec![Vec::new(); TABLES], torn: HashSet::new() };
    let names = world.names.clone();
    for action in actions {
        world.act(action).await;
    }
    world.deliver().await;
    world.audit.close().await.unwrap();
    for (table, expected) in names.iter().zip(world.expected) {
        let all = format!("SELECT (data->>'n')::bigint FROM {table} ORDER BY at");
        let rows = sql.query(&all, &[]).await.unwrap();
        let stored: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(stored, expected, "each once, in order");
        sql.batch_execute(&format!("DROP TABLE {table}")).await.unwrap();
    }
}

#[test]
fn whatever_happens_each_acknowledged_event_is_stored_once_and_in_order() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cases = if long() { 500 } else { 20 };
    let config =
        ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() };
    let played = TestRunner::new(config).run(&prop::collection::vec(action(), 1..25), |actions| {
        runtime.block_on(play(&actions));
        Ok(())
    });
    if let Err(error) = played {
        panic!("{error}");
    }
}
