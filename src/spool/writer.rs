//! Adding to a log: the one place that writes frames. Used by the appender's thread only.
//!
//! What is not synced is kept in memory, so that it can be written anew into another segment; but for [`Sync::Os`], which
//! promises nothing of it. A segment is on disk with its header and its first frames before it has its name: so the next one,
//! which begins with the first number that was not synced, never has the same.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::SystemTime,
};

use super::{
    folder,
    frame::{Frame, HEAD, Kind},
    log::{Log, Segment},
    segment::{self, HEADER, Header},
};
use crate::{
    config::{SpoolSettings, Sync},
    error::SpoolError,
    record::Record,
};

/// A segment that is being made.
const BEGUN: &str = "new";
const DOING: &str = "writing a segment";
/// The buffer is given back when a larger group than this has passed.
const MOST_ROOM_KEPT: usize = 16 << 20;

/// Why records were not written.
pub(super) struct Failure {
    pub(super) error: SpoolError,
    /// The next start may find them all the same.
    pub(super) findable: bool,
}

/// Writes to the end of a log.
pub(super) struct Writer {
    pub(super) log: Arc<Log>,
    segment_bytes: u64,
    /// What is not synced is kept in `frames`.
    keeps: bool,
    open: Option<Open>,
    /// The frames that may have to be written anew, one after the other from `first` on.
    frames: Vec<u8>,
    first: u64,
    /// The number of the next frame.
    next: u64,
    /// Bytes of `frames` that may be read already.
    published: usize,
    /// Bytes that were written and are not published yet.
    unpublished: u64,
    /// Something was written since the last `fsync`.
    dirty: bool,
    /// Frames that do not count may be on disk where the next start would find them, until there is another segment.
    exposed: bool,
}

/// The segment that is written to.
struct Open {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Writer {
    pub(super) fn new(log: Arc<Log>, settings: &SpoolSettings) -> Self {
        let next = *log.tail.borrow();
        Self {
            log,
            segment_bytes: settings.segment_bytes,
            keeps: settings.sync != Sync::Os,
            open: None,
            frames: Vec::new(),
            first: next,
            next,
            published: 0,
            unpublished: 0,
            dirty: false,
            exposed: false,
        }
    }

    /// Writes as many of these as the segment has room for, at least one, behind all others, beginning a new segment where
    /// the last one is full or was given up. They must not be read before [`publish`](Self::publish). Answers how many.
    ///
    /// # Errors
    /// Nothing of them counts. Where the disk had no room, the segment was cut to what it was; where that failed, or for
    /// any other reason, it is given up: the next frames go to another.
    pub(super) fn write<'r>(&mut self, records: impl IntoIterator<Item = &'r Record>) -> Result<usize, Failure> {
        let mut records = records.into_iter().peekable();
        let Some(first) = records.peek() else { return Ok(0) };
        self.leave_if_full(size(first))?;
        let begin = self.frames.len();
        let room = match &self.open {
            Some(open) => self.segment_bytes.saturating_sub(open.length),
            None => self.segment_bytes.saturating_sub((HEADER + begin) as u64),
        };
        let (accepted_at, mut count) = (now(), 0);
        while let Some(record) = records.next_if(|record| {
            let bytes = (self.frames.len() - begin) as u64 + size(record);
            count == 0 || bytes <= room
        }) {
            framed(record, self.next, accepted_at).write(&mut self.frames);
            self.next += 1;
            count += 1;
        }
        match self.put(begin) {
            Ok(()) => Ok(count),
            Err(error) => Err(self.roll_back(error)),
        }
    }

    /// `fsync`. After an error the segment is given up, and what was written since the last one is written anew into
    /// another and synced there; only if that fails too, this does, and what was not published does not count.
    pub(super) fn sync(&mut self) -> Result<(), Failure> {
        if !self.dirty {
            return Ok(());
        }
        let Some(open) = &self.open else {
            if self.frames.is_empty() {
                self.dirty = false;
                return Ok(());
            }
            return self.begin().map_err(|error| self.roll_back(error));
        };
        // The size is flushed too, which reading needs; of what `sync_all` adds, times, nothing does.
        match open.file.sync_data() {
            Ok(()) => {
                self.synced();
                Ok(())
            }
            Err(error) => {
                let error = self.give_up(error);
                if !self.keeps {
                    self.dirty = false;
                    return Err(Failure { error, findable: true });
                }
                self.begin().map_err(|error| self.roll_back(error))
            }
        }
    }

    /// What was written may be read.
    pub(super) fn publish(&mut self) {
        let unpublished = std::mem::take(&mut self.unpublished);
        if let Some(segment) = self.log.segments().back_mut() {
            segment.bytes += unpublished;
        }
        self.published = self.frames.len();
        self.log.tail.send_replace(self.next);
    }

    /// Writes these before all others, as a segment of their own, synced, and sets the cursor back to them: what lies
    /// between is sent again at the next start, so that the log must not be advanced after this. Answers how many bytes of
    /// `max_bytes` are free again.
    pub(super) fn write_front<'r>(
        &mut self,
        records: impl ExactSizeIterator<Item = &'r Record>,
    ) -> Result<u64, Failure> {
        self.sync()?;
        // Where all is stored, nothing has to be sent again.
        let freed = self.let_go().map_err(|error| Failure { error, findable: false })?;
        let lowest = self.log.segments().front().map_or(self.next, |segment| segment.base);
        let base = lowest.saturating_sub(records.len() as u64);
        let (mut frames, accepted_at) = (Vec::new(), now());
        for (sequence, record) in (base..).zip(records) {
            framed(record, sequence, accepted_at).write(&mut frames);
        }
        let made = self.make(base, &frames);
        made.map_err(|error| Failure { error, findable: self.exposed })?;
        if let Err(error) = self.log.set_back(base) {
            return Err(Failure { error, findable: true });
        }
        self.log.segments().push_front(Segment { base, bytes: frames.len() as u64 });
        Ok(freed)
    }

    /// Removes the last segment too, where all that was written is done with; the next frame begins another. Answers how
    /// many bytes of `max_bytes` are free again.
    pub(super) fn let_go(&mut self) -> Result<u64, SpoolError> {
        let tail = *self.log.tail.borrow();
        if self.next != tail || self.log.left().0 > 0 || self.log.segments().is_empty() {
            return Ok(0);
        }
        self.open = None;
        self.synced();
        self.log.finish()
    }

    /// Bytes that are kept because they are not synced.
    pub(super) fn unsynced(&self) -> usize {
        self.frames.len()
    }

    /// Whether an `fsync` is due.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
    }
}

impl Writer {
    /// Ends the segment where the next frame has no room in it, synced as all but the last are.
    fn leave_if_full(&mut self, next_frame: u64) -> Result<(), Failure> {
        if self.open.as_ref().is_none_or(|open| open.length + next_frame <= self.segment_bytes) {
            return Ok(());
        }
        match self.sync() {
            Err(failure) if self.keeps => return Err(failure),
            // It is told of already.
            Ok(()) | Err(_) => self.open = None,
        }
        Ok(())
    }

    /// Puts the frames from `begin` on into the file.
    fn put(&mut self, begin: usize) -> Result<(), SpoolError> {
        let Some(open) = &mut self.open else { return self.begin() };
        let frames = &self.frames[begin..];
        let Err(error) = open.file.write_all(frames) else {
            open.length += frames.len() as u64;
            self.unpublished += frames.len() as u64;
            self.dirty = true;
            if !self.keeps {
                self.forget_frames();
            }
            return Ok(());
        };
        if is_full(&error) {
            return Err(match open.cut() {
                Ok(()) => SpoolError::io(DOING, &open.path, error),
                Err(_) => self.give_up(error),
            });
        }
        self.give_up(error);
        self.begin()
    }

    /// Begins a segment with all frames that are kept: synced afterwards.
    fn begin(&mut self) -> Result<(), SpoolError> {
        let frames = std::mem::take(&mut self.frames);
        let made = self.make(self.first, &frames);
        self.frames = frames;
        let (path, file) = made?;
        let moved = self.published as u64;
        let mut segments = self.log.segments();
        if let Some(last) = segments.back_mut() {
            last.bytes = last.bytes.saturating_sub(moved);
        }
        self.log.is_written.store(true, Ordering::Relaxed);
        segments.push_back(Segment { base: self.first, bytes: moved });
        drop(segments);
        self.unpublished = (self.frames.len() - self.published) as u64;
        self.open = Some(Open { path, file, length: (HEADER + self.frames.len()) as u64 });
        self.exposed = false;
        self.synced();
        Ok(())
    }

    /// Makes a segment with these frames, wholly on disk; or none. Under its name it is there only as a whole: else a part
    /// of it, which the end of the process leaves, would hide what the segment before has of these numbers.
    fn make(&mut self, base: u64, frames: &[u8]) -> Result<(PathBuf, File), SpoolError> {
        let path = segment::path(&self.log.folder, base);
        let begun = self.log.folder.join(BEGUN);
        let header = Header { base, made_at: now() }.write();
        let filled = || {
            let mut file = create(&begun)?;
            file.write_all(&header)?;
            file.write_all(frames)?;
            file.sync_data()?;
            fs::rename(&begun, &path)?;
            Ok(file)
        };
        let failed = |error| SpoolError::io("making a segment", &path, error);
        let file = filled().map_err(|error| {
            // It would take room; where it stays, the next one takes its place.
            let _ = fs::remove_file(&begun);
            failed(error)
        })?;
        if let Err(error) = folder::sync(&self.log.folder) {
            let gone = fs::remove_file(&path).and_then(|()| folder::sync(&self.log.folder));
            self.exposed |= gone.is_err();
            return Err(failed(error));
        }
        Ok((path, file))
    }

    /// Never touches the segment again: what became of it is not known.
    fn give_up(&mut self, error: io::Error) -> SpoolError {
        self.exposed |= self.frames.len() > self.published;
        let Some(open) = self.open.take() else { return SpoolError::io(DOING, &self.log.folder, error) };
        tracing::error!(%error, segment = %open.path.display(), "a segment of the spool failed and is given up");
        SpoolError::io(DOING, &open.path, error)
    }

    fn synced(&mut self) {
        self.dirty = false;
        self.forget_frames();
    }

    fn forget_frames(&mut self) {
        self.frames.clear();
        self.frames.shrink_to(MOST_ROOM_KEPT);
        self.first = self.next;
        self.published = 0;
    }

    /// To what was published.
    fn roll_back(&mut self, error: SpoolError) -> Failure {
        self.frames.truncate(self.published);
        self.next = *self.log.tail.borrow();
        self.unpublished = 0;
        Failure { error, findable: self.exposed }
    }
}

impl Open {
    /// To what it was before the last write, on disk too: what was cut off must not come back.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.sync_data()
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn framed(record: &Record, sequence: u64, accepted_at: i64) -> Frame<'_> {
    Frame { sequence, accepted_at, kind: Kind::Record, again: record.own_id(), payload: record.tuple() }
}

/// Bytes of a record on disk.
pub(super) fn size(record: &Record) -> u64 {
    (HEAD + record.tuple().len()) as u64
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Microseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
