use super::{
    super::sample::{Dir, drain, frames, offset, publish},
    *,
};

#[test]
fn a_new_log_is_empty() {
    let dir = Dir::new();
    let (log, recovery) = dir.open();
    assert_eq!(recovery, Recovery::default());
    assert_eq!((*log.tail.borrow(), log.left()), (FIRST, (0, 0)));
    assert_eq!(log.cursor().at(), FIRST);
}

#[test]
fn what_was_left_is_found_and_removed_once_it_is_done_with() {
    let dir = Dir::new();
    for numbers in [0..10, 10..20, 20..25] {
        dir.segment(numbers);
    }
    let (log, recovery) = dir.open();
    let bytes = frames(0..25).len() as u64;
    let found = Recovery { records: 25, bytes, tables: 1, ..Recovery::default() };
    assert_eq!((recovery, *log.tail.borrow(), log.recovered_below), (found, FIRST + 25, FIRST + 25));

    assert_eq!(log.advance(FIRST + 9).unwrap(), 0);
    assert_eq!(dir.bases(), [0, 10, 20]);
    assert_eq!(log.advance(FIRST + 20).unwrap(), frames(0..20).len() as u64);
    assert_eq!((dir.bases(), log.left()), (vec![20], (5, frames(20..25).len() as u64)));
    // Never back.
    assert_eq!(log.advance(FIRST).unwrap(), 0);
    assert_eq!(log.cursor().at(), FIRST + 20);
    assert_eq!(log.advance(FIRST + 25).unwrap(), 0);
    assert_eq!(dir.bases(), [20]);
    assert_eq!(log.finish().unwrap(), frames(20..25).len() as u64);
    assert_eq!((dir.bases().len(), log.left()), (0, (0, 0)));

    let (log, recovery) = dir.open();
    assert_eq!((*log.tail.borrow(), recovery), (FIRST + 25, Recovery::default()));
}

#[test]
fn what_lies_below_the_cursor_is_removed_at_the_start() {
    let dir = Dir::new();
    dir.open().0.advance(FIRST + 15).unwrap();
    for numbers in [0..10, 10..20] {
        dir.segment(numbers);
    }
    let (log, recovery) = dir.open();
    assert_eq!((dir.bases(), recovery.records, log.left().0), (vec![10], 5, 5));
    log.advance(FIRST + 20).unwrap();
    drop(log);
    dir.open();
    assert_eq!(dir.bases().len(), 0);
}

#[test]
fn a_cursor_beyond_the_end_swallows_nothing_new() {
    let dir = Dir::new();
    dir.segment(0..10);
    dir.open().0.advance(FIRST + 50).unwrap();
    let (log, recovery) = dir.open();
    assert_eq!((*log.tail.borrow(), log.recovered_below, recovery.records), (FIRST + 50, FIRST + 50, 0));
    publish(&log, &dir, 50..60);
    let mut reader = super::super::reader::Reader::new(Arc::clone(&log));
    assert_eq!(drain(&mut reader), (50..60).collect::<Vec<_>>());
    assert_eq!(reader.take_damaged(), 0);
}

#[test]
fn a_last_segment_without_frames_is_removed_and_its_number_stays() {
    let dir = Dir::new();
    dir.segment(0..10);
    dir.write(FIRST + 10, &[]);
    let torn = frames(12..13);
    dir.write(FIRST + 12, &torn[..torn.len() - 1]);
    let (log, recovery) = dir.open();
    assert_eq!((*log.tail.borrow(), recovery.records), (FIRST + 12, 12));
    assert_eq!((dir.bases(), recovery.torn_bytes), (vec![0], torn.len() as u64 - 1));
}

#[test]
fn a_damaged_end_keeps_its_number() {
    let dir = Dir::new();
    let path = dir.segment(0..10);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (log, recovery) = dir.open();
    assert_eq!(*log.tail.borrow(), FIRST + 10);
    let offset = offset(0, 9) as u64;
    let bytes = bytes.len() as u64 - offset;
    let damage = recovery::Damage { path, offset, bytes, first: FIRST + 9, next: FIRST + 10 };
    assert_eq!((recovery.damage, recovery.torn_bytes), (vec![damage], 0));
}

#[test]
fn a_later_version_is_refused() {
    let dir = Dir::new();
    let path = dir.segment(0..10);
    dir.segment(10..20);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..HEADER]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let refused = Log::open(dir.0.clone(), TableName::new("audit_logs").unwrap()).map(drop).unwrap_err();
    assert_eq!(refused.fault(), SpoolFault::Format);
    assert_eq!(refused.path(), path);
}
