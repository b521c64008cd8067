//! A spool of version 1 as it was written once (`tests/it/fixtures/spool/v1`), read for ever.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    cursor::Cursor,
    dead, folder,
    frame::{Frame, Kind},
    log::Log,
    reader::Reader,
    sample::{Dir, drain, frames, offset, row},
    segment::{FIRST, Header},
};
use crate::table::TableName;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/spool/v1")
}

fn tables() -> [TableName; 2] {
    [
        TableName::new("audit_logs").unwrap(),
        TableName::new("auditLogs").and_then(|table| table.in_schema("compliance")).unwrap(),
    ]
}

fn segment(folder: &Path, base: u64, frames: &[u8]) {
    let header = Header { base, made_at: 1_700_000_000_000_000 };
    fs::write(super::segment::path(folder, base), [&header.write()[..], frames].concat()).unwrap();
}

#[test]
#[ignore = "writes the fixture, which must not change"]
fn write_the_fixture() {
    let [plain, other] = tables().map(|table| fixture().join(folder::name(&table)));
    folder::make(&plain.join("dead")).unwrap();
    folder::make(&other).unwrap();
    // The second frame of the second segment is damaged; the last one of the third is torn.
    let mut damaged = frames(4..8);
    let hit = offset(4, 5) - offset(4, 4) + 60;
    damaged[hit] ^= 0x10;
    let torn = frames(8..11);
    segment(&plain, FIRST, &frames(0..4));
    segment(&plain, FIRST + 4, &damaged);
    segment(&plain, FIRST + 8, &torn[..torn.len() - 5]);
    Cursor::open(&plain).unwrap().0.advance(FIRST + 2).unwrap();
    let mut payload = b"22P02".to_vec();
    payload.extend_from_slice(&[7, 0]);
    payload.extend_from_slice(b"refused");
    payload.extend_from_slice(&row(1));
    let (sequence, kind) = (FIRST + 1, Kind::DeadLetter);
    let mut letter = Vec::new();
    Frame { sequence, accepted_at: 1, kind, again: true, payload: &payload }.write(&mut letter);
    segment(&plain.join("dead"), FIRST + 1, &letter);
    segment(&other, FIRST, &frames(0..3));
    Cursor::open(&other).unwrap().0.advance(FIRST).unwrap();
    fs::write(fixture().join("lock"), "").unwrap();
}

#[test]
fn version_1_is_read() {
    let copy = Dir::new();
    let found = folder::tables(&fixture()).unwrap();
    assert_eq!(found, tables());
    for (table, numbers, damaged, letters) in
        [(&found[0], vec![2, 3, 4, 6, 7, 8, 9], 1, 1), (&found[1], vec![0, 1, 2], 0, 0)]
    {
        let name = folder::name(table);
        let (from, to) = (fixture().join(&name), copy.0.join(&name));
        folder::make(&to).unwrap();
        for entry in fs::read_dir(&from).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
        let (log, recovery) = Log::open(to, table.clone()).unwrap();
        assert_eq!(recovery.records, numbers.len() as u64 + damaged);
        let mut reader = Reader::new(Arc::clone(&log));
        assert_eq!((drain(&mut reader), reader.take_damaged()), (numbers, damaged));
        assert_eq!(dead::count(&from).unwrap(), letters);
    }
}
