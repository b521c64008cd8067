//! What a whole spool promises, of a server that is away, refuses or is slow.

mod closing;
mod disk;
mod letters;
mod memory;
mod room;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use serde_json::json;
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{
    Spool, Spooling,
    folder::Folder,
    log::Log,
    reader::Reader,
    sample::{Dir, needs},
};
use crate::{
    config::{Config, Settings, SpoolConfig},
    context::Context,
    error::{Error, Task, ValidationError},
    event::{Event, Mode},
    queue::Drained,
    receipt::Durability,
    record::Record,
    scope::{Names, Scope},
    store::{Batch, BoxFuture, Session, Store, Turn},
    table::TableName,
};

/// What only a test that fails waits for.
const LONG: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);

/// A server that refuses what is called "bad".
#[derive(Clone, Default)]
struct Server(Arc<State>);

#[derive(Default)]
struct State {
    away: AtomicBool,
    /// No answer comes.
    silent: watch::Sender<bool>,
    /// Before each answer.
    pause: Duration,
    asked: watch::Sender<u64>,
    stored: Mutex<Vec<String>>,
}

impl Server {
    fn away() -> Self {
        let server = Self::default();
        server.goes(true);
        server
    }

    fn goes(&self, away: bool) {
        self.0.away.store(away, SeqCst);
    }

    fn silent() -> Self {
        let server = Self::default();
        server.0.silent.send_replace(true);
        server
    }

    fn answer(&self, records: &[Record]) -> Result<Vec<usize>, Error> {
        if self.0.away.load(SeqCst) {
            let table = TableName::new("audit_logs").unwrap();
            return Err(Task::Store(&table).unprepared(String::new()));
        }
        if records.iter().any(|record| record.event() == "bad") {
            return Err(ValidationError::new("data", "refused").into());
        }
        self.0.stored.lock().unwrap().extend(records.iter().map(|record| record.event().to_owned()));
        Ok(Vec::new())
    }

    fn has(&self, name: &str) -> bool {
        self.0.stored.lock().unwrap().iter().any(|stored| stored == name)
    }
}

impl Store for Server {
    fn session<'s>(&'s self, _: &'s TableName, _: bool) -> BoxFuture<'s, Result<Box<dyn Session>, Error>> {
        let session: Box<dyn Session> = Box::new(self.clone());
        Box::pin(std::future::ready(Ok(session)))
    }

    fn trial<'s>(&'s self, _: &'s TableName, _: &'s Record) -> BoxFuture<'s, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn answers(&self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(true))
    }
}

impl Session for Server {
    fn write(self: Box<Self>, batch: Batch, _: bool, mut turn: Turn) -> BoxFuture<'static, Result<Vec<usize>, Error>> {
        Box::pin(async move {
            turn.has_come().await;
            self.0.asked.send_modify(|asked| *asked += 1);
            let _ = self.0.silent.subscribe().wait_for(|silent| !silent).await;
            sleep(self.0.pause).await;
            self.answer(&batch)
        })
    }
}

/// A root but for its face, one of its scopes, and what `on_error` was told.
struct Root {
    context: Arc<Context>,
    names: Arc<Names>,
    settings: Settings,
    scope: Scope,
    told: Arc<Mutex<Vec<String>>>,
}

impl Root {
    fn open(server: &Server, config: Config) -> Self {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let tell = Arc::clone(&told);
        let config = config.on_error(move |_, record| tell.lock().unwrap().push(record.event().to_owned()));
        Self::telling(server, config, told)
    }

    fn telling(server: &Server, config: Config, told: Arc<Mutex<Vec<String>>>) -> Self {
        let resolved = config.resolve().unwrap();
        let store: Arc<dyn Store> = Arc::new(server.clone());
        let settings = resolved.root;
        let spool = Spooling::open(resolved.spool.unwrap(), &settings, Arc::clone(&store), Handle::current()).unwrap();
        let context = Arc::new(Context::new(store, None, Handle::current(), Some(spool)));
        let names = Arc::new(Names::new(BTreeMap::new()));
        let scope = Scope::new(&context, &names, settings.clone()).unwrap();
        Self { context, names, settings, scope, told }
    }

    async fn emit(&self, event: Event<'_>) -> Durability {
        self.scope.emit(event).await.unwrap().durability
    }

    /// Until memory is used again.
    async fn emit_to_memory(&self, name: &str) {
        let emitting = async {
            while self.emit(named(name)).await != Durability::Queued {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LONG, emitting).await.expect("never back to memory");
    }

    async fn close(&self, within: Duration) -> Drained {
        self.context.drain(Instant::now() + within).await
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    fn spool(&self) -> Spool {
        self.context.spool().unwrap().face()
    }
}

fn config(dir: &Path) -> Config {
    Config::default().spool(SpoolConfig::new(dir)).close_timeout(SECOND)
}

/// Of segments of 64 KiB.
fn small(dir: &Path, max_bytes: u64) -> Config {
    Config::default().spool(SpoolConfig::new(dir).segment_bytes(64 << 10).max_bytes(max_bytes)).close_timeout(SECOND)
}

fn named(name: &str) -> Event<'_> {
    Event::new(name).mode(Mode::Async)
}

fn large(name: &str, bytes: usize) -> Event<'_> {
    named(name).data(json!({ "text": "x".repeat(bytes) }))
}

fn names(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("event.{number}")).collect()
}

/// What the next start would find.
fn on_disk(dir: &Path) -> Vec<String> {
    let folder = dir.join("audit_logs");
    if !folder.is_dir() {
        return Vec::new();
    }
    let (log, _) = Log::open(folder, TableName::new("audit_logs").unwrap()).unwrap();
    let mut reader = Reader::new(log);
    let mut all = Vec::new();
    loop {
        let read = reader.read(100, usize::MAX).unwrap();
        if read.is_empty() {
            return all;
        }
        all.extend(read.into_iter().map(|stored| stored.record.event().to_owned()));
    }
}

fn letters(dir: &Path) -> u64 {
    super::dead::count(&dir.join("audit_logs")).unwrap()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(LONG, waiting).await.is_ok(), "{what}");
}

/// A disk of 4 MiB, unmounted at the end.
struct Disk(Dir);

impl Disk {
    fn new() -> Option<Self> {
        let dir = Dir::new();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&dir.0).output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        needs::needs("a tmpfs", mounted, "run as root, with CAP_SYS_ADMIN").then(|| Self(dir))
    }

    fn fill(&self) {
        // As much as there is room for.
        fs::write(self.0.0.join("ballast"), vec![1; 8 << 20]).unwrap_err();
    }

    fn free(&self) {
        fs::remove_file(self.0.0.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0.0).status();
    }
}
