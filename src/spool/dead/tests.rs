use super::{
    super::sample::{Dir, mode, row},
    *,
};
use crate::error::ConfigError;

fn letters(numbers: &[u64]) -> Vec<(u64, i64, Record, Error)> {
    let error = || Error::from(ConfigError::new("key", "é".repeat(4_000)));
    numbers.iter().map(|n| (*n, 7, frame::record(row(*n), false).unwrap(), error())).collect()
}

fn ids(dir: &Dir) -> Vec<u128> {
    let mut ids = Vec::new();
    let damaged = read(&files(&dir.0).unwrap(), &mut |letter: DeadLetter| {
        assert!(letter.reason.len() <= LONGEST_REASON && letter.reason.contains("éé"));
        assert_eq!((letter.sqlstate, letter.refused_at.unix_timestamp_nanos()), (None, 7_000));
        ids.push(letter.record.id().as_u128());
        Ok::<_, SpoolError>(())
    });
    assert_eq!(damaged.unwrap(), 0);
    ids
}

#[test]
fn letters_are_kept_once_and_cleared() {
    let dir = Dir::new();
    assert_eq!(count(&dir.0).unwrap(), 0);
    write(&dir.0, &[]).unwrap();
    write(&dir.0, &letters(&[7, 9])).unwrap();
    let there = files(&dir.0).unwrap();
    assert_eq!((mode(&there[0]), mode(&dir.0.join(NAME))), (0o600, 0o700));
    write(&dir.0, &letters(&[7, 9])).unwrap();
    write(&dir.0, &letters(&[7])).unwrap();
    assert_eq!(ids(&dir), [7, 9]);
    // One was there, the other was not; the first has the name.
    write(&dir.0, &letters(&[7, 8])).unwrap();
    assert_eq!((ids(&dir), count(&dir.0).unwrap()), (vec![8, 7, 9], 3));
    clear(&dir.0, &there).unwrap();
    assert_eq!(ids(&dir), [8]);
}

#[test]
fn a_damaged_letter_is_passed_over_and_counted() {
    let dir = Dir::new();
    write(&dir.0, &letters(&[1, 2, 3])).unwrap();
    let path = files(&dir.0).unwrap().remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut read_ids = Vec::new();
    let damaged = read(&[path], &mut |letter: DeadLetter| {
        read_ids.push(letter.record.id().as_u128());
        Ok::<_, SpoolError>(())
    });
    assert_eq!((damaged.unwrap(), read_ids), (1, vec![1, 3]));
}
