//! Logs for tests, written without the writer.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use uuid::Uuid;

use super::{
    frame::{Frame, Kind},
    log::{Log, Segment},
    reader::{Reader, Stored},
    recovery::Recovery,
    segment::{self, FIRST, HEADER, Header},
};
use crate::{table::TableName, tuple::Tuple};

#[path = "../../tests/support/needs.rs"]
#[expect(unreachable_pub, reason = "made for all tests")]
pub(super) mod needs;

/// A directory that is removed at the end.
pub(super) struct Dir(pub(super) PathBuf);

impl Dir {
    pub(super) fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// In memory where the system has such a place: for what is tried by the thousand and is not about `fsync`.
    pub(super) fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Self::below(memory) } else { Self::new() }
    }

    fn below(place: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tracevault-spool-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = place.join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(super) fn open(&self) -> (Arc<Log>, Recovery) {
        Log::open(self.0.clone(), TableName::new("audit_logs").unwrap()).unwrap()
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::new(self.open().0)
    }

    /// Writes a segment that begins with the first of these numbers after the first there may be.
    pub(super) fn segment(&self, numbers: std::ops::Range<u64>) -> PathBuf {
        self.write(FIRST + numbers.start, &frames(numbers))
    }

    pub(super) fn write(&self, base: u64, frames: &[u8]) -> PathBuf {
        let path = segment::path(&self.0, base);
        let header = Header { base, made_at: 1 };
        fs::write(&path, [&header.write()[..], frames].concat()).unwrap();
        path
    }

    pub(super) fn bases(&self) -> Vec<u64> {
        segment::list(&self.0).unwrap().into_iter().map(|base| base - FIRST).collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A row that is told by its number.
pub(super) fn row(number: u64) -> Vec<u8> {
    let mut tuple = Tuple::new();
    tuple.bytes(Uuid::from_u128(number.into()).as_bytes());
    tuple.text("user.login");
    for _ in 2..8 {
        tuple.optional(None);
    }
    tuple.text("async");
    tuple.bytes(&0_i64.to_be_bytes());
    tuple.text(&"x".repeat(usize::try_from(number % 7).unwrap()));
    tuple.optional(None);
    tuple.optional(Some("test"));
    tuple.as_bytes().to_vec()
}

pub(super) fn frame(number: u64, out: &mut Vec<u8>) {
    let (sequence, accepted_at) = (FIRST + number, i64::try_from(number).unwrap());
    Frame { sequence, accepted_at, kind: Kind::Record, again: false, payload: &row(number) }.write(out);
}

pub(super) fn frames(numbers: std::ops::Range<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    numbers.for_each(|number| frame(number, &mut out));
    out
}

/// Where the frame of a number begins in a segment from [`Dir::segment`].
pub(super) fn offset(base: u64, number: u64) -> usize {
    HEADER + frames(base..number).len()
}

/// Adds a segment as the writer does, and lets it be read.
pub(super) fn publish(log: &Log, dir: &Dir, numbers: std::ops::Range<u64>) {
    let end = FIRST + numbers.end;
    let base = FIRST + numbers.start;
    let bytes = fs::metadata(dir.segment(numbers)).unwrap().len() - HEADER as u64;
    log.segments().push_back(Segment { base, bytes });
    log.tail.send_replace(end);
}

/// All that there is, by number; each is checked to be whole.
pub(super) fn drain(reader: &mut Reader) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        let read = reader.read(7, usize::MAX).unwrap();
        if read.is_empty() {
            return all;
        }
        for Stored { sequence, accepted_at, record } in read {
            let number = sequence - FIRST;
            assert_eq!(record.tuple(), row(number));
            assert_eq!(accepted_at, i64::try_from(number).unwrap());
            all.push(number);
        }
    }
}

pub(super) fn damaged_files(log: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(log.join(super::reader::DAMAGED)) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

pub(super) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
