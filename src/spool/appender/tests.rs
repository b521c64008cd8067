use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use uuid::Uuid;

use super::*;
use crate::{
    config::{Config, Settings, Sync},
    event::Event,
    spool::{
        frame::Frame,
        segment::{self, FIRST, HEADER},
    },
    table::TableName,
};

/// A spool of a few logs, and what `on_error` was told.
pub(super) struct Spool {
    pub(super) settings: SpoolSettings,
    pub(super) root: Settings,
    pub(super) bounds: Arc<Bounds>,
    pub(super) folder: Arc<Folder>,
    pub(super) appender: Appender,
    pub(super) errors: Arc<Mutex<Vec<(Uuid, Outcome)>>>,
}

/// A folder of its own, removed at the end.
pub(super) struct Dir(pub(super) PathBuf);

impl Dir {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tracevault-append-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Spool {
    fn start(dir: &Dir, sync: Sync) -> Self {
        let settings = SpoolSettings { dir: dir.0.clone(), sync, max_bytes: 1 << 30, segment_bytes: 64 << 10 };
        Self::with(settings, WhenFull::Wait)
    }

    pub(super) fn with(settings: SpoolSettings, when_full: WhenFull) -> Self {
        let root = Config::default().resolve().unwrap().root;
        let folder = Arc::new(Folder::open(&settings.dir).unwrap());
        let bounds = Bounds::new(&settings, &root, 0);
        let appender = Appender::start(Arc::clone(&folder), &settings, when_full, Arc::clone(&bounds)).unwrap();
        Self { settings, root, bounds, folder, appender, errors: Arc::default() }
    }

    pub(super) fn log(&self, table: &str) -> Arc<Log> {
        let table = TableName::new(table).unwrap();
        Log::open(self.folder.of(&table), table).unwrap().0
    }

    pub(super) fn record(&self) -> Record {
        Record::of(&Event::new("user.login"), None, &self.root).unwrap()
    }

    pub(super) fn append(&self, log: &Arc<Log>, record: Record) -> Append {
        let errors = Arc::clone(&self.errors);
        Append {
            log: Arc::clone(log),
            room: Some(self.bounds.try_take(record.weight()).unwrap()),
            record,
            ack: None,
            on_error: Arc::new(move |error, record| errors.lock().unwrap().push((record.id(), error.outcome()))),
            front: false,
        }
    }

    pub(super) fn push(&self, log: &Arc<Log>) -> Uuid {
        let record = self.record();
        let id = record.id();
        self.appender.push(self.append(log, record));
        id
    }

    pub(super) async fn emit(&self, log: &Arc<Log>) -> Result<Uuid, Box<Unkept>> {
        let record = self.record();
        let id = record.id();
        let (ack, answer) = oneshot::channel();
        self.appender.push(Append { ack: Some(ack), ..self.append(log, record) });
        answer.await.unwrap().map(|()| id)
    }
}

/// The ids in a log, and their numbers.
pub(super) fn stored(folder: &Path) -> Vec<(u64, Uuid)> {
    let bases: VecDeque<u64> = segment::list(folder).unwrap().into();
    let mut all = Vec::new();
    for (at, base) in bases.iter().enumerate() {
        let bytes = fs::read(segment::path(folder, *base)).unwrap();
        let end = bases.get(at + 1).copied().unwrap_or(u64::MAX);
        let mut rest = &bytes[HEADER..];
        while let Ok(frame) = Frame::read(rest) {
            rest = &rest[frame.size()..];
            if frame.sequence < end {
                all.push((frame.sequence, crate::spool::frame::record(frame.payload.to_vec(), false).unwrap().id()));
            }
        }
    }
    all
}

fn numbered(first: u64, ids: &[Uuid]) -> Vec<(u64, Uuid)> {
    (first..).zip(ids.iter().copied()).collect()
}

#[tokio::test]
async fn what_is_acknowledged_is_on_disk_in_order_and_may_be_read() {
    let dir = Dir::new();
    let spool = Spool::start(&dir, Sync::Always);
    let (one, other) = (spool.log("one"), spool.log("other"));
    let mut ids = [Vec::new(), Vec::new()];
    for round in 0..20 {
        let log = [&one, &other][round % 2];
        ids[round % 2].push(spool.push(log));
        ids[round % 2].push(spool.emit(log).await.map_err(|unkept| unkept.error).unwrap());
        assert_eq!(*log.tail.borrow(), FIRST + ids[round % 2].len() as u64);
        assert_eq!(stored(&log.folder), numbered(FIRST, &ids[round % 2]));
    }
}

#[tokio::test]
async fn a_full_segment_is_followed_by_another_and_all_bytes_are_counted() {
    let dir = Dir::new();
    let spool = Spool::start(&dir, Sync::Always);
    let log = spool.log("one");
    let ids: Vec<_> = (0..2_000).map(|_| spool.push(&log)).collect();
    spool.appender.settled().await;
    assert_eq!(stored(&log.folder), numbered(FIRST, &ids));
    let segments = log.segments().clone();
    assert!(segments.len() > 2, "{segments:?}");
    let size = crate::spool::writer::size(&spool.record());
    for segment in &segments {
        let length = fs::metadata(segment::path(&log.folder, segment.base)).unwrap().len();
        assert_eq!(length, segment.bytes + HEADER as u64);
        assert!(length <= spool.settings.segment_bytes);
    }
    assert_eq!(segments.iter().map(|segment| segment.bytes).sum::<u64>(), 2_000 * size);
    // All the rest is free again.
    let left = spool.settings.max_bytes - 2_000 * size;
    assert_eq!(spool.bounds.free_on_disk(), left);
}

#[tokio::test]
async fn a_record_larger_than_a_segment_goes_in_alone() {
    let dir = Dir::new();
    let spool = Spool::start(&dir, Sync::Always);
    let log = spool.log("one");
    let large = Event::new("large").data(serde_json::json!({ "text": "x".repeat(100_000) }));
    let large = Record::of(&large, None, &spool.root).unwrap();
    let mut ids = vec![spool.push(&log)];
    ids.push(large.id());
    spool.appender.push(spool.append(&log, large));
    ids.push(spool.push(&log));
    spool.appender.settled().await;
    assert_eq!(stored(&log.folder), numbered(FIRST, &ids));
    let bases: Vec<_> = log.segments().iter().map(|segment| segment.base - FIRST).collect();
    assert_eq!(bases, [0, 1, 2]);
}

#[tokio::test]
async fn a_drop_writes_what_waits_and_gives_the_directory_up() {
    let dir = Dir::new();
    let spool = Spool::start(&dir, Sync::Os);
    let log = spool.log("one");
    let ids: Vec<_> = (0..100).map(|_| spool.push(&log)).collect();
    let Spool { appender, folder, settings, .. } = spool;
    drop(folder);
    assert!(Folder::open(&settings.dir).is_err());
    appender.ended().await;
    assert_eq!(stored(&log.folder), numbered(FIRST, &ids));
    Folder::open(&settings.dir).unwrap();
}

#[tokio::test]
async fn what_comes_after_the_end_is_told_of() {
    let dir = Dir::new();
    let spool = Spool::start(&dir, Sync::Always);
    let log = spool.log("one");
    spool.emit(&log).await.map_err(|unkept| unkept.error).unwrap();
    spool.appender.ended().await;
    let id = spool.push(&log);
    assert_eq!(*spool.errors.lock().unwrap(), [(id, Outcome::Rejected)]);
    assert!(spool.emit(&log).await.unwrap_err().error.is_closed());
}

#[tokio::test]
async fn what_goes_before_all_others_does() {
    let dir = Dir::new();
    let spool = Spool::start(&dir, Sync::Always);
    let log = spool.log("one");
    let mut ids = vec![spool.emit(&log).await.map_err(|unkept| unkept.error).unwrap()];
    let front: Vec<_> = (0..3)
        .map(|_| {
            let record = spool.record();
            let id = record.id();
            spool.appender.push(Append { front: true, room: None, ..spool.append(&log, record) });
            id
        })
        .collect();
    let behind = spool.push(&log);
    ids.splice(0..0, front);
    ids.push(behind);
    spool.appender.ended().await;
    assert_eq!(stored(&log.folder), numbered(FIRST - 3, &ids));
    assert_eq!((log.segments().len(), log.cursor().at()), (2, FIRST - 3));
    assert_eq!(log.left().0, 5);
}

#[tokio::test]
async fn what_goes_before_all_others_finds_what_is_stored_gone() {
    let dir = Dir::new();
    let spool = Spool::start(&dir, Sync::Always);
    let log = spool.log("one");
    for _ in 0..5 {
        spool.emit(&log).await.map_err(|unkept| unkept.error).unwrap();
    }
    log.advance(FIRST + 5).unwrap();
    let record = spool.record();
    let front = record.id();
    spool.appender.push(Append { front: true, room: None, ..spool.append(&log, record) });
    spool.appender.ended().await;
    assert_eq!(stored(&log.folder), [(FIRST + 4, front)]);
    let size = crate::spool::writer::size(&spool.record());
    assert_eq!(spool.bounds.free_on_disk(), spool.settings.max_bytes - size);
    drop((log, spool));
    // The next process goes on behind it.
    let spool = Spool::start(&dir, Sync::Always);
    let log = spool.log("one");
    let next = spool.emit(&log).await.map_err(|unkept| unkept.error).unwrap();
    assert_eq!(stored(&log.folder), [(FIRST + 4, front), (FIRST + 5, next)]);
}

#[tokio::test]
async fn an_interval_syncs_by_itself() {
    let dir = Dir::new();
    let spool = Spool::start(&dir, Sync::Interval(Duration::from_millis(20)));
    let log = spool.log("one");
    let mut settled = spool.appender.intake.settled.subscribe();
    for _ in 0..3 {
        spool.emit(&log).await.map_err(|unkept| unkept.error).unwrap();
    }
    // Nobody asks.
    tokio::time::timeout(Duration::from_secs(5), settled.wait_for(|below| *below == 3)).await.unwrap().unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_any_of_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = Dir::new();
    let spool = Spool::start(&dir, Sync::Always);
    let log = spool.log("one");
    for _ in 0..3 {
        spool.emit(&log).await.map_err(|unkept| unkept.error).unwrap();
    }
    spool.appender.push(Append { front: true, room: None, ..spool.append(&log, spool.record()) });
    spool.appender.ended().await;
    let letter = (1, 1, spool.record(), Error::from(ClosedError::new("the table")));
    crate::spool::dead::write(&log.folder, &[letter]).unwrap();
    let path = segment::path(&log.folder, FIRST);
    let mut bytes = fs::read(&path).unwrap();
    bytes[HEADER + 40] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(crate::spool::reader::Reader::new(Arc::clone(&log)).read(9, usize::MAX).unwrap().len(), 3);

    let (mut folders, mut names) = (vec![dir.0.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            names.push(path.strip_prefix(&dir.0).unwrap().to_str().unwrap().to_owned());
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }
    names.sort();
    let base = format!("{FIRST:020}");
    let front = format!("one/{:020}.log", FIRST - 1);
    let damaged = format!("one/damaged/{base}-{HEADER}");
    let (cursor, dead) = ("one/cursor".to_owned(), format!("one/dead/{:020}.log", 1));
    let of_log =
        [front, format!("one/{base}.log"), cursor, "one/damaged".to_owned(), damaged, "one/dead".to_owned(), dead];
    assert_eq!(
        names,
        [vec!["lock".to_owned(), "one".to_owned()], of_log.to_vec(), vec!["reserve".to_owned()]].concat()
    );
}

/// Figures, not a test: `cargo test --release --all-features --lib spool::appender -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn figures() {
    let dir = Dir::new();
    let settings =
        SpoolSettings { dir: dir.0.clone(), sync: Sync::Always, max_bytes: 8 << 30, segment_bytes: 16 << 20 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let spool = Arc::new(Spool::with(settings, WhenFull::Wait));
        let log = spool.log("one");
        // The disk's own.
        let file = fs::File::create(dir.0.join("probe")).unwrap();
        let mut own = Vec::new();
        for _ in 0..2_000 {
            let began = std::time::Instant::now();
            std::io::Write::write_all(&mut &file, &[1; 400]).unwrap();
            file.sync_data().unwrap();
            own.push(began.elapsed());
        }
        report("write and fsync", own);
        for emitters in [1, 2, 8, 64, 256] {
            let each = if emitters == 1 { 5_000 } else { 200_000 / emitters };
            let began = std::time::Instant::now();
            let tasks: Vec<_> = (0..emitters)
                .map(|_| {
                    let (spool, log) = (Arc::clone(&spool), Arc::clone(&log));
                    tokio::spawn(async move {
                        let mut took = Vec::with_capacity(each);
                        for _ in 0..each {
                            let began = std::time::Instant::now();
                            spool.emit(&log).await.map_err(|unkept| unkept.error).unwrap();
                            took.push(began.elapsed());
                        }
                        took
                    })
                })
                .collect();
            let mut took = Vec::new();
            for task in tasks {
                took.extend(task.await.unwrap());
            }
            let rate = took.len() as u128 * 1_000 / began.elapsed().as_millis().max(1);
            report(&format!("{emitters} emitters, {rate} records/s"), took);
        }
    });
}

#[expect(clippy::print_stdout, reason = "figures")]
fn report(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let at = |share: usize| took[(took.len() - 1) * share / 100];
    println!("{what}: p50 {:?} p99 {:?} max {:?}", at(50), at(99), took[took.len() - 1]);
}

#[test]
fn what_a_thread_that_panics_has_in_hand_is_told_of() {
    let dir = Dir::new();
    let spool = Spool::start(&dir, Sync::Always);
    let (log, record) = (spool.log("audit_logs"), spool.record());
    let id = record.id();
    let append = spool.append(&log, record);
    let intake = Arc::new(Intake::default());
    let held = Arc::clone(&spool.folder);
    let mut shift = Shift::new(held, &spool.settings, WhenFull::Wait, Arc::clone(&spool.bounds), intake);
    shift.has_in_hand(append);
    drop(shift);
    assert_eq!(*spool.errors.lock().unwrap(), [(id, Outcome::Unknown)]);
}
