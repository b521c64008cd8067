//! A spool of version 1, as it was written once, is read for ever.

use std::path::Path;

use tracevault::{
    TableName,
    spool::{check, dead_letters, list},
};

const FIRST: u64 = 1 << 32;

fn fixture() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/spool/v1"))
}

#[test]
fn version_1_is_listed() {
    let listings = list(fixture()).unwrap();
    let shown: Vec<_> = listings
        .iter()
        .map(|log| (log.table.to_string(), log.records, log.segments, log.dead_letters, log.damaged_files))
        .collect();
    assert_eq!(
        shown,
        [(r#""audit_logs""#.to_owned(), 8, 3, 1, 0), (r#""compliance"."auditLogs""#.to_owned(), 3, 1, 0, 0)]
    );
    let oldest: Vec<_> = listings.iter().map(|log| log.oldest.unwrap().unix_timestamp_nanos()).collect();
    assert_eq!(oldest, [2_000, 0]);
}

#[test]
fn version_1_is_checked() {
    let found = check(fixture()).unwrap();
    assert_eq!((found.frames, found.remarks.len()), (13, 0), "{:?}", found.remarks);
    assert!(found.torn_bytes > 0 && found.bytes > found.torn_bytes);
    let [damage] = &found.damage[..] else { panic!("{:?}", found.damage) };
    assert_eq!((damage.first, damage.next), (FIRST + 5, FIRST + 6));
    assert!(damage.path.ends_with("audit_logs/00000000004294967300.log"), "{}", damage.path.display());
}

#[test]
fn a_dead_letter_of_version_1_says_why() {
    let mut letters = Vec::new();
    dead_letters(fixture(), None, &mut |table, letter| {
        letters.push((table.to_string(), letter));
        Ok(())
    })
    .unwrap();
    let [(table, letter)] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((table.as_str(), letter.reason.as_str()), (r#""audit_logs""#, "refused"));
    assert_eq!((letter.sqlstate.as_deref(), letter.record.event()), (Some("22P02"), "user.login"));
    assert_eq!(letter.record.id().as_u128(), 1);
    let other = TableName::new("other").unwrap();
    dead_letters(fixture(), Some(&other), &mut |_, _| panic!("of another table")).unwrap();
}
