//! The stream of one table: what scopes give their async records to, and what becomes of them.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

use uuid::Uuid;

use super::{
    appender::{Ack, Append},
    frame,
    log::Log,
    room::Room,
    spooling::Core,
    stats::SpoolStats,
    window::Window,
};
use crate::{
    config::{OnError, RetryFor, Settings, WhenFull},
    error::Error,
    event::Mode,
    metrics::{SpoolMeters, SpoolNumbers},
    queue::{Failures, Queue, Stats, Totals, WeakQueue},
    record::Record,
};

/// How long a close waits for what must not take long.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// The stream of one table; clones share it.
#[derive(Clone)]
pub(crate) struct Stream(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) core: std::sync::Weak<Core>,
    pub(super) log: Arc<Log>,
    /// By which what was read goes to PostgreSQL.
    pub(super) queue: Queue,
    pub(super) window: Mutex<Window>,
    /// All below it is in PostgreSQL, or a dead letter, and the cursor says so.
    pub(super) done: watch::Sender<u64>,
    /// Nothing is taken on any more.
    pub(super) closing: AtomicBool,
    /// The feed and the keeper end.
    pub(super) ending: watch::Sender<bool>,
    /// The window has changed.
    pub(super) moved: Notify,
    pub(super) keeper: Mutex<Option<JoinHandle<()>>>,
    /// Where the cursor was at the start.
    start: u64,
    /// What PostgreSQL refused, on its way to the dead letters.
    pub(super) refused: Mutex<Vec<Letter>>,
    /// The number of the last of these.
    last_letter: AtomicU64,
    /// Held while dead letters are written, or driven again.
    pub(super) burying: tokio::sync::Mutex<()>,
    /// Held while dead letters are driven again.
    pub(super) redriving: tokio::sync::Mutex<()>,
    /// The ids of the dead letters, once they are known.
    pub(super) buried: Mutex<Option<HashSet<Uuid>>>,
    /// What is on disk cannot be read for now.
    pub(super) unreadable: AtomicBool,
    /// The queue has ended with records in hand: from then on its numbers tell nothing.
    pub(super) gave_up: AtomicBool,
    pub(super) numbers: Numbers,
    pub(super) meters: SpoolMeters,
    pub(super) on_error: Mutex<OnError>,
    settings: Settings,
    /// Async records go to disk until all there is stored.
    spilling: Mutex<bool>,
    /// Records on their way to the disk.
    pub(super) pending: AtomicU64,
    /// The queues of those who spill, which must be empty before what was spilled is stored.
    pub(super) memory: Mutex<Vec<WeakQueue>>,
}

/// A record that PostgreSQL refused.
pub(super) struct Letter {
    /// Among the dead letters.
    number: u64,
    /// Microseconds since 1970.
    refused_at: i64,
    pub(super) record: Record,
    error: Error,
    /// It came from the log, so that the cursor passes it.
    pub(super) is_on_disk: bool,
}

impl Letter {
    pub(super) fn parts(&self) -> (u64, i64, Record, Error) {
        (self.number, self.refused_at, self.record.clone(), self.error.clone())
    }
}

/// What is counted here; all else follows from sequence numbers.
#[derive(Default)]
pub(super) struct Numbers {
    pub(super) dead: AtomicU64,
    pub(super) dead_on_disk: AtomicU64,
    pub(super) damaged: AtomicU64,
    /// Of the dead letters, since the start.
    pub(super) damaged_letters: AtomicU64,
    /// Told of as not kept.
    pub(super) lost: AtomicU64,
    /// Left in memory by the last close, and put before all else.
    pub(super) front: AtomicU64,
}

/// A record that is not taken on.
pub(crate) enum Refused {
    Full(Box<(Record, Error)>),
    Other(Error),
}

impl Stream {
    /// Goes on with a log, beside which so many dead letters are.
    pub(super) fn start(core: &Arc<Core>, log: Arc<Log>, dead_letters: u64, settings: &Settings) -> Self {
        let shared = Arc::new_cyclic(|this: &std::sync::Weak<Shared>| {
            let this = this.clone();
            let that = this.clone();
            let on_error = Arc::new(move |error: &Error, record: &Record| {
                if let Some(stream) = this.upgrade() {
                    stream.not_stored(error, record);
                }
            });
            // They are on disk, and the next start goes on with them.
            let leftovers = Arc::new(move |_: &Record| {
                if let Some(stream) = that.upgrade() {
                    stream.gave_up.store(true, Ordering::SeqCst);
                }
            });
            let mut delivery = settings.clone();
            delivery.on_error = on_error;
            delivery.leftovers = Some(leftovers);
            (delivery.retry_for, delivery.retries, delivery.when_full) = (RetryFor::Forever, true, WhenFull::Wait);
            delivery.holds = true;
            let start = log.cursor().at();
            Shared {
                core: Arc::downgrade(core),
                queue: Queue::start(&delivery, &core.store, &core.runtime, Totals::default()),
                window: Mutex::new(Window::new(start)),
                done: watch::Sender::new(start),
                closing: AtomicBool::new(false),
                ending: watch::Sender::new(false),
                moved: Notify::new(),
                keeper: Mutex::default(),
                start,
                refused: Mutex::default(),
                last_letter: AtomicU64::new(0),
                burying: tokio::sync::Mutex::default(),
                redriving: tokio::sync::Mutex::default(),
                buried: Mutex::default(),
                unreadable: AtomicBool::new(false),
                gave_up: AtomicBool::new(false),
                numbers: Numbers { dead_on_disk: AtomicU64::new(dead_letters), ..Numbers::default() },
                meters: SpoolMeters::new(&log.table),
                on_error: Mutex::new(Arc::clone(&settings.on_error)),
                settings: settings.clone(),
                spilling: Mutex::new(log.left().0 > 0),
                pending: AtomicU64::new(0),
                memory: Mutex::default(),
                log,
            }
        });
        core.runtime.spawn(super::feed::run(Arc::clone(&shared)));
        let keeper = core.runtime.spawn(super::keeper::run(Arc::clone(&shared)));
        *lock(&shared.keeper) = Some(keeper);
        Self(shared)
    }

    /// Where failures are told from now on.
    pub(super) fn report_to(&self, on_error: &OnError) {
        *lock(&self.0.on_error) = Arc::clone(on_error);
    }

    /// Whether memory is used before the disk.
    pub(crate) fn spills(&self) -> bool {
        self.0.settings.when_full == WhenFull::Spill
    }

    /// The settings of a scope's own queue, where memory is used before the disk: nothing of it is given up while there is
    /// a disk.
    pub(crate) fn settings_of_memory(&self, settings: &Settings) -> Settings {
        let (stream, user) = (self.clone(), Arc::clone(&settings.on_error));
        let (left_to, told) = (self.clone(), Arc::clone(&user));
        let leftovers = Arc::new(move |record: &Record| left_to.leave(record, &told));
        let on_error = Arc::new(move |error: &Error, record: &Record| {
            if record.mode() == Mode::Async && error.is_record_refused() {
                stream.0.bury(record, error, false);
            }
            user(error, record);
        });
        let mut own = settings.clone();
        own.on_error = on_error;
        own.leftovers = Some(leftovers);
        own.retry_for = RetryFor::Forever;
        own
    }

    /// What is spilled is stored after what this queue holds.
    pub(crate) fn follow(&self, queue: &Queue) {
        let mut memory = lock(&self.0.memory);
        memory.retain(|queue| queue.strong_count() > 0);
        memory.push(queue.weak());
    }

    /// Whether an async record goes to disk, although there may be room in memory.
    pub(crate) fn goes_to_disk(&self, queue: &Queue) -> bool {
        !self.spills() || queue.is_in_trouble() || *lock(&self.0.spilling)
    }

    /// Takes a record on if there is room now.
    pub(crate) fn try_append(&self, record: Record, ack: Option<Ack>, on_error: &OnError) -> Result<(), Refused> {
        let Some(core) = self.0.core.upgrade() else { return Err(Refused::Other(closed())) };
        match core.bounds.try_take(size(&record)) {
            Ok(room) => self.push(&core, room, record, ack, on_error).map_err(Refused::Other),
            Err(error) if error.is_closed() => Err(Refused::Other(error)),
            Err(error) => {
                core.make_room();
                Err(Refused::Full(Box::new((record, error))))
            }
        }
    }

    /// Room for a record as soon as there is some. Cancel safe.
    pub(crate) async fn room(&self, record: &Record) -> Result<Room, Error> {
        let core = self.0.core.upgrade().ok_or_else(closed)?;
        let taken = core.bounds.try_take(size(record));
        match taken {
            Err(error) if !error.is_closed() => {
                // A segment of which all is stored may be all that is in the way.
                core.make_room();
                core.bounds.take(size(record)).await
            }
            taken => taken,
        }
    }

    /// Holds room for a record of so many bytes, if there is some now.
    pub(crate) fn try_hold(&self, bytes: usize) -> Result<Room, Error> {
        let core = self.0.core.upgrade().ok_or_else(closed)?;
        core.bounds.try_take(frame::HEAD + bytes)
    }

    /// Takes a record on in room that was held, and in more where it takes more.
    pub(crate) fn append_in(
        &self,
        mut room: Room,
        record: Record,
        ack: Option<Ack>,
        on_error: &OnError,
    ) -> Result<(), Error> {
        let core = self.0.core.upgrade().ok_or_else(closed)?;
        room.grow(size(&record))?;
        self.push(&core, room, record, ack, on_error)
    }

    fn push(&self, core: &Core, room: Room, record: Record, ack: Option<Ack>, on_error: &OnError) -> Result<(), Error> {
        // In this order, so that a close that was not seen here sees it.
        let pending = Pending::new(&self.0);
        if self.0.closing.load(Ordering::SeqCst) {
            return Err(closed());
        }
        if self.spills() {
            *lock(&self.0.spilling) = true;
        }
        core.appender.push(Append {
            log: Arc::clone(&self.0.log),
            record,
            ack,
            on_error: self.counting_losses(on_error, Some(pending)),
            room: Some(room),
            front: false,
        });
        Ok(())
    }

    /// Puts a record that a close left in memory on disk: before all else there, where all ends; else, where one scope is
    /// closed in the middle of an outage, behind it.
    fn leave(&self, record: &Record, on_error: &OnError) {
        let Some(core) = self.0.core.upgrade() else { return on_error(&closed(), record) };
        let front = self.0.closing.load(Ordering::SeqCst);
        let pending = (!front).then(|| Pending::new(&self.0));
        let mut on_error = self.counting_losses(on_error, pending);
        if front {
            self.0.numbers.front.fetch_add(1, Ordering::Relaxed);
            let (stream, counting) = (Arc::downgrade(&self.0), on_error);
            on_error = Arc::new(move |error, record| {
                if let Some(stream) = stream.upgrade() {
                    stream.numbers.front.fetch_sub(1, Ordering::Relaxed);
                }
                counting(error, record);
            });
        }
        core.appender.push(Append {
            log: Arc::clone(&self.0.log),
            record: record.clone(),
            ack: None,
            on_error,
            room: None,
            front,
        });
    }

    /// `pending` lives as long as it, which is as long as the record is on its way.
    fn counting_losses(&self, on_error: &OnError, pending: Option<Pending>) -> OnError {
        let (stream, user) = (Arc::downgrade(&self.0), Arc::clone(on_error));
        Arc::new(move |error, record| {
            let _while_it_lives = &pending;
            if let Some(stream) = stream.upgrade() {
                stream.numbers.lost.fetch_add(1, Ordering::Relaxed);
            }
            user(error, record);
        })
    }

    /// The keeper is to look whether a segment can go.
    pub(super) fn look(&self) {
        self.0.moved.notify_one();
    }

    /// An emit was told that its record is not kept, and did not listen.
    pub(crate) fn lost(&self) {
        self.0.numbers.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn close_timeout(&self) -> Duration {
        self.0.settings.close_timeout
    }

    pub(crate) fn stats(&self) -> Stats {
        let counted = self.0.counted();
        let delivery = self.0.queue.stats();
        let (_, bytes) = self.0.log.left();
        Stats {
            accepted: counted.accepted,
            stored: counted.stored,
            failed: counted.failed,
            queued: counted.accepted.saturating_sub(counted.stored + counted.failed),
            spooled: counted.accepted.saturating_sub(counted.stored + counted.failed),
            spooled_bytes: bytes,
            oldest: self.0.oldest(),
            failures: Failures { closed: counted.lost, ..delivery.failures },
            ..delivery
        }
    }

    pub(super) fn count_into(&self, sum: &mut SpoolStats) {
        let (records, bytes) = self.0.log.left();
        sum.records += records;
        sum.bytes += bytes;
        sum.oldest = sum.oldest.max(self.0.oldest());
        sum.segments += self.0.log.segments().len() as u64;
        sum.dead_letters += self.0.numbers.dead_on_disk.load(Ordering::Relaxed);
        sum.damaged += self.0.numbers.damaged.load(Ordering::Relaxed);
        sum.damaged += self.0.numbers.damaged_letters.load(Ordering::Relaxed);
        sum.stuck |= self.0.unreadable.load(Ordering::Relaxed);
    }
}

/// What became of the records of this process, and of those it found.
pub(super) struct Counted {
    pub(super) accepted: u64,
    pub(super) stored: u64,
    pub(super) failed: u64,
    pub(super) lost: u64,
}

impl Shared {
    pub(super) fn counted(&self) -> Counted {
        let numbers = &self.numbers;
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        // In this order: what is done was accepted before.
        let (dead, damaged, lost) = (get(&numbers.dead), get(&numbers.damaged), get(&numbers.lost));
        let done = *self.done.borrow() - self.start;
        let written = *self.log.tail.borrow() - self.start + get(&numbers.front);
        Counted {
            accepted: written.saturating_sub(damaged) + lost,
            stored: done.saturating_sub(dead + damaged),
            failed: dead.min(done) + lost,
            lost,
        }
    }

    pub(super) fn measured(&self) -> SpoolNumbers {
        let (records, bytes) = self.log.left();
        SpoolNumbers { records, bytes, dead_letters: self.numbers.dead_on_disk.load(Ordering::Relaxed) }
    }

    fn oldest(&self) -> Option<Duration> {
        let at = lock(&self.window).oldest()?;
        let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(u64::try_from(at).ok()?))?;
        Some(at.elapsed().unwrap_or_default())
    }

    /// Told by the queue.
    fn not_stored(&self, error: &Error, record: &Record) {
        self.bury(record, error, true);
        let on_error = Arc::clone(&lock(&self.on_error));
        on_error(error, record);
    }

    fn bury(&self, record: &Record, error: &Error, is_on_disk: bool) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let mut refused = lock(&self.refused);
        // By the clock, so that they rise from one process to the next.
        let number = now.max(self.last_letter.load(Ordering::Relaxed) + 1);
        self.last_letter.store(number, Ordering::Relaxed);
        let refused_at = i64::try_from(now).unwrap_or(i64::MAX);
        refused.push(Letter { number, refused_at, record: record.clone(), error: error.clone(), is_on_disk });
        drop(refused);
        self.moved.notify_one();
    }

    /// All on disk is stored: memory may be used again.
    pub(super) fn emptied(&self) {
        let mut spilling = lock(&self.spilling);
        let is_empty = || *self.done.borrow() >= *self.log.tail.borrow();
        if *spilling && self.pending.load(Ordering::SeqCst) == 0 && is_empty() {
            *spilling = false;
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    pub(super) fn core(&self) -> Option<Arc<Core>> {
        self.core.upgrade()
    }
}

/// A record on its way to the disk.
pub(super) struct Pending(Arc<Shared>);

impl Pending {
    fn new(stream: &Arc<Shared>) -> Self {
        stream.pending.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(stream))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::SeqCst);
    }
}

fn size(record: &Record) -> usize {
    frame::HEAD + record.tuple().len()
}

fn closed() -> Error {
    crate::error::ClosedError::new("the spool").into()
}

pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that runs under these locks leaves anything half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
