use proptest::prelude::*;

use super::{super::sample::Dir, *};

/// With the checksum of what it says now.
fn sealed(mut bytes: [u8; HEADER]) -> [u8; HEADER] {
    let checksum = checksum(&bytes);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_written_is_read(number: u64, made_at: i64, behind in proptest::collection::vec(any::<u8>(), 0..50)) {
        let header = Header { base: number, made_at };
        let bytes = [&header.write()[..], &behind].concat();
        prop_assert_eq!(Header::read(&bytes), Ok(header));
        let path = path(Path::new("log"), number);
        prop_assert_eq!(base(path.file_name().unwrap().to_str().unwrap()), Some(number));
    }
}

/// As it is described, byte by byte.
#[test]
fn the_format_stands() {
    let bytes = Header { base: FIRST, made_at: 3 }.write();
    assert_eq!(bytes[..12], *b"TVSPOOL\0\x01\0\0\0");
    assert_eq!(bytes[12..16], crc32c::crc32c(&[&bytes[..12], &bytes[16..]].concat()).to_le_bytes());
    assert_eq!(bytes[16..], [0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn every_change_of_a_byte_and_every_cut_is_damage() {
    let bytes = Header { base: FIRST, made_at: 3 }.write();
    let mut changed = bytes;
    for at in 0..HEADER {
        assert_eq!(Header::read(&bytes[..at]), Err(HeaderFault::Damaged), "{at}");
        for to in (0..=u8::MAX).filter(|to| *to != bytes[at]) {
            changed[at] = to;
            assert_eq!(Header::read(&changed), Err(HeaderFault::Damaged), "byte {at} as {to}");
        }
        changed[at] = bytes[at];
    }
    assert_eq!(Header::read(&[0; HEADER]), Err(HeaderFault::Damaged));
}

#[test]
fn another_version_is_told_from_damage() {
    let bytes = Header { base: FIRST, made_at: 3 }.write();
    for version in [0, 2, 256, u16::MAX] {
        let mut other = bytes;
        other[8..10].copy_from_slice(&version.to_le_bytes());
        assert_eq!(Header::read(&other), Err(HeaderFault::Damaged), "{version}");
        assert_eq!(Header::read(&sealed(other)), Err(HeaderFault::Version(version)));
    }
    let mut foreign = bytes;
    foreign[0] = b'X';
    assert_eq!(Header::read(&sealed(foreign)), Err(HeaderFault::Damaged));
}

#[test]
fn other_names_are_no_segments() {
    let dir = Dir::new();
    for name in ["cursor", "new", "1.log", "0000000000429496729.log", "+0000000004294967296.log", ".log", "x.log"] {
        assert_eq!(base(name), None, "{name}");
        fs::write(dir.0.join(name), "").unwrap();
    }
    assert_eq!(base("99999999999999999999.log"), None, "more than there are numbers");
    for number in [u64::MAX, 0, FIRST] {
        fs::write(path(&dir.0, number), "").unwrap();
    }
    assert_eq!(list(&dir.0).unwrap(), [0, FIRST, u64::MAX]);
}
