//! A process that emits into a spool as fast as it can and says what was acknowledged, until it is killed.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _, stdout},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use serde_json::json;
use tokio::task::JoinSet;
use tracevault::{Config, Durability, Event, Mode, ScopeOverrides, SpoolConfig, SpoolSync, Tracevault, WhenFull};
use uuid::Uuid;

const ORDERS: &str = "TRACEVAULT_TEST_SPOOL_EMITTER";
const TASKS: usize = 8;

/// What it is to do.
#[derive(Clone)]
pub struct Orders {
    pub dir: PathBuf,
    pub url: String,
    pub tables: Vec<String>,
    /// Its events have higher numbers than those of a lower round.
    pub round: usize,
    pub sync: SpoolSync,
    /// Memory first.
    pub spill: bool,
}

/// What a spool is opened with everywhere here: small files, so that many are begun and removed.
pub fn config(url: &str, dir: &std::path::Path, sync: SpoolSync) -> Config {
    Config::new(url).spool(SpoolConfig::new(dir).sync(sync).segment_bytes(64 << 10))
}

impl Orders {
    fn to_text(&self) -> String {
        let Self { dir, url, tables, round, sync, spill } = self;
        let (sync, spill) = (format!("{sync:?}"), spill.to_string());
        [&dir.to_string_lossy(), url.as_str(), &tables.join(","), &round.to_string(), &sync, &spill].join("\n")
    }

    fn of_text(text: &str) -> Self {
        let [dir, url, tables, round, sync, spill] = text.split('\n').collect::<Vec<_>>().try_into().unwrap();
        Self {
            dir: dir.into(),
            url: url.into(),
            tables: tables.split(',').map(ToOwned::to_owned).collect(),
            round: round.parse().unwrap(),
            sync: match sync {
                "Always" => SpoolSync::Always,
                "Interval" => SpoolSync::Interval,
                "Os" => SpoolSync::Os,
                other => panic!("{other}"),
            },
            spill: spill.parse().unwrap(),
        }
    }
}

/// The process. Dropped, it is killed.
pub struct Emitter {
    child: Child,
    heard: Arc<AtomicUsize>,
    hearing: Option<JoinHandle<Vec<Uuid>>>,
}

impl Emitter {
    pub fn start(orders: &Orders) -> Self {
        let mut run = Command::new(env::current_exe().unwrap());
        run.args(["--ignored", "--exact", "--nocapture", "spool::emitter::in_a_process_of_its_own"]);
        run.env(ORDERS, orders.to_text()).stdout(Stdio::piped()).stdin(Stdio::null());
        let mut child = run.spawn().unwrap();
        let (out, heard) = (child.stdout.take().unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&heard);
        let hearing = thread::spawn(move || {
            let mut ids = Vec::new();
            for line in BufReader::new(out).lines() {
                // What the test runner says is no id, and no line was begun that was not written whole.
                if let Some(id) = line.unwrap().strip_prefix('+') {
                    ids.push(id.parse().unwrap());
                    count.store(ids.len(), Ordering::SeqCst);
                }
            }
            ids
        });
        Self { child, heard, hearing: Some(hearing) }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many ids were heard by now.
    pub fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }

    /// It ended by itself, which it never should.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Kills it, and gives all ids that it acknowledged.
    pub fn kill_9(mut self) -> Vec<Uuid> {
        assert!(!self.has_ended(), "it ends by being killed only");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.hearing.take().unwrap().join().unwrap()
    }
}

impl Drop for Emitter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the tests beside it, in a process of its own"]
async fn in_a_process_of_its_own() {
    let Ok(orders) = env::var(ORDERS) else { return };
    let orders = Orders::of_text(&orders);
    let config = config(&orders.url, &orders.dir, orders.sync).table_name(&orders.tables[0]);
    let config = if orders.spill { config.when_full(WhenFull::Spill).queue_capacity(64) } else { config };
    let audit = Tracevault::new(config).unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let table = &orders.tables[task % orders.tables.len()];
        let scope = audit.scope(ScopeOverrides::new().table_name(table)).unwrap();
        let first = orders.round << 32;
        tasks.spawn(async move {
            for n in first.. {
                let event = Event::new("emitted").mode(Mode::Async).data(json!({ "task": task, "n": n }));
                let receipt = scope.emit(event).await.unwrap();
                // What is in memory only dies with the process, as its receipt says.
                if receipt.durability == Durability::Spooled {
                    let line = format!("+{}\n", receipt.id);
                    // One write: a pipe takes so little whole.
                    stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}
