//! Reading a log in order, in constant memory, past what is damaged.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    folder,
    frame::{self, Kind},
    log::Log,
    recovery::Damage,
    scan::{Found, Place, Rest, Scan},
    segment::{self, FIRST, HeaderFault},
};
use crate::{
    error::{SpoolError, SpoolFault},
    record::Record,
};

/// The most that is kept aside of one damage.
const KEPT: u64 = 64 << 20;
/// The folder where that is.
pub(super) const DAMAGED: &str = "damaged";

/// A record that was read.
pub(super) struct Stored {
    pub(super) sequence: u64,
    /// Microseconds since 1970.
    pub(super) accepted_at: i64,
    pub(super) record: Record,
}

/// Reads on from where it stopped.
pub(super) struct Reader {
    log: Arc<Log>,
    /// The next sequence number that is wanted.
    next: u64,
    scan: Option<Scan>,
    /// What was told of last, which at the live end may be come across again.
    told: Option<(PathBuf, u64)>,
    damaged: u64,
}

impl Reader {
    /// From the cursor on.
    pub(super) fn new(log: Arc<Log>) -> Self {
        let next = log.cursor().at();
        Self { log, next, scan: None, told: None, damaged: 0 }
    }

    /// The next records, in order, up to the log's tail: at most so many, and no more once they exceed so many bytes
    /// (one is always read). Empty: nothing is there yet. What is damaged is logged by `tracing::error!` with its segment,
    /// offset and the numbers that are missing, counted in `damaged`, copied to `damaged/`, and passed over. Blocks.
    ///
    /// # Errors
    /// The disk's; it can be called again.
    pub(super) fn read(&mut self, records: usize, bytes: usize) -> Result<Vec<Stored>, SpoolError> {
        let tail = *self.log.tail.borrow();
        let (mut read, mut size) = (Vec::new(), 0);
        while self.next < tail && read.len() < records && size < bytes {
            let (base, end) = self.log.place(self.next);
            let below = end.map_or(tail, |end| end.min(tail));
            match self.step(base, below) {
                Ok(Some(stored)) => {
                    size += stored.record.weight();
                    read.push(stored);
                }
                Ok(None) => {}
                Err(error) if read.is_empty() => return Err(error),
                // What was read must not be lost with it; it comes again with the next call.
                Err(_) => break,
            }
        }
        Ok(read)
    }

    /// One frame further in the segment of this base. After an error the segment is looked through from its begin.
    fn step(&mut self, base: Option<u64>, below: u64) -> Result<Option<Stored>, SpoolError> {
        let Some(mut scan) = self.scan_of(base)? else {
            self.missing(base, below);
            return Ok(None);
        };
        let stepped = scan.step(below);
        let found = stepped.map_err(|error| SpoolError::io("reading a segment", &scan.path, error))?;
        let stored = self.take(&scan, found, below);
        self.scan = Some(scan);
        Ok(stored)
    }

    /// All below it was read, or is lost.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Numbers that could not be read since the last call.
    pub(super) fn take_damaged(&mut self) -> u64 {
        std::mem::take(&mut self.damaged)
    }

    /// The segment of this base, where it stands in it; `None`: there is none.
    fn scan_of(&mut self, base: Option<u64>) -> Result<Option<Scan>, SpoolError> {
        let Some(base) = base else { return Ok(None) };
        if let Some(scan) = self.scan.take_if(|scan| scan.base == base) {
            return Ok(Some(scan));
        }
        let path = segment::path(&self.log.folder, base);
        match Scan::open(&path, base) {
            Ok(scan) if matches!(scan.header, Err(HeaderFault::Version(_))) => {
                Err(SpoolError::new(SpoolFault::Format, "reading a segment", &path))
            }
            Ok(scan) => Ok(Some(scan)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SpoolError::io("reading a segment", &path, error)),
        }
    }

    fn take(&mut self, scan: &Scan, found: Found, below: u64) -> Option<Stored> {
        let (offset, bytes, next) = match found {
            Found::Frame(place) => return self.frame(scan, &place),
            Found::Damage { offset, bytes, next } => (offset, bytes, next),
            Found::End { offset, rest } => {
                let bytes = match rest {
                    Rest::Torn(bytes) | Rest::Damaged { bytes, .. } => bytes,
                    Rest::Nothing | Rest::Beyond => 0,
                };
                // What a close left before all else ends somewhere before the first number.
                if self.next < FIRST && below >= FIRST && !matches!(rest, Rest::Damaged { .. }) {
                    self.next = below;
                    return None;
                }
                (offset, bytes, below)
            }
        };
        self.lose(scan, offset, bytes, next);
        None
    }

    fn frame(&mut self, scan: &Scan, place: &Place) -> Option<Stored> {
        let Place { offset, sequence, accepted_at, kind, again, ref payload } = *place;
        if sequence < self.next {
            return None;
        }
        if sequence > self.next {
            self.lose(scan, offset, 0, sequence);
        }
        let row = scan.payload(payload.clone());
        let again = again || sequence < self.log.recovered_below;
        let record = if kind == Kind::Record { frame::record(row.to_vec(), again) } else { None };
        let Some(record) = record else {
            self.lose(scan, offset, (frame::HEAD + row.len()) as u64, sequence + 1);
            return None;
        };
        self.next = sequence + 1;
        Some(Stored { sequence, accepted_at, record })
    }

    /// These bytes could not be read, and with them the numbers up to this one.
    fn lose(&mut self, scan: &Scan, offset: u64, bytes: u64, next: u64) {
        let place = (scan.path.clone(), offset);
        let is_new = self.told.as_ref() != Some(&place);
        // Damage of what was done with before is no loss.
        if next <= self.next {
            return;
        }
        let damage = Damage { path: scan.path.clone(), offset, bytes, first: self.next, next };
        self.tell(&damage);
        if is_new && bytes > 0 {
            self.told = Some(place);
            if let Err(error) = keep_aside(&self.log.folder, scan, &damage) {
                tracing::error!(path = %damage.path.display(), offset, %error, "its bytes could not be kept aside");
            }
        }
        self.next = next;
    }

    /// There is no file that these numbers could be in.
    fn missing(&mut self, base: Option<u64>, below: u64) {
        let path = base.map_or_else(|| self.log.folder.clone(), |base| segment::path(&self.log.folder, base));
        if self.next >= FIRST || below < FIRST {
            self.tell(&Damage { path, offset: 0, bytes: 0, first: self.next, next: below });
        }
        self.next = below;
    }

    fn tell(&mut self, damage: &Damage) {
        let Damage { path, offset, bytes, first, next } = damage;
        self.damaged += next - first;
        tracing::error!(
            table = %self.log.table, path = %path.display(), offset, bytes, first, next,
            "records of the spool could not be read, and are lost"
        );
    }
}

/// Copies what is damaged to where it stays.
fn keep_aside(log: &Path, scan: &Scan, damage: &Damage) -> io::Result<()> {
    let folder = log.join(DAMAGED);
    folder::make(&folder).map_err(io::Error::other)?;
    let path = folder.join(format!("{:020}-{}", scan.base, damage.offset));
    let mut file = match folder::options().write(true).create_new(true).open(&path) {
        // A process before did so.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        opened => opened?,
    };
    let copied = scan.raw(damage.offset, damage.bytes.min(KEPT)).and_then(|mut raw| io::copy(&mut raw, &mut file));
    let kept = copied.and_then(|_| file.sync_all()).and_then(|()| folder::sync(&folder));
    if kept.is_err() {
        // Half of it would pass for the whole.
        let _ = fs::remove_file(&path);
    }
    kept
}

/// Moves a file of dead letters in which something is damaged to where it stays. Answers where that is.
pub(super) fn keep_file(log: &Path, file: &Path) -> Result<PathBuf, SpoolError> {
    let folder = log.join(DAMAGED);
    folder::make(&folder)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let path = folder.join(format!("dead-{name}"));
    let moved = fs::rename(file, &path).and_then(|()| folder::sync(&folder));
    moved.map_err(|error| SpoolError::io("keeping dead letters aside", file, error))?;
    Ok(path)
}

#[cfg(test)]
mod tests;
