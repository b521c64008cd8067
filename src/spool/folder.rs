//! The directory of a spool: whose it is, who may read it, and the reserve for a full disk.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use crate::{error::SpoolError, table::TableName};

/// Given up when the disk is full, so that dead letters, cursors and what a close leaves in memory can be written.
pub(super) const RESERVE: u64 = 1 << 20;

/// The directory, held by this process.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// Locked until it is dropped.
    _lock: File,
}

impl Folder {
    /// Makes it where it is not there (0700, and its parents), and takes the lock. The reserve is not made yet.
    pub(super) fn open(path: &Path) -> Result<Self, SpoolError> {
        let _ = path;
        todo!()
    }

    /// Makes the reserve, where it is not there and the disk has room for it; written, not sparse. `false`: no room.
    pub(super) fn restore_reserve(&self) -> bool {
        todo!()
    }

    /// Gives the reserve up. `false`: it was not there.
    pub(super) fn release_reserve(&self) -> bool {
        todo!()
    }

    /// The tables that have a log here, sorted; folders of other names are left alone.
    pub(super) fn tables(&self) -> Result<Vec<TableName>, SpoolError> {
        todo!()
    }

    /// The folder of a table's log.
    pub(super) fn of(&self, table: &TableName) -> PathBuf {
        self.path.join(name(table))
    }
}

/// `schema.table`, an upper-case letter as `-` and the lower one: file systems that know no case must not mix two up.
pub(super) fn name(table: &TableName) -> String {
    let _ = table;
    todo!()
}

/// What [`name`] was made of.
pub(super) fn table(name: &str) -> Option<TableName> {
    let _ = name;
    todo!()
}

/// Makes a folder, 0700, if it is not there; its entry in the parent is on disk afterwards.
pub(super) fn make(path: &Path) -> Result<(), SpoolError> {
    let _ = path;
    todo!()
}

/// `fsync` of a directory: what was made, renamed or removed in it is on disk afterwards.
pub(super) fn sync(path: &Path) -> std::io::Result<()> {
    let _ = path;
    todo!()
}
