//! Dead letters: records that PostgreSQL refused for what they are, with its SQLSTATE and words.

use std::{
    collections::HashSet,
    error::Error as StdError,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    folder,
    frame::{self, Frame, Kind},
    scan::{Found, Rest, Scan},
    segment::{self, Header, HeaderFault},
};
use crate::{
    error::{Error, SpoolError, SpoolFault},
    moment::Moment,
    record::Record,
};

/// A record that PostgreSQL refused.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The record, masked as it was emitted.
    pub record: Record,
    /// When PostgreSQL refused it.
    pub refused_at: time::OffsetDateTime,
    /// The five characters by which PostgreSQL named the error.
    pub sqlstate: Option<String>,
    /// The error in words, without any value of the record.
    pub reason: String,
}

/// The folder in that of a log.
const NAME: &str = "dead";
/// The longest text that is kept of an error.
const LONGEST_REASON: usize = 4 << 10;
const SQLSTATE: usize = 5;

/// Writes dead letters of one log (`DIR/TABLE/dead/`), in a segment of their own, synced. Where the disk is full, the
/// caller gives up the reserve and tries again. A letter that a process before has written is not written again.
pub(super) fn write(folder: &Path, letters: &[(u64, i64, Record, Error)]) -> Result<(), SpoolError> {
    let dead = folder.join(NAME);
    let Some(mut base) = letters.iter().map(|(sequence, ..)| *sequence).min() else { return Ok(()) };
    folder::make(&dead)?;
    let mut there = HashSet::new();
    loop {
        let path = segment::path(&dead, base);
        let failed = |error| SpoolError::io("writing dead letters", &path, error);
        match folder::options().write(true).create_new(true).open(&path) {
            Ok(file) => {
                if let Err(error) = fill(file, base, letters, &there) {
                    // Half of them would be counted, and written again by the next try.
                    let _ = fs::remove_file(&path);
                    return Err(failed(error));
                }
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Of a process before, which did not live to move the cursor; or of other records.
                each_frame(&path, &mut |sequence, letter| {
                    there.insert((sequence, letter.record.id()));
                    Ok::<_, SpoolError>(())
                })?;
                if letters.iter().all(|(sequence, _, record, _)| there.contains(&(*sequence, record.id()))) {
                    File::open(&path).and_then(|file| file.sync_all()).map_err(failed)?;
                    break;
                }
                // A name says no more than the lowest number that there may be.
                base = base.saturating_sub(1);
            }
            Err(error) => return Err(failed(error)),
        }
    }
    folder::sync(&dead).map_err(|error| SpoolError::io("writing dead letters", &dead, error))
}

fn fill(
    mut file: File,
    base: u64,
    letters: &[(u64, i64, Record, Error)],
    there: &HashSet<(u64, Uuid)>,
) -> io::Result<()> {
    let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000;
    file.write_all(&Header { base, made_at: i64::try_from(now).unwrap_or_default() }.write())?;
    for (sequence, accepted_at, record, error) in letters {
        if there.contains(&(*sequence, record.id())) {
            continue;
        }
        let payload = payload(record, error);
        let mut bytes = Vec::with_capacity(frame::HEAD + payload.len());
        // Driven again, it may be there: another process may have been about to store it.
        let kind = Kind::DeadLetter;
        Frame { sequence: *sequence, accepted_at: *accepted_at, kind, again: true, payload: &payload }
            .write(&mut bytes);
        file.write_all(&bytes)?;
    }
    file.sync_all()
}

fn payload(record: &Record, error: &Error) -> Vec<u8> {
    let state: [u8; SQLSTATE] = error.sqlstate().and_then(|state| state.as_bytes().try_into().ok()).unwrap_or_default();
    let reason = reason(error);
    let mut payload = state.to_vec();
    payload.extend_from_slice(&u16::try_from(reason.len()).unwrap_or_default().to_le_bytes());
    payload.extend_from_slice(reason.as_bytes());
    payload.extend_from_slice(record.tuple());
    payload
}

/// The error and its causes in words.
fn reason(error: &dyn StdError) -> String {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        reason.push_str(": ");
        reason.push_str(&error.to_string());
        cause = error.source();
    }
    let fits = (0..=LONGEST_REASON.min(reason.len())).rev().find(|end| reason.is_char_boundary(*end));
    reason.truncate(fits.unwrap_or(0));
    reason
}

fn letter(accepted_at: i64, payload: &[u8]) -> Option<DeadLetter> {
    let (state, rest) = payload.split_first_chunk::<SQLSTATE>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (reason, row) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
    let sqlstate = if *state == [0; SQLSTATE] { None } else { Some(str::from_utf8(state).ok()?.to_owned()) };
    Some(DeadLetter {
        record: frame::record(row.to_vec(), true)?,
        refused_at: Moment::of_unix(accepted_at).ok()?.to_utc(),
        sqlstate,
        reason: str::from_utf8(reason).ok()?.to_owned(),
    })
}

/// How many there are.
pub(super) fn count(folder: &Path) -> Result<u64, SpoolError> {
    let mut count = 0;
    read(&files(folder)?, &mut |_| {
        count += 1;
        Ok::<_, SpoolError>(())
    })?;
    Ok(count)
}

/// The files that they are in, oldest first.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, SpoolError> {
    let dead = folder.join(NAME);
    match segment::list(&dead) {
        Ok(bases) => Ok(bases.into_iter().map(|base| segment::path(&dead, base)).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(SpoolError::io("listing dead letters", &dead, error)),
    }
}

/// One after the other, in constant memory; answers how many were damaged, and passed over.
pub(super) fn read<E: From<SpoolError>>(
    files: &[PathBuf],
    each: &mut dyn FnMut(DeadLetter) -> Result<(), E>,
) -> Result<u64, E> {
    files.iter().try_fold(0, |damaged, path| Ok(damaged + each_frame(path, &mut |_, letter| each(letter))?))
}

fn each_frame<E: From<SpoolError>>(
    path: &Path,
    each: &mut dyn FnMut(u64, DeadLetter) -> Result<(), E>,
) -> Result<u64, E> {
    let failed = |error| SpoolError::io("reading dead letters", path, error);
    let base = path.file_name().and_then(|name| segment::base(name.to_str()?)).unwrap_or_default();
    let mut scan = match Scan::open(path, base) {
        // Cleared meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        scan => scan.map_err(failed)?,
    };
    if let Err(HeaderFault::Version(_)) = scan.header {
        return Err(SpoolError::new(SpoolFault::Format, "reading dead letters", path).into());
    }
    let mut damaged = 0;
    loop {
        match scan.step(u64::MAX).map_err(failed)? {
            Found::Frame(place) => match letter(place.accepted_at, scan.payload(place.payload)) {
                Some(letter) if place.kind == Kind::DeadLetter => each(place.sequence, letter)?,
                _ => damaged += 1,
            },
            Found::Damage { .. } => damaged += 1,
            Found::End { rest: Rest::Damaged { frames, .. }, .. } => return Ok(damaged + frames),
            Found::End { .. } => return Ok(damaged),
        }
    }
}

/// Removes these [`files`], whose letters were driven again or given up.
pub(super) fn clear(folder: &Path, files: &[PathBuf]) -> Result<(), SpoolError> {
    for path in files {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SpoolError::io("removing dead letters", path, error));
            }
            _ => {}
        }
    }
    let dead = folder.join(NAME);
    match folder::sync(&dead) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(SpoolError::io("removing dead letters", &dead, error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
