//! A directory of one test.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::kit;

/// Removed with everything in it.
pub struct Dir {
    pub path: PathBuf,
}

impl Dir {
    /// A name only: the spool makes it.
    pub fn new() -> Self {
        Self { path: std::env::temp_dir().join(kit::unique("tracevault_spool")) }
    }

    /// A copy of all that is there.
    pub fn copy_to(&self, other: &Self) {
        copy(&self.path, &other.path).unwrap();
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
