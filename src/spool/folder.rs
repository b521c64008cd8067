//! The directory of a spool: whose it is, who may read it, and the reserve for a full disk.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{
    error::{SpoolError, SpoolFault},
    table::TableName,
};

/// Given up when the disk is full, so that dead letters, cursors and what a close leaves in memory can be written.
pub(super) const RESERVE: u64 = 1 << 20;
const LOCK: &str = "lock";
const RESERVE_NAME: &str = "reserve";

/// The directory, held by this process.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// The reserve was given up.
    released: AtomicBool,
    /// Locked until it is dropped.
    _lock: File,
}

impl Folder {
    /// Makes it where it is not there (0700, and its parents), and takes the lock. The reserve is not made yet.
    pub(super) fn open(path: &Path) -> Result<Self, SpoolError> {
        make(path)?;
        let lock = path.join(LOCK);
        let file = options().write(true).create(true).truncate(false).open(&lock);
        let file = file.map_err(|error| SpoolError::io("opening the lock", &lock, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), released: AtomicBool::new(false), _lock: file }),
            Err(TryLockError::WouldBlock) => Err(SpoolError::new(SpoolFault::Locked, "opening the spool", path)),
            Err(TryLockError::Error(error)) => Err(SpoolError::io("taking the lock", &lock, error)),
        }
    }

    /// Makes the reserve, where it is not there and the disk has room for it; written, not sparse. `false`: no room.
    pub(super) fn restore_reserve(&self) -> bool {
        let path = self.path.join(RESERVE_NAME);
        if fs::metadata(&path).is_ok_and(|there| there.len() >= RESERVE) {
            return true;
        }
        let written = || {
            let mut file = options().write(true).create(true).truncate(true).open(&path)?;
            for _ in 0..RESERVE / ZEROS.len() as u64 {
                file.write_all(&ZEROS)?;
            }
            file.sync_all()
        };
        let made = written().is_ok();
        if !made {
            let _ = fs::remove_file(path);
        }
        made
    }

    /// Gives the reserve up. `false`: it was not there.
    pub(super) fn release_reserve(&self) -> bool {
        let there = fs::remove_file(self.path.join(RESERVE_NAME)).is_ok();
        self.released.fetch_or(there, Ordering::Relaxed);
        there
    }

    /// Whether it was given up since this was asked.
    pub(super) fn was_released(&self) -> bool {
        self.released.swap(false, Ordering::Relaxed)
    }

    /// The tables that have a log here, sorted; folders of other names are left alone.
    pub(super) fn tables(&self) -> Result<Vec<TableName>, SpoolError> {
        tables(&self.path)
    }

    /// The folder of a table's log.
    pub(super) fn of(&self, table: &TableName) -> PathBuf {
        self.path.join(name(table))
    }
}

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// The tables that have a log in this directory, sorted by the names of their folders.
pub(super) fn tables(path: &Path) -> Result<Vec<TableName>, SpoolError> {
    let failed = |error| SpoolError::io("listing the spool", path, error);
    let mut tables = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Some(table) = entry.file_name().to_str().and_then(table)
            && entry.path().is_dir()
        {
            tables.push(table);
        }
    }
    tables.sort_by_cached_key(name);
    Ok(tables)
}

/// The same for those who only look: a directory without a lock is no spool's.
pub(super) fn tables_of_a_spool(path: &Path) -> Result<Vec<TableName>, SpoolError> {
    const DOING: &str = "looking for a spool";
    match fs::metadata(path.join(LOCK)) {
        Ok(_) => tables(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_dir() => {
            Err(SpoolError::new(SpoolFault::Format, DOING, path))
        }
        Err(error) => Err(SpoolError::io(DOING, path, error)),
    }
}

/// `schema.table`, an upper-case letter as `-` and the lower one: file systems that know no case must not mix two up. A
/// name that is a file of the spool has a `-` behind it.
pub(super) fn name(table: &TableName) -> String {
    let mut name = String::new();
    let whole = table.schema().into_iter().flat_map(|schema| [schema, "."]).chain([table.name()]);
    for letter in whole.flat_map(str::chars) {
        if letter.is_ascii_uppercase() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    if is_file(&name) {
        name.push('-');
    }
    name
}

/// What [`name`] was made of.
pub(super) fn table(folder: &str) -> Option<TableName> {
    let bare = folder.strip_suffix('-').filter(|bare| is_file(bare)).unwrap_or(folder);
    let mut whole = String::new();
    let mut letters = bare.chars();
    while let Some(letter) = letters.next() {
        whole.push(if letter == '-' { letters.next()?.to_ascii_uppercase() } else { letter });
    }
    let table = match whole.split_once('.') {
        Some((schema, name)) => TableName::new(name).and_then(|table| table.in_schema(schema)),
        None => TableName::new(&whole),
    };
    table.ok().filter(|table| name(table) == folder)
}

/// Whether a file of the spool has this name.
pub(super) fn is_file(name: &str) -> bool {
    [LOCK, RESERVE_NAME].contains(&name)
}

/// Makes a folder, 0700, if it is not there; its entry in the parent is on disk afterwards.
pub(super) fn make(path: &Path) -> Result<(), SpoolError> {
    let failed = |error| SpoolError::io("making a directory", path, error);
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if !path.is_dir() {
        if !parent.is_dir() {
            make(parent)?;
        }
        match builder().create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            made => made.map_err(failed)?,
        }
    }
    // Where the parent may not be read, it was there before.
    match sync(parent) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(failed(error)),
        _ => Ok(()),
    }
}

/// For a file of the spool: readable by its owner only.
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn builder() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "no modes"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// `fsync` of a directory: what was made, renamed or removed in it is on disk afterwards.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{
        super::sample::{Dir, mode},
        *,
    };

    #[test]
    fn one_process_at_a_time() {
        let dir = Dir::new();
        let path = dir.0.join("a/b");
        let held = Folder::open(&path).unwrap();
        let refused = Folder::open(&path).map(drop).unwrap_err();
        assert_eq!(refused.fault(), SpoolFault::Locked);
        assert!(refused.to_string().contains("another process uses the spool"), "{refused}");
        assert_eq!((mode(&path), mode(&dir.0.join("a")), mode(&path.join(LOCK))), (0o700, 0o700, 0o600));
        drop(held);
        Folder::open(&path).unwrap();
    }

    #[test]
    fn the_reserve_is_made_and_given_up() {
        let dir = Dir::new();
        let folder = Folder::open(&dir.0).unwrap();
        assert!(!folder.release_reserve());
        assert!(folder.restore_reserve() && folder.restore_reserve());
        assert_eq!(fs::metadata(dir.0.join(RESERVE_NAME)).unwrap().len(), RESERVE);
        assert!(folder.release_reserve());
    }

    #[test]
    fn a_folder_tells_its_table() {
        for (schema, bare, folder) in [
            (None, "audit_logs", "audit_logs"),
            (None, "AuditLogs", "-audit-logs"),
            (Some("Compliance"), "logsX", "-compliance.logs-x"),
            (None, "lock", "lock-"),
            (None, "reserve", "reserve-"),
            (None, "Lock", "-lock"),
        ] {
            let plain = TableName::new(bare).unwrap();
            let known = schema.map_or(plain.clone(), |schema| plain.in_schema(schema).unwrap());
            assert_eq!((name(&known).as_str(), table(folder)), (folder, Some(known)));
        }
        for other in ["", "lock", "reserve", "Audit", "a-", "a--b", "-1", "a.b.c", "a b", ".", "other-"] {
            assert_eq!(table(other), None, "{other}");
        }
    }
}
