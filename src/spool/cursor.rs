//! The cursor of a log: all below it is in PostgreSQL, or a dead letter.

use std::{fs::File, io, path::Path};

/// The file, open for writing in place: it never grows, so that a full disk does not matter.
pub(super) struct Cursor {
    file: File,
    generation: u64,
    at: u64,
}

impl Cursor {
    /// Opens it, or makes it (0600, both slots written, `fsync`, directory too). Where no slot is valid, it stands at 0:
    /// everything is sent again. `true`: it was there, and no slot was valid.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, bool)> {
        let _ = folder;
        todo!()
    }

    /// For those who only look: what a cursor file says.
    pub(super) fn read(folder: &Path) -> io::Result<Option<u64>> {
        let _ = folder;
        todo!()
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Writes it into the slot that is not the newest; survives the process.
    pub(super) fn advance(&mut self, to: u64) -> io::Result<()> {
        let _ = (to, &self.file, &mut self.generation);
        todo!()
    }

    /// Survives the machine.
    pub(super) fn sync(&self) -> io::Result<()> {
        todo!()
    }
}
