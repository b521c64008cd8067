//! The log of one table: its segments, how far it may be read, and how far it is done with. The appender's thread adds to
//! it through a [`Writer`](super::writer::Writer), one feed reads it through a [`Reader`](super::reader::Reader).

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::watch;

use super::{
    cursor::{self, Cursor},
    dead, folder,
    recovery::{self, Recovery},
    segment::{self, FIRST, HEADER, Header, HeaderFault},
};
use crate::{
    error::{SpoolError, SpoolFault},
    table::TableName,
};

/// A segment's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) base: u64,
    /// Bytes of its frames as far as they count against `max_bytes`.
    pub(super) bytes: u64,
}

/// The log of one table.
pub(super) struct Log {
    pub(super) table: TableName,
    pub(super) folder: PathBuf,
    pub(super) segments: Mutex<VecDeque<Segment>>,
    /// The first sequence number that must not be read yet.
    pub(super) tail: watch::Sender<u64>,
    /// Below this everything was there when the log was opened, and may be in the table already.
    pub(super) recovered_below: u64,
    pub(super) cursor: Mutex<Cursor>,
    /// Where the cursor is, for those who must not wait for the disk.
    at: AtomicU64,
    /// A process appends to the last segment: only its writer may say that it can go.
    pub(super) is_written: AtomicBool,
    /// Something was put before all that is there, for the next start: the cursor stays where it is.
    stays: AtomicBool,
}

impl Log {
    /// Opens or makes the log of a table. Lists its segments, removes those that are wholly below the cursor or hold
    /// nothing, and looks through the last one only, to find the tail: so it takes as long for 2 GiB as for 20 MiB.
    /// Never appends to a segment that was there.
    pub(super) fn open(folder: PathBuf, table: TableName) -> Result<(Arc<Self>, Recovery), SpoolError> {
        folder::make(&folder)?;
        let failed = |error| SpoolError::io("opening a log", &folder, error);
        let mut bases = segment::list(&folder).map_err(failed)?;
        for base in &bases {
            refuse_later(&segment::path(&folder, *base), *base)?;
        }
        let (mut cursor, was_unreadable) = Cursor::open(&folder).map_err(failed)?;
        if was_unreadable {
            tracing::error!(table = %table, "the cursor of the spool could not be read: all that is there is sent again");
        }
        let end = recovery::end(&folder, &bases).map_err(failed)?;
        if let Some(last) = bases.last() {
            // Its process may have ended before it did so itself; all others were synced when they were left.
            let last = folder::options().write(true).open(segment::path(&folder, *last));
            if let Err(error) = last.and_then(|last| last.sync_data()) {
                tracing::warn!(table = %table, %error, "what a process before left in the spool could not be synced");
            }
        }
        let begin = bases.first().copied().unwrap_or(FIRST);
        let tail = end.tail.max(cursor.at()).max(begin);
        if cursor.at() == 0 {
            cursor.advance(begin).map_err(failed)?;
        }
        for base in end.empty {
            remove(&segment::path(&folder, base)).map_err(failed)?;
            bases.retain(|other| *other != base);
        }
        let mut segments = VecDeque::new();
        for base in bases {
            let bytes = fs::metadata(segment::path(&folder, base)).map_err(failed)?.len();
            segments.push_back(Segment { base, bytes: bytes.saturating_sub(HEADER as u64) });
        }
        let dead_letters = dead::count(&folder)?;
        let log = Arc::new(Self {
            table,
            folder,
            segments: Mutex::new(segments),
            tail: watch::Sender::new(tail),
            recovered_below: tail,
            cursor: Mutex::new(cursor),
            at: AtomicU64::new(0),
            is_written: AtomicBool::new(false),
            stays: AtomicBool::new(false),
        });
        log.at.store(log.cursor().at(), Ordering::Relaxed);
        // Whoever moved it may not have lived to do so.
        log.remove_below(&mut log.cursor(), Some(tail))?;
        let (records, bytes) = log.left();
        let tables = u64::from(records > 0);
        let (torn_bytes, damage) = (end.torn_bytes, end.damage);
        Ok((log, Recovery { records, bytes, tables, dead_letters, torn_bytes, damage }))
    }

    /// Moves the cursor. Where segments lie wholly below it, puts it on disk, then removes them and syncs the directory.
    /// Answers how many bytes of `max_bytes` are free again. The last segment stays while the writer has it.
    pub(super) fn advance(&self, to: u64) -> Result<u64, SpoolError> {
        let mut cursor = self.cursor();
        if self.stays.load(Ordering::Relaxed) {
            return Ok(0);
        }
        if to > cursor.at() {
            cursor.advance(to).map_err(|error| self.cursor_failed(error))?;
            self.at.store(to, Ordering::Relaxed);
        }
        self.remove_below(&mut cursor, None)
    }

    /// Sets the cursor back to what was put before all that is there, and leaves it there.
    pub(super) fn set_back(&self, to: u64) -> Result<(), SpoolError> {
        let mut cursor = self.cursor();
        self.stays.store(true, Ordering::Relaxed);
        let set = if to < cursor.at() { cursor.advance(to) } else { Ok(()) };
        self.at.store(cursor.at(), Ordering::Relaxed);
        set.and_then(|()| cursor.sync()).map_err(|error| self.cursor_failed(error))
    }

    /// Puts the cursor on disk, at a close; removes what is wholly below it, the last segment included.
    pub(super) fn finish(&self) -> Result<u64, SpoolError> {
        let mut cursor = self.cursor();
        cursor.sync().map_err(|error| self.cursor_failed(error))?;
        let tail = *self.tail.borrow();
        self.remove_below(&mut cursor, Some(tail))
    }

    /// Records between the cursor and the tail (numbers, so that what was damaged counts too), and their bytes on disk.
    pub(super) fn left(&self) -> (u64, u64) {
        let tail = *self.tail.borrow();
        let records = tail.saturating_sub(self.at.load(Ordering::Relaxed));
        (records, self.segments().iter().map(|segment| segment.bytes).sum())
    }

    /// The segment that a number is in, where one begins that low, and the number at which the next one begins.
    pub(super) fn place(&self, sequence: u64) -> (Option<u64>, Option<u64>) {
        let segments = self.segments();
        let next = segments.partition_point(|segment| segment.base <= sequence);
        let at = next.checked_sub(1).and_then(|at| segments.get(at));
        (at.map(|segment| segment.base), segments.get(next).map(|segment| segment.base))
    }

    /// Where the cursor is.
    pub(super) fn at(&self) -> u64 {
        self.at.load(Ordering::Relaxed)
    }

    /// Locked before [`segments`](Self::segments), where both are.
    pub(super) fn cursor(&self) -> MutexGuard<'_, Cursor> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never held over anything that waits for the disk.
    pub(super) fn segments(&self) -> MutexGuard<'_, VecDeque<Segment>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `end`: where the last segment ends, if it may go too.
    fn remove_below(&self, cursor: &mut Cursor, end: Option<u64>) -> Result<u64, SpoolError> {
        let segments: Vec<_> = self.segments().iter().copied().collect();
        let ends = segments.iter().skip(1).map(|next| Some(next.base)).chain([end]);
        // One that begins at the end was made just now, for what may not be read yet.
        let is_below = |base: u64, end: Option<u64>| end.is_some_and(|end| end <= cursor.at() && base < end);
        let below: Vec<_> = segments
            .iter()
            .zip(ends)
            .filter(|(segment, end)| is_below(segment.base, *end))
            .map(|(segment, _)| *segment)
            .collect();
        if below.is_empty() {
            return Ok(0);
        }
        // What is removed before the cursor is on disk would be missing after a power failure, and count as lost.
        cursor.sync().map_err(|error| self.cursor_failed(error))?;
        let mut freed = 0;
        for Segment { base, bytes } in below {
            let path = segment::path(&self.folder, base);
            match remove(&path) {
                Ok(()) => {
                    self.segments().retain(|segment| segment.base != base);
                    freed += bytes;
                }
                // Tried again at the next call.
                Err(error) => tracing::warn!(path = %path.display(), %error, "a segment could not be removed"),
            }
        }
        if let Err(error) = folder::sync(&self.folder) {
            // At worst they are there again after a power failure, below the cursor.
            tracing::warn!(path = %self.folder.display(), %error, "the removal of segments is not on disk yet");
        }
        Ok(freed)
    }

    fn cursor_failed(&self, error: io::Error) -> SpoolError {
        SpoolError::io("moving the cursor", &self.folder.join(cursor::NAME), error)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A damaged header loses nothing: the name says all that is needed. A name that no process gives is refused as well: what
/// comes behind it could not be counted.
fn refuse_later(path: &Path, base: u64) -> Result<(), SpoolError> {
    let failed = |error| SpoolError::io("opening a segment", path, error);
    let mut bytes = Vec::with_capacity(HEADER);
    File::open(path).and_then(|file| file.take(HEADER as u64).read_to_end(&mut bytes)).map_err(failed)?;
    match Header::read(&bytes) {
        Err(HeaderFault::Version(_)) => Err(SpoolError::new(SpoolFault::Format, "opening a segment", path)),
        _ if base > segment::HIGHEST => Err(SpoolError::new(SpoolFault::Format, "opening a segment", path)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod order;
#[cfg(test)]
mod tests;
