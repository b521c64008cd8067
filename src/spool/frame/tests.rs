use proptest::prelude::*;

use super::{super::sample::row, *};

fn written(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.write(&mut bytes);
    bytes
}

fn one(payload: &[u8]) -> Frame<'_> {
    Frame { sequence: 5, accepted_at: 7, kind: Kind::Record, again: false, payload }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_written_is_read(
        sequence in 0..=HIGHEST, accepted_at: i64, is_record: bool, again: bool,
        payload in proptest::collection::vec(any::<u8>(), 0..2_000),
        before in proptest::collection::vec(any::<u8>(), 0..50),
        behind in proptest::collection::vec(any::<u8>(), 0..50),
    ) {
        let kind = if is_record { Kind::Record } else { Kind::DeadLetter };
        let frame = Frame { sequence, accepted_at, kind, again, payload: &payload };
        let mut bytes = before.clone();
        frame.write(&mut bytes);
        prop_assert_eq!(bytes.len(), before.len() + frame.size());
        prop_assert!(bytes.starts_with(&before));
        bytes.extend_from_slice(&behind);
        let here = &bytes[before.len()..];
        prop_assert_eq!(Frame::read(here), Ok(frame));
        prop_assert!(may_be(here, sequence..sequence + 1));
        prop_assert!(!may_be(here, 0..sequence));
    }

    #[test]
    fn no_bytes_are_too_hostile(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Frame::read(&bytes).is_err());
        let _ = (may_be(&bytes, 0..u64::MAX), is_whole_but_for_length(&bytes), record(bytes, false));
    }
}

/// As it is described, byte by byte.
#[test]
fn the_format_stands() {
    let frame = Frame { sequence: 0x0102, accepted_at: -2, kind: Kind::DeadLetter, again: true, payload: b"ab" };
    let bytes = written(&frame);
    assert_eq!(bytes[..4], [22, 0, 0, 0]);
    assert_eq!(bytes[4..8], crc32c::crc32c(&[&bytes[..4], &bytes[8..]].concat()).to_le_bytes());
    assert_eq!(bytes[8..16], [2, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[16..24], [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(bytes[24..], [2, 1, 0, 0, b'a', b'b']);
}

#[test]
fn every_change_of_a_byte_is_refused() {
    let payload = row(6);
    let bytes = written(&one(&payload));
    let mut changed = bytes.clone();
    let mut tried = 0;
    for at in 0..bytes.len() {
        for to in 0..=u8::MAX {
            if to != bytes[at] {
                changed[at] = to;
                assert!(Frame::read(&changed).is_err(), "byte {at} as {to}");
                tried += 1;
            }
        }
        changed[at] = bytes[at];
    }
    assert_eq!(tried, bytes.len() * 255);
    assert!(Frame::read(&changed).is_ok());
}

#[test]
fn every_length_that_is_cut_asks_for_what_is_missing() {
    let row = row(6);
    let bytes = written(&one(&row));
    for length in 0..bytes.len() {
        let needed = if length < HEAD { HEAD } else { bytes.len() };
        assert_eq!(Frame::read(&bytes[..length]), Err(Fault::Short(needed)), "{length}");
    }
}

#[test]
fn a_hostile_length_is_no_frame_and_asks_for_no_memory() {
    let longest = u32::try_from(LONGEST).unwrap();
    let mut bytes = written(&one(b""));
    for (length, found) in [
        (0, Fault::Damaged),
        (19, Fault::Damaged),
        (21, Fault::Short(29)),
        (longest, Fault::Short(LONGEST + UNCOUNTED)),
        (longest + 1, Fault::Damaged),
        (u32::MAX, Fault::Damaged),
    ] {
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        assert_eq!(Frame::read(&bytes), Err(found), "{length}");
    }
    bytes[..4].copy_from_slice(&21_u32.to_le_bytes());
    assert!(is_whole_but_for_length(&bytes));
    bytes[9] ^= 1;
    assert!(!is_whole_but_for_length(&bytes));
}

/// The checksum does not make a record of what is none.
#[test]
fn every_cut_of_a_row_is_no_record() {
    let row = row(6);
    assert!(record(row.clone(), true).unwrap().own_id());
    assert!(!record(row.clone(), false).unwrap().own_id());
    for length in 0..row.len() {
        assert!(record(row[..length].to_vec(), false).is_none(), "{length}");
    }
    assert!(record([&row[..], &[0]].concat(), false).is_none());
    // The length of the second field, far beyond the end, and below NULL's.
    for length in [i32::MAX, -2, i32::MIN] {
        let mut hostile = row.clone();
        hostile[22..26].copy_from_slice(&length.to_be_bytes());
        assert!(record(hostile, false).is_none(), "{length}");
    }
}
