//! The cursor of a log: all below it is in PostgreSQL, or a dead letter.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use super::{folder, segment::HIGHEST};

/// Its file in the folder of the log.
pub(super) const NAME: &str = "cursor";
/// One slot, without what follows it.
const SLOT: usize = 24;
/// From one slot to the other: a sector, so that a write that is cut off spoils one only.
const APART: usize = 512;

/// The file, open for writing in place: it never grows, so that a full disk does not matter.
pub(super) struct Cursor {
    file: File,
    generation: u64,
    at: u64,
    /// The slot that holds it: 0 or 1.
    slot: usize,
    /// An `fsync` failed: what it did not take to the disk may count as clean, and has to be written anew.
    in_doubt: bool,
}

impl Cursor {
    /// Opens it, or makes it (0600, both slots written, `fsync`, directory too). Where no slot is valid, it stands at 0:
    /// everything is sent again. `true`: it was there, and no slot was valid.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, bool)> {
        let path = folder.join(NAME);
        let was_there = path.exists();
        let mut file = folder::options().read(true).write(true).create(true).truncate(false).open(&path)?;
        if let Some((generation, at, slot)) = newest(&file_bytes(&mut file)?) {
            return Ok((Self { file, generation, at, slot, in_doubt: false }, false));
        }
        let mut bytes = [0; 2 * APART];
        bytes[..SLOT].copy_from_slice(&slot(1, 0));
        bytes[APART..APART + SLOT].copy_from_slice(&slot(2, 0));
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        folder::sync(folder)?;
        Ok((Self { file, generation: 2, at: 0, slot: 1, in_doubt: false }, was_there))
    }

    /// For those who only look: what a cursor file says. `Ok(None)`: there is none; `InvalidData`: no slot is valid.
    pub(super) fn read(folder: &Path) -> io::Result<Option<u64>> {
        match fs::File::open(folder.join(NAME)) {
            Ok(mut file) => match newest(&file_bytes(&mut file)?) {
                Some((_, at, _)) => Ok(Some(at)),
                None => Err(io::ErrorKind::InvalidData.into()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes to another file from now on.
    #[cfg(test)]
    pub(super) fn exchange(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Writes it into the slot that is not the newest; survives the process. It may be set back, where records are put
    /// before all others.
    pub(super) fn advance(&mut self, to: u64) -> io::Result<()> {
        let (generation, other) = (self.generation + 1, 1 - self.slot);
        self.file.seek(SeekFrom::Start((other * APART) as u64))?;
        self.file.write_all(&slot(generation, to))?;
        (self.generation, self.slot, self.at) = (generation, other, to);
        Ok(())
    }

    /// Survives the machine.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.in_doubt {
            self.advance(self.at)?;
            self.advance(self.at)?;
        }
        let synced = self.file.sync_data();
        self.in_doubt = synced.is_err();
        synced
    }
}

fn file_bytes(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(2 * APART);
    file.take(2 * APART as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Generation, sequence and place of the slot that counts.
fn newest(bytes: &[u8]) -> Option<(u64, u64, usize)> {
    let valid = |place: usize| {
        let bytes = bytes.get(place * APART..)?.first_chunk::<SLOT>()?;
        let eight = |at: usize| <[u8; 8]>::try_from(&bytes[at..at + 8]).unwrap_or_default();
        let (generation, at) = (u64::from_le_bytes(eight(0)), u64::from_le_bytes(eight(8)));
        let counts = generation <= HIGHEST && at <= HIGHEST;
        (counts && *bytes == slot(generation, at)).then_some((generation, at, place))
    };
    [valid(0), valid(1)].into_iter().flatten().max_by_key(|(generation, ..)| *generation)
}

fn slot(generation: u64, at: u64) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(&generation.to_le_bytes());
    bytes[8..16].copy_from_slice(&at.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes[..16]);
    bytes[16..20].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::{
        super::sample::{Dir, mode},
        *,
    };

    #[test]
    fn it_stands_where_it_was_put() {
        let dir = Dir::new();
        assert_eq!(Cursor::read(&dir.0).unwrap(), None);
        let (mut cursor, was_unreadable) = Cursor::open(&dir.0).unwrap();
        assert_eq!((cursor.at(), was_unreadable, mode(&dir.0.join(NAME))), (0, false, 0o600));
        for to in [5, 6, 7] {
            cursor.advance(to).unwrap();
            cursor.sync().unwrap();
            assert_eq!((Cursor::open(&dir.0).unwrap().0.at(), Cursor::read(&dir.0).unwrap()), (to, Some(to)));
        }
        assert_eq!(fs::metadata(dir.0.join(NAME)).unwrap().len(), 2 * APART as u64);
    }

    #[test]
    fn a_spoiled_slot_leaves_the_one_before() {
        for (to, at) in [(8, 7), (9, 8)] {
            let dir = Dir::new();
            let mut cursor = Cursor::open(&dir.0).unwrap().0;
            (7..=to).for_each(|to| cursor.advance(to).unwrap());
            let mut bytes = fs::read(dir.0.join(NAME)).unwrap();
            bytes[cursor.slot * APART + 9] ^= 1;
            fs::write(dir.0.join(NAME), &bytes).unwrap();
            assert_eq!(Cursor::open(&dir.0).unwrap().0.at(), at);
            bytes[(1 - cursor.slot) * APART] ^= 1;
            fs::write(dir.0.join(NAME), &bytes).unwrap();
            assert_eq!(Cursor::read(&dir.0).unwrap_err().kind(), io::ErrorKind::InvalidData);
            let (cursor, was_unreadable) = Cursor::open(&dir.0).unwrap();
            assert_eq!((cursor.at(), was_unreadable), (0, true));
        }
    }
}
