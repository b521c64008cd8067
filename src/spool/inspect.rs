//! Looking at a spool from outside, without its lock: nothing is changed, so that the process that uses it may go on. What
//! that writes or removes meanwhile may be seen or not.

use std::{fs, io, path::Path};

use time::OffsetDateTime;

use super::{
    cursor::{self, Cursor},
    dead::{self, DeadLetter},
    folder,
    reader::DAMAGED,
    recovery::{self, Damage},
    scan::{Found, Rest, Scan},
    segment::{self, FIRST, HEADER, HeaderFault},
};
use crate::{
    error::{Error, SpoolError},
    moment::Moment,
    table::TableName,
};

/// How often a log is looked at anew because files of it vanished meanwhile.
const TRIES: u32 = 20;

/// The log of one table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Listing {
    /// The table.
    pub table: TableName,
    /// Records that are not stored yet: numbers between the cursor and the end.
    pub records: u64,
    /// Bytes of the segments.
    pub bytes: u64,
    /// Segments.
    pub segments: u64,
    /// When the oldest record that is not stored was accepted.
    pub oldest: Option<time::OffsetDateTime>,
    /// Dead letters.
    pub dead_letters: u64,
    /// Files of bytes that could not be read, kept aside.
    pub damaged_files: u64,
}

/// What a check of every frame found.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Check {
    /// Frames with their checksum, dead letters included.
    pub frames: u64,
    /// Bytes that were looked at.
    pub bytes: u64,
    /// Bytes cut off at the end of a segment, of frames that were never acknowledged.
    pub torn_bytes: u64,
    /// What is damaged.
    pub damage: Vec<Damage>,
    /// Files that are not of a spool, and cursors that cannot be read, in words.
    pub remarks: Vec<String>,
}

/// Lists the logs of a spool, by table.
///
/// # Errors
/// `Spool` when the directory cannot be read, or is no spool's.
pub fn list(dir: &Path) -> Result<Vec<Listing>, Error> {
    let mut listings = Vec::new();
    for table in folder::tables_of_a_spool(dir)? {
        let folder = dir.join(folder::name(&table));
        let listing = steadily(&folder, || listing(&table, &folder))?;
        listings.push(listing);
    }
    Ok(listings)
}

fn listing(table: &TableName, folder: &Path) -> io::Result<Listing> {
    // Before the segments: it only grows, so that none is missing above it.
    let cursor = said_by_cursor(folder).unwrap_or(0);
    let bases = segment::list(folder)?;
    let cursor = cursor.max(bases.first().copied().unwrap_or(cursor));
    let mut bytes = 0;
    for base in &bases {
        bytes += fs::metadata(segment::path(folder, *base))?.len();
    }
    let tail = recovery::end(folder, &bases)?.tail;
    Ok(Listing {
        table: table.clone(),
        records: tail.saturating_sub(cursor),
        bytes,
        segments: bases.len() as u64,
        oldest: oldest(folder, &bases, cursor)?,
        dead_letters: dead::count(folder).map_err(io::Error::other)?,
        damaged_files: files_in(&folder.join(DAMAGED))?,
    })
}

fn said_by_cursor(folder: &Path) -> Option<u64> {
    Cursor::read(folder).ok().flatten()
}

/// When the first record from this number on was accepted.
fn oldest(folder: &Path, bases: &[u64], from: u64) -> io::Result<Option<OffsetDateTime>> {
    for (at, base) in bases.iter().enumerate() {
        let below = bases.get(at + 1).copied().unwrap_or(u64::MAX);
        if below <= from {
            continue;
        }
        let mut scan = Scan::open(&segment::path(folder, *base), *base)?;
        loop {
            match scan.step(below)? {
                Found::Frame(place) if place.sequence >= from => {
                    return Ok(Moment::of_unix(place.accepted_at).ok().map(Moment::to_utc));
                }
                Found::Frame(_) | Found::Damage { .. } => {}
                Found::End { .. } => break,
            }
        }
    }
    Ok(None)
}

fn files_in(folder: &Path) -> io::Result<u64> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.count() as u64),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Looks anew where a file vanished meanwhile.
fn steadily<T>(path: &Path, mut look: impl FnMut() -> io::Result<T>) -> Result<T, SpoolError> {
    let mut tries = 0;
    loop {
        match look() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => tries += 1,
            looked => return looked.map_err(|error| SpoolError::io("looking at a spool", path, error)),
        }
    }
}

/// Reads every frame of every segment and dead letter, and checks it.
///
/// # Errors
/// As for [`list`].
pub fn check(dir: &Path) -> Result<Check, Error> {
    let mut check = Check::default();
    for table in folder::tables_of_a_spool(dir)? {
        let folder = dir.join(folder::name(&table));
        let log = steadily(&folder, || {
            let mut log = Check::default();
            log.log(&folder)?;
            Ok(log)
        })?;
        check.add(log);
    }
    remark_others(dir, &mut check.remarks).map_err(|error| SpoolError::io("looking at a spool", dir, error))?;
    Ok(check)
}

impl Check {
    fn add(&mut self, other: Self) {
        let Self { frames, bytes, torn_bytes, damage, remarks } = other;
        self.frames += frames;
        self.bytes += bytes;
        self.torn_bytes += torn_bytes;
        self.damage.extend(damage);
        self.remarks.extend(remarks);
    }

    fn log(&mut self, folder: &Path) -> io::Result<()> {
        let cursor = match Cursor::read(folder) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.remarks
                    .push(format!("{}: cannot be read: all is sent again", folder.join(cursor::NAME).display()));
                None
            }
            read => read?,
        };
        let bases = segment::list(folder)?;
        for (at, base) in bases.iter().enumerate() {
            let below = bases.get(at + 1).copied().unwrap_or(u64::MAX);
            let path = segment::path(folder, *base);
            self.segment(&path, *base, below, cursor.unwrap_or(0))?;
        }
        for path in dead::files(folder).map_err(io::Error::other)? {
            let base = path.file_name().and_then(|name| segment::base(name.to_str()?)).unwrap_or_default();
            self.segment(&path, base, u64::MAX, 0)?;
        }
        Ok(())
    }

    fn segment(&mut self, path: &Path, base: u64, below: u64, cursor: u64) -> io::Result<()> {
        let mut scan = Scan::open(path, base)?;
        self.bytes += scan.len()?;
        let shown = path.display();
        match scan.header {
            Ok(header) if header.base == base => {}
            Ok(_) => self.remarks.push(format!("{shown}: its header is that of another; its name counts")),
            // What was cut off this early holds nothing.
            Err(HeaderFault::Damaged) if scan.len()? <= HEADER as u64 => {}
            Err(HeaderFault::Damaged) => self.remarks.push(format!("{shown}: its header is damaged; its name counts")),
            Err(HeaderFault::Version(version)) => {
                self.remarks.push(format!("{shown}: is of version {version}, and was not looked at"));
                return Ok(());
            }
        }
        let is_log = |next: u64, first: u64| below != u64::MAX && next > first;
        let mut next = base;
        loop {
            let (offset, bytes, found) = match scan.step(below)? {
                Found::Frame(place) => {
                    self.frames += 1;
                    next = next.max(place.sequence + 1);
                    continue;
                }
                Found::Damage { offset, bytes, next } => (offset, bytes, next),
                Found::End { offset, rest: Rest::Damaged { bytes, frames } } => {
                    let end = if below == u64::MAX { next.saturating_add(frames) } else { below };
                    self.damaged(path, offset, bytes, next, end);
                    return Ok(());
                }
                Found::End { offset, rest } => {
                    if let Rest::Torn(bytes) = rest {
                        self.torn_bytes += bytes;
                    }
                    // Numbers that are in no segment: stored, or lost.
                    let first = next.max(cursor);
                    if is_log(below, first) && (next >= FIRST || below < FIRST) {
                        self.damaged(path, offset, 0, first, below);
                    }
                    return Ok(());
                }
            };
            self.damaged(path, offset, bytes, next, found);
            next = next.max(found);
        }
    }

    fn damaged(&mut self, path: &Path, offset: u64, bytes: u64, first: u64, next: u64) {
        self.damage.push(Damage { path: path.to_owned(), offset, bytes, first, next: next.max(first) });
    }
}

fn remark_others(dir: &Path, remarks: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        // What the root of a volume has.
        let is_volume = |name: &str| name == "lost+found";
        let is_known =
            name.to_str().is_some_and(|name| is_volume(name) || folder::is_file(name) || folder::table(name).is_some());
        if !is_known {
            remarks.push(format!("{}: is not of a spool", entry.path().display()));
        }
    }
    Ok(())
}

/// The dead letters of a table, or of all, oldest first.
///
/// # Errors
/// As for [`list`]; what `each` answers.
pub fn dead_letters(
    dir: &Path,
    table: Option<&TableName>,
    each: &mut dyn FnMut(&TableName, DeadLetter) -> Result<(), Error>,
) -> Result<(), Error> {
    for known in folder::tables_of_a_spool(dir)? {
        if table.is_some_and(|table| *table != known) {
            continue;
        }
        let files = dead::files(&dir.join(folder::name(&known)))?;
        dead::read(&files, &mut |letter| each(&known, letter))?;
    }
    Ok(())
}
