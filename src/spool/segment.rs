//! A segment: a file of frames, named by the first sequence number that it may hold.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Bytes of the header.
pub(super) const HEADER: usize = 32;
/// Sequence numbers count from here, so that there is room before.
pub(super) const FIRST: u64 = 1 << 32;
/// No process counts as far; what says that it did would leave no room behind it.
pub(super) const HIGHEST: u64 = u64::MAX >> 1;
const MAGIC: &[u8; 8] = b"TVSPOOL\0";
const VERSION: u16 = 1;
const ENDING: &str = "log";

/// What opens a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) base: u64,
    /// Microseconds since 1970.
    pub(super) made_at: i64,
}

/// What a header's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// Cut off, zeros, or damaged: the name says the base too.
    Damaged,
    /// Of this later version, which has to be read by another.
    Version(u16),
}

impl Header {
    pub(super) fn write(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.base.to_le_bytes());
        bytes[24..].copy_from_slice(&self.made_at.to_le_bytes());
        let checksum = checksum(&bytes);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let Some((bytes, _)) = bytes.split_first_chunk::<HEADER>() else { return Err(HeaderFault::Damaged) };
        if bytes[..8] != *MAGIC || checksum(bytes).to_le_bytes() != bytes[12..16] {
            return Err(HeaderFault::Damaged);
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        let eight = |at: usize| <[u8; 8]>::try_from(&bytes[at..at + 8]).unwrap_or_default();
        Ok(Self { base: u64::from_le_bytes(eight(16)), made_at: i64::from_le_bytes(eight(24)) })
    }
}

fn checksum(bytes: &[u8; HEADER]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

/// The file of a segment in this folder.
pub(super) fn path(folder: &Path, base: u64) -> PathBuf {
    folder.join(format!("{base:020}.{ENDING}"))
}

/// The base of a file of this name; `None` where it is no segment's.
pub(super) fn base(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(ENDING)?.strip_suffix('.')?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// The bases of the segments in this folder, in order.
pub(super) fn list(folder: &Path) -> io::Result<Vec<u64>> {
    let mut bases = Vec::new();
    for entry in fs::read_dir(folder)? {
        bases.extend(entry?.file_name().to_str().and_then(base));
    }
    bases.sort_unstable();
    Ok(bases)
}

#[cfg(test)]
mod tests;
