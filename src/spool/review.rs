#![allow(warnings, clippy::all, clippy::pedantic)]
use super::{Spooling, log::Log, reader::Reader, sample::Dir};
use crate::{
    config::{Config, Settings, SpoolConfig, WhenFull},
    context::Context,
    error::{Error, Task, ValidationError},
    event::{Event, Mode},
    receipt::Durability,
    record::Record,
    scope::{Names, Scope},
    store::{Store, fake::Fake},
    table::TableName,
};
use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout},
};

type Told = Arc<Mutex<Vec<(String, String)>>>;

fn hold() -> Error {
    let table = TableName::new("audit_logs").unwrap();
    Task::Store(&table).unprepared(String::new())
}
fn poison() -> Error {
    ValidationError::new("data", "refused").into()
}
fn n(i: usize) -> Event<'static> {
    Event::new(format!("e{i}")).mode(Mode::Async)
}

fn build(store: Arc<dyn Store>, config: Config) -> (Arc<Context>, Arc<Names>, Settings, Scope, Told) {
    let told: Told = Arc::default();
    let tell = Arc::clone(&told);
    let config = config
        .on_error(move |error, record| tell.lock().unwrap().push((record.event().to_string(), error.to_string())));
    let resolved = config.resolve().unwrap();
    let spool = Spooling::open(resolved.spool.unwrap(), &resolved.root, Arc::clone(&store), Handle::current()).unwrap();
    let context = Arc::new(Context::new(store, None, Handle::current(), Some(spool)));
    let names = Arc::new(Names::new(BTreeMap::new()));
    let scope = Scope::new(&context, &names, resolved.root.clone()).unwrap();
    (context, names, resolved.root, scope, told)
}

fn on_disk(dir: &std::path::Path) -> Vec<String> {
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
        all.extend(read.into_iter().map(|stored| stored.record.event().to_string()));
    }
}

/// F1: the close removes the last segment, to which the appender then writes and acknowledges.
#[tokio::test(flavor = "multi_thread")]
async fn f1_acknowledged_after_the_close_removed_the_segment() {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let dir = Dir::new();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&dir.0).status().unwrap().success();
    assert!(mounted);
    let at = dir.0.join("spool");
    let store = Fake::store(|batch| {
        SEEN.lock().unwrap().extend(batch.iter().map(|r| r.event().to_string()));
        Ok(vec![])
    });
    let config = Config::default().spool(SpoolConfig::new(&at)).close_timeout(Duration::from_secs(1));
    let (context, _names, _, scope, told) = build(store, config);
    assert_eq!(scope.emit(n(0)).await.unwrap().durability, Durability::Spooled);
    scope.flush().await.unwrap();
    sleep(Duration::from_millis(200)).await;
    // the disk fills
    let _ = fs::write(dir.0.join("ballast"), vec![1; 8 << 20]);
    let emitting = tokio::spawn({
        let scope = scope.clone();
        async move {
            scope.emit(Event::new("late").mode(Mode::Async).data(serde_json::json!({"t": "x".repeat(20_000)}))).await
        }
    });
    sleep(Duration::from_millis(500)).await;
    assert!(!emitting.is_finished());
    let drained = context.drain(Instant::now() + Duration::from_secs(1)).await;
    let answer = emitting.await.unwrap();
    eprintln!("answer {:?} drained {drained:?} told {:?}", answer.as_ref().map(|r| r.durability), told.lock().unwrap());
    let _ = fs::remove_file(dir.0.join("ballast"));
    let left = on_disk(&at);
    eprintln!("stored {:?} on disk {left:?}", SEEN.lock().unwrap());
    let _ = Command::new("umount").arg("-l").arg(&dir.0).status();
    if answer.is_ok() {
        assert!(
            left.contains(&"late".to_string()) || SEEN.lock().unwrap().contains(&"late".to_string()),
            "acknowledged, and nowhere"
        );
    }
}

/// F2: Spill, dropped while the database is away.
#[tokio::test(flavor = "multi_thread")]
async fn f2_drop_leaves_memory() {
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let config =
        Config::default().spool(SpoolConfig::new(&at)).close_timeout(Duration::from_secs(1)).when_full(WhenFull::Spill);
    let (context, names, _, scope, told) = build(Fake::silent(), config);
    for i in 0..5 {
        assert_eq!(scope.emit(n(i)).await.unwrap().durability, Durability::Queued);
    }
    drop((scope, context, names));
    sleep(Duration::from_millis(3500)).await;
    let left = on_disk(&at);
    eprintln!("told {:?} on disk {left:?}", told.lock().unwrap());
    assert_eq!(left.len(), 5);
}

/// F3: Spill, one scope closed during an outage: the table's stream stands still for the rest of the process.
#[tokio::test(flavor = "multi_thread")]
async fn f3_scope_closed_in_an_outage() {
    static AWAY: AtomicBool = AtomicBool::new(true);
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let store = Fake::store(|_| if AWAY.load(SeqCst) { Err(hold()) } else { Ok(vec![]) });
    let config = Config::default()
        .spool(SpoolConfig::new(&at).segment_bytes(64 << 10).max_bytes(256 << 10))
        .close_timeout(Duration::from_secs(1))
        .when_full(WhenFull::Spill);
    let (context, names, settings, scope, told) = build(store, config);
    let short = Scope::new(&context, &names, settings).unwrap();
    short.emit(n(0)).await.unwrap();
    eprintln!("scope close {:?}", short.close().await.unwrap());
    if std::env::var("DROP").is_ok() {
        drop(short);
    } else {
        std::mem::forget(short);
    }
    scope.emit(n(1)).await.unwrap();
    sleep(Duration::from_millis(1500)).await;
    for i in 2..10 {
        assert_eq!(scope.emit(n(i)).await.unwrap().durability, Durability::Spooled);
    }
    AWAY.store(false, SeqCst);
    sleep(Duration::from_secs(3)).await;
    let drained = scope.flush().await.unwrap();
    let (a, b) = (scope.stats(), context.stats());
    eprintln!("flush {drained:?}\nscope {a:?}\nroot {b:?}\nspool {:?}", context.spool().unwrap().face().stats());
    // Now fill it: what is stored must make room.
    let mut hung = None;
    for i in 10..2000 {
        if timeout(Duration::from_secs(5), scope.emit(n(i))).await.is_err() {
            hung = Some(i);
            break;
        }
    }
    eprintln!("hung at {hung:?} {:?}", context.spool().unwrap().face().stats());
    assert!(hung.is_none() && drained.spooled == 0);
}

/// F4: max_bytes == segment_bytes, the database healthy.
#[tokio::test(flavor = "multi_thread")]
async fn f4_a_small_spool_stays_full() {
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let config = Config::default().spool(SpoolConfig::new(&at).segment_bytes(64 << 10).max_bytes(64 << 10));
    let (context, _n, _, scope, told) = build(Fake::store(|_| Ok(vec![])), config);
    for i in 0..2000 {
        if timeout(Duration::from_secs(5), scope.emit(n(i))).await.is_err() {
            panic!("hung at {i}: {:?} {:?}", context.spool().unwrap().face().stats(), scope.stats());
        }
    }
}

/// F4b: max_bytes was lowered.
#[tokio::test(flavor = "multi_thread")]
async fn f4b_max_bytes_was_lowered() {
    static AWAY: AtomicBool = AtomicBool::new(true);
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let store = || Fake::store(|_| if AWAY.load(SeqCst) { Err(hold()) } else { Ok(vec![]) });
    let config = Config::default().spool(SpoolConfig::new(&at)).close_timeout(Duration::from_secs(1));
    let (context, _n, _, scope, _) = build(store(), config);
    let all: Vec<_> = (0..3000)
        .map(|i| {
            let scope = scope.clone();
            tokio::spawn(async move { scope.emit(n(i)).await.unwrap() })
        })
        .collect();
    for one in all {
        one.await.unwrap();
    }
    context.drain(Instant::now() + Duration::from_secs(1)).await;
    AWAY.store(false, SeqCst);
    let config = Config::default().spool(SpoolConfig::new(&at).segment_bytes(64 << 10).max_bytes(128 << 10));
    let (context, _n, _, scope, told) = build(store(), config);
    scope.flush().await.unwrap();
    let stats = context.spool().unwrap().face().stats();
    assert!(timeout(Duration::from_secs(5), scope.emit(n(9999))).await.is_ok(), "all is stored, and yet: {stats:?}");
}

/// F5: redrive of more than there is room for, some refused again; then close.
#[tokio::test(flavor = "multi_thread")]
async fn f5_redrive_and_close() {
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let store = Fake::store(|batch| if batch.iter().any(|r| r.event() == "bad") { Err(poison()) } else { Ok(vec![]) });
    let config = Config::default()
        .spool(SpoolConfig::new(&at).segment_bytes(64 << 10).max_bytes(128 << 10))
        .close_timeout(Duration::from_secs(2));
    let (context, _n, _, scope, told) = build(store, config);
    for i in 0..40 {
        let data = serde_json::json!({"t": "x".repeat(9_000)});
        scope.emit(Event::new("bad").mode(Mode::Async).data(data)).await.unwrap();
        scope.emit(n(i)).await.unwrap();
        scope.flush().await.unwrap();
    }
    let face = context.spool().unwrap().face();
    eprintln!("{:?}", face.stats());
    let again = tokio::spawn({
        let face = face.clone();
        async move { face.redrive(None).await }
    });
    let driven = timeout(Duration::from_secs(6), again).await;
    eprintln!("redrive {driven:?} {:?}", face.stats());
    let close = timeout(Duration::from_secs(15), context.drain(Instant::now() + Duration::from_secs(2))).await;
    eprintln!("close {close:?}");
    assert!(close.is_ok(), "the close hangs");
    assert!(driven.is_ok(), "the redrive hangs");
}

/// F6: dead letters cannot be written: flush counts below nothing.
#[tokio::test(flavor = "multi_thread")]
async fn f6_underflow() {
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let store = Fake::store(|batch| if batch.iter().any(|r| r.event() == "bad") { Err(poison()) } else { Ok(vec![]) });
    let config = Config::default().spool(SpoolConfig::new(&at)).close_timeout(Duration::from_secs(2));
    let (context, _n, _, scope, told) = build(store, config);
    scope.emit(n(0)).await.unwrap();
    scope.flush().await.unwrap();
    fs::write(at.join("audit_logs/dead"), "").unwrap();
    let flushing = tokio::spawn({
        let scope = scope.clone();
        async move {
            // before the poison is known
            let (a, b) = tokio::join!(scope.flush(), async {
                scope.emit(Event::new("bad").mode(Mode::Async)).await.unwrap();
                scope.emit(n(1)).await.unwrap();
            });
            a
        }
    });
    sleep(Duration::from_millis(300)).await;
    let x = scope.emit(Event::new("bad").mode(Mode::Async));
    eprintln!("first flush {:?}", flushing.await);
    let closing = tokio::spawn({
        let context = Arc::clone(&context);
        async move { context.drain(Instant::now() + Duration::from_secs(2)).await }
    });
    eprintln!("close {:?} told {}", closing.await, told.lock().unwrap().len());
}

/// F6b: the same, the poison on its way when the flush begins.
#[tokio::test(flavor = "multi_thread")]
async fn f6b_underflow_in_flight() {
    static GO: AtomicBool = AtomicBool::new(true);
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let store = Fake::store(|batch| {
        while !GO.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if batch.iter().any(|r| r.event() == "bad") { Err(poison()) } else { Ok(vec![]) }
    });
    let config = Config::default().spool(SpoolConfig::new(&at)).close_timeout(Duration::from_secs(2));
    let (context, _n, _, scope, told) = build(store, config);
    scope.emit(n(0)).await.unwrap();
    scope.flush().await.unwrap();
    fs::write(at.join("audit_logs/dead"), "").unwrap();
    GO.store(false, SeqCst);
    scope.emit(Event::new("bad").mode(Mode::Async)).await.unwrap();
    scope.emit(n(1)).await.unwrap();
    let closing = tokio::spawn({
        let scope = scope.clone();
        async move { scope.flush().await }
    });
    sleep(Duration::from_millis(300)).await;
    GO.store(true, SeqCst);
    let flushed = closing.await;
    eprintln!("flush {flushed:?} told {}", told.lock().unwrap().len());
    assert!(flushed.unwrap().unwrap().stored < 10);
}

/// F7: Spill: a poison record that memory refused is taken off what the disk stored.
#[tokio::test(flavor = "multi_thread")]
async fn f7_spill_counts() {
    static AWAY: AtomicBool = AtomicBool::new(true);
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let store = Fake::store(|batch| {
        if AWAY.load(SeqCst) {
            Err(hold())
        } else if batch.iter().any(|r| r.event() == "bad") {
            Err(poison())
        } else {
            Ok(vec![])
        }
    });
    let config = Config::default()
        .spool(SpoolConfig::new(&at))
        .close_timeout(Duration::from_secs(5))
        .when_full(WhenFull::Spill)
        .queue_capacity(2);
    let (context, _n, _, scope, told) = build(store, config);
    for i in 0..10 {
        scope.emit(n(i)).await.unwrap();
    }
    AWAY.store(false, SeqCst);
    eprintln!("{:?}", scope.flush().await);
    while scope.emit(n(10)).await.unwrap().durability != Durability::Queued {
        sleep(Duration::from_millis(20)).await
    }
    scope.flush().await.unwrap();
    let before = scope.stats();
    scope.emit(Event::new("bad").mode(Mode::Async)).await.unwrap();
    scope.emit(n(11)).await.unwrap();
    scope.flush().await.unwrap();
    sleep(Duration::from_millis(1000)).await;
    let after = scope.stats();
    eprintln!(
        "before {before:?}\nafter {after:?}\ntold {:?}\nletters on disk {:?}",
        told.lock().unwrap(),
        super::dead::count(&at.join("audit_logs"))
    );
    assert_eq!(
        (after.accepted - before.accepted, after.stored - before.stored, after.failed - before.failed),
        (2, 1, 1)
    );
}

/// F8: what a close leaves, in several batches, each slower than the pause.
#[tokio::test(flavor = "multi_thread")]
async fn f8_front_order() {
    static SLOW: AtomicBool = AtomicBool::new(true);
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let store = Fake::store(|_| {
        std::thread::sleep(Duration::from_millis(120));
        Err(hold())
    });
    let config = Config::default()
        .spool(SpoolConfig::new(&at))
        .close_timeout(Duration::from_secs(5))
        .when_full(WhenFull::Spill)
        .async_batch_size(2);
    let (context, _n, _, scope, told) = build(store, config);
    for i in 0..8 {
        scope.try_emit(n(i)).unwrap();
    }
    let drained = context.drain(Instant::now() + Duration::from_secs(5)).await;
    let left = on_disk(&at);
    eprintln!("{drained:?} {left:?}");
    let mut sorted = left.clone();
    sorted.sort();
    assert_eq!(left, sorted);
}

/// F9: a crash between the dead letter and the cursor.
#[tokio::test(flavor = "multi_thread")]
async fn f9_a_letter_twice() {
    static AWAY: AtomicBool = AtomicBool::new(true);
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let store = || {
        Fake::store(|batch| {
            if AWAY.load(SeqCst) {
                Err(hold())
            } else if batch.iter().any(|r| r.event() == "bad") {
                Err(poison())
            } else {
                Ok(vec![])
            }
        })
    };
    let config = || Config::default().spool(SpoolConfig::new(&at)).close_timeout(Duration::from_secs(1));
    let (context, _n, _, scope, _) = build(store(), config());
    scope.emit(Event::new("bad").mode(Mode::Async)).await.unwrap();
    scope.emit(n(0)).await.unwrap();
    context.drain(Instant::now()).await;
    drop((context, _n, scope));
    let table = at.join("audit_logs");
    let saved: Vec<_> = fs::read_dir(&table)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_file())
        .map(|p| (fs::read(&p).unwrap(), p))
        .collect();
    AWAY.store(false, SeqCst);
    let (context, _n, _, scope, _) = build(store(), config());
    scope.flush().await.unwrap();
    context.drain(Instant::now() + Duration::from_secs(1)).await;
    drop((context, _n, scope));
    assert_eq!(super::dead::count(&table).unwrap(), 1);
    for (bytes, path) in saved {
        fs::write(path, bytes).unwrap();
    }
    let (context, _n, _, scope, _) = build(store(), config());
    scope.flush().await.unwrap();
    context.drain(Instant::now() + Duration::from_secs(1)).await;
    assert_eq!(super::dead::count(&table).unwrap(), 1, "one record, two letters");
}

/// F10: trouble is never over where only a sync emit was in the queue.
#[tokio::test(flavor = "multi_thread")]
async fn f10_back_to_memory() {
    static AWAY: AtomicBool = AtomicBool::new(true);
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let store = Fake::store(|_| if AWAY.load(SeqCst) { Err(hold()) } else { Ok(vec![]) });
    let config =
        Config::default().spool(SpoolConfig::new(&at)).close_timeout(Duration::from_secs(5)).when_full(WhenFull::Spill);
    let (context, _n, _, scope, told) = build(store, config);
    assert!(scope.emit(Event::new("sync")).await.is_err());
    AWAY.store(false, SeqCst);
    let mut last = None;
    for i in 0..50 {
        last = Some(scope.emit(n(i)).await.unwrap().durability);
        sleep(Duration::from_millis(40)).await;
    }
    assert_eq!(last, Some(Durability::Queued), "never back to memory");
}

/// F1b: no trouble at all but a close whose time is over when the spool's turn comes.
#[tokio::test(flavor = "multi_thread")]
async fn f1b_close_while_emits_run() {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut lost = Vec::new();
    for round in 0..150 {
        let dir = Dir::new();
        let at = dir.0.join("spool");
        let store = Fake::store(|batch| {
            SEEN.lock().unwrap().extend(batch.iter().map(|r| r.event().to_string()));
            Ok(vec![])
        });
        let config = Config::default().spool(SpoolConfig::new(&at)).close_timeout(Duration::from_secs(1));
        let (context, _names, _, scope, told) = build(store, config);
        let tasks: Vec<_> = (0..2)
            .map(|t| {
                let scope = scope.clone();
                tokio::spawn(async move {
                    let mut acked = Vec::new();
                    for i in 0.. {
                        let name = format!("r{round}t{t}n{i}");
                        match scope.emit(Event::new(name.clone()).mode(Mode::Async)).await {
                            Ok(_) => acked.push(name),
                            Err(_) => break,
                        }
                    }
                    acked
                })
            })
            .collect();
        sleep(Duration::from_millis(20 + round % 7)).await;
        context.drain(Instant::now()).await;
        let mut acked = Vec::new();
        for task in tasks {
            acked.extend(task.await.unwrap())
        }
        let left = on_disk(&at);
        let seen = SEEN.lock().unwrap();
        lost.extend(acked.into_iter().filter(|name| !seen.contains(name) && !left.contains(name)));
    }
    assert!(lost.is_empty(), "{} acknowledged, and nowhere: {lost:?}", lost.len());
}

/// F11: two outages in one process, then a close: what was a dead letter is refused, told and written again.
#[tokio::test(flavor = "multi_thread")]
async fn f11_front_sends_the_dead_again() {
    static AWAY: AtomicBool = AtomicBool::new(true);
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let store = || {
        Fake::store(|batch| {
            if AWAY.load(SeqCst) {
                Err(hold())
            } else if batch.iter().any(|r| r.event() == "bad") {
                Err(poison())
            } else {
                Ok(vec![])
            }
        })
    };
    let config = || {
        Config::default()
            .spool(SpoolConfig::new(&at))
            .close_timeout(Duration::from_secs(2))
            .when_full(WhenFull::Spill)
            .queue_capacity(2)
    };
    let (context, _n, _, scope, told) = build(store(), config());
    for i in 0..5 {
        scope.emit(n(i)).await.unwrap();
    }
    scope.emit(Event::new("bad").mode(Mode::Async)).await.unwrap();
    scope.emit(n(5)).await.unwrap();
    AWAY.store(false, SeqCst);
    scope.flush().await.unwrap();
    while scope.emit(n(6)).await.unwrap().durability != Durability::Queued {
        sleep(Duration::from_millis(20)).await
    }
    scope.flush().await.unwrap();
    sleep(Duration::from_millis(300)).await;
    AWAY.store(true, SeqCst);
    for i in 10..20 {
        scope.emit(n(i)).await.unwrap();
    }
    let drained = context.drain(Instant::now() + Duration::from_secs(2)).await;
    let first = told.lock().unwrap().len();
    drop((context, _n, scope));
    AWAY.store(false, SeqCst);
    let (context, _n, _, scope, told) = build(store(), config());
    eprintln!("{:?}", context.spool().unwrap().face().recovery());
    let flushed = scope.flush().await.unwrap();
    context.drain(Instant::now() + Duration::from_secs(1)).await;
    let letters = super::dead::count(&at.join("audit_logs")).unwrap();
    eprintln!("first told {first} {drained:?}; then {flushed:?} told {:?} letters {letters}", told.lock().unwrap());
    assert_eq!((first, told.lock().unwrap().len(), letters), (1, 0, 1));
}

/// F13: dropped with an on_error that panics.
#[tokio::test(flavor = "multi_thread")]
async fn f13_panic_in_drop() {
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let told = Arc::new(AtomicUsize::new(0));
    let tell = Arc::clone(&told);
    let config = Config::default()
        .spool(SpoolConfig::new(&at))
        .close_timeout(Duration::from_secs(1))
        .when_full(WhenFull::Spill)
        .on_error(move |_, _| {
            tell.fetch_add(1, SeqCst);
            panic!("user")
        });
    let resolved = config.resolve().unwrap();
    let store = Fake::silent();
    let spool = Spooling::open(resolved.spool.unwrap(), &resolved.root, Arc::clone(&store), Handle::current()).unwrap();
    let context = Arc::new(Context::new(store, None, Handle::current(), Some(spool)));
    let names = Arc::new(Names::new(BTreeMap::new()));
    let scope = Scope::new(&context, &names, resolved.root.clone()).unwrap();
    for i in 0..5 {
        scope.emit(n(i)).await.unwrap();
    }
    drop((scope, context, names));
    sleep(Duration::from_millis(2500)).await;
    assert_eq!(told.load(SeqCst) + on_disk(&at).len(), 5, "neither told nor kept");
}

/// F14: an emit that waits for room goes on after its scope's close.
#[tokio::test(flavor = "multi_thread")]
async fn f14_waits_for_room_beyond_the_close() {
    static AWAY: AtomicBool = AtomicBool::new(true);
    let dir = Dir::new();
    let at = dir.0.join("spool");
    let store = Fake::store(|_| if AWAY.load(SeqCst) { Err(hold()) } else { Ok(vec![]) });
    let config = Config::default()
        .spool(SpoolConfig::new(&at).segment_bytes(64 << 10).max_bytes(128 << 10))
        .close_timeout(Duration::from_secs(1));
    let (context, _n, _, scope, told) = build(store, config);
    let mut i = 0;
    let waiting = loop {
        let mut emit = Box::pin({
            let scope = scope.clone();
            async move { scope.emit(n(i)).await }
        });
        if timeout(Duration::from_millis(500), &mut emit).await.is_err() {
            break emit;
        }
        i += 1;
    };
    let waiting = tokio::spawn(waiting);
    let drained = scope.close().await.unwrap();
    AWAY.store(false, SeqCst);
    let answer = timeout(Duration::from_secs(5), waiting).await;
    eprintln!("closed {drained:?}, then {answer:?}");
    assert!(answer.unwrap().unwrap().is_err(), "accepted after the scope was closed");
}

/// F15: stats wait for the disk.
#[tokio::test(flavor = "multi_thread")]
async fn f15_a_dropped_emit_is_told_and_not_counted() {
    let dir = Dir::new();
    assert!(
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&dir.0).status().unwrap().success()
    );
    let at = dir.0.join("spool");
    let config = Config::default()
        .spool(SpoolConfig::new(&at))
        .close_timeout(Duration::from_secs(1))
        .when_full(WhenFull::Reject);
    let (context, _n, _, scope, told) = build(Fake::store(|_| Ok(vec![])), config);
    scope.emit(n(0)).await.unwrap();
    scope.flush().await.unwrap();
    sleep(Duration::from_millis(200)).await;
    let _ = fs::write(dir.0.join("ballast"), vec![1; 8 << 20]);
    let mut emit =
        Box::pin(scope.emit(Event::new("late").mode(Mode::Async).data(serde_json::json!({"t": "x".repeat(20_000)}))));
    let waker = futures_noop();
    let mut cx = std::task::Context::from_waker(&waker);
    let polled = std::future::Future::poll(emit.as_mut(), &mut cx);
    eprintln!("{polled:?}");
    assert!(polled.is_pending());
    sleep(Duration::from_millis(500)).await;
    drop(emit);
    let told = told.lock().unwrap().len();
    let stats = scope.stats();
    let _ = Command::new("umount").arg("-l").arg(&dir.0).status();
    assert_eq!((told as u64, stats.accepted, stats.failed), (1, 2, 1), "{stats:?}");
}
fn futures_noop() -> std::task::Waker {
    std::task::Waker::noop().clone()
}
