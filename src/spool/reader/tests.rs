use std::fs;

use super::{
    super::{
        log::Segment,
        sample::{Dir, damaged_files, drain, frames, offset, publish},
        segment::HEADER,
    },
    *,
};

fn numbers(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

#[test]
fn all_is_read_in_order_across_segments() {
    let dir = Dir::new();
    for numbers in [0..10, 10..1_000, 1_000..1_001] {
        dir.segment(numbers);
    }
    let mut reader = dir.reader();
    assert_eq!(drain(&mut reader), numbers(0..1_001));
    assert_eq!((reader.next(), reader.take_damaged()), (FIRST + 1_001, 0));
    assert!(reader.read(1, 1).unwrap().is_empty());
}

#[test]
fn what_an_earlier_process_left_may_be_there_already() {
    let dir = Dir::new();
    dir.segment(0..2);
    let (log, _) = dir.open();
    publish(&log, &dir, 2..4);
    let read = Reader::new(log).read(9, usize::MAX).unwrap();
    assert_eq!(read.iter().map(|stored| stored.record.own_id()).collect::<Vec<_>>(), [true, true, false, false]);
}

#[test]
fn a_read_is_bounded_and_never_empty_for_that() {
    let dir = Dir::new();
    dir.segment(0..10);
    let mut reader = dir.reader();
    assert_eq!(reader.read(3, usize::MAX).unwrap().len(), 3);
    assert_eq!(reader.read(9, 1).unwrap().len(), 1);
    let one = reader.read(1, 1).unwrap()[0].record.weight();
    assert_eq!(reader.read(9, one + 2).unwrap().len(), 2);
}

#[test]
fn reading_begins_at_the_cursor() {
    let dir = Dir::new();
    dir.segment(0..10);
    dir.segment(10..20);
    dir.open().0.advance(FIRST + 13).unwrap();
    assert_eq!(drain(&mut dir.reader()), numbers(13..20));
}

#[test]
fn nothing_is_read_before_it_is_published() {
    let dir = Dir::new();
    let (log, _) = dir.open();
    publish(&log, &dir, 0..10);
    log.tail.send_replace(FIRST + 4);
    let mut reader = Reader::new(Arc::clone(&log));
    assert_eq!(drain(&mut reader), numbers(0..4));
    log.tail.send_replace(FIRST + 10);
    assert_eq!(drain(&mut reader), numbers(4..10));
}

#[test]
fn what_was_cut_and_written_anew_is_read_anew() {
    let dir = Dir::new();
    let (log, _) = dir.open();
    publish(&log, &dir, 0..10);
    log.tail.send_replace(FIRST + 4);
    let mut reader = Reader::new(Arc::clone(&log));
    assert_eq!(drain(&mut reader), numbers(0..4));
    // The frames from 4 on, which may be in the reader's buffer, are cut, and others get their numbers.
    let path = segment::path(&dir.0, FIRST);
    let mut other = frames(0..4);
    for (number, payload) in [(4, 17), (5, 18)] {
        let payload = super::super::sample::row(payload);
        let frame = frame::Frame {
            sequence: FIRST + number,
            accepted_at: 0,
            kind: Kind::Record,
            again: false,
            payload: &payload,
        };
        frame.write(&mut other);
    }
    let header = fs::read(&path).unwrap()[..HEADER].to_vec();
    fs::write(&path, [header, other].concat()).unwrap();
    log.tail.send_replace(FIRST + 6);
    let read = reader.read(9, usize::MAX).unwrap();
    assert_eq!(read.iter().map(|stored| stored.record.id().as_u128()).collect::<Vec<_>>(), [17, 18]);
}

#[test]
fn a_segment_ends_where_the_next_begins() {
    let dir = Dir::new();
    let (log, _) = dir.open();
    let mut first = frames(0..6);
    for number in 6..10 {
        // Refused; others got their numbers.
        let payload = super::super::sample::row(number + 1_000);
        let (sequence, kind) = (FIRST + number, Kind::Record);
        frame::Frame { sequence, accepted_at: 0, kind, again: false, payload: &payload }.write(&mut first);
    }
    dir.write(FIRST, &first);
    log.segments().push_back(Segment { base: FIRST, bytes: 0 });
    log.tail.send_replace(FIRST + 6);
    let mut reader = Reader::new(Arc::clone(&log));
    assert_eq!(drain(&mut reader), numbers(0..6));
    publish(&log, &dir, 6..20);
    assert_eq!(drain(&mut reader), numbers(6..20));
    assert_eq!(drain(&mut dir.reader()), numbers(0..20));
    // Nor does a frame behind the end say how much is lost before it.
    let path = segment::path(&dir.0, FIRST);
    let mut hit = fs::read(&path).unwrap();
    hit[offset(0, 5) + 40] ^= 1;
    hit[offset(0, 6) + 40] ^= 1;
    fs::write(path, hit).unwrap();
    let mut reader = dir.reader();
    assert_eq!(drain(&mut reader), [numbers(0..5), numbers(6..20)].concat());
    assert_eq!(reader.take_damaged(), 1);
}

#[test]
fn a_damaged_frame_is_lost_alone_named_and_kept() {
    for hit in [0, 5, 9] {
        let dir = Dir::new();
        let path = dir.segment(0..10);
        dir.segment(10..20);
        let mut bytes = fs::read(&path).unwrap();
        let (begin, end) = (offset(0, hit), offset(0, hit + 1));
        bytes[begin + 40] ^= 8;
        fs::write(&path, &bytes).unwrap();
        let mut reader = dir.reader();
        assert_eq!(drain(&mut reader), numbers(0..20).into_iter().filter(|n| *n != hit).collect::<Vec<_>>());
        assert_eq!((reader.take_damaged(), reader.take_damaged()), (1, 0));
        assert_eq!(damaged_files(&dir.0), [&bytes[begin..end]]);
    }
}

#[test]
fn a_file_that_is_removed_while_it_is_read_is_read_to_its_end() {
    let dir = Dir::new();
    let path = dir.segment(0..10);
    dir.segment(10..12);
    let mut reader = dir.reader();
    assert_eq!(reader.read(3, usize::MAX).unwrap().len(), 3);
    fs::remove_file(path).unwrap();
    assert_eq!(drain(&mut reader), numbers(3..12));
}

#[test]
fn numbers_of_a_segment_that_is_not_there_are_counted() {
    let dir = Dir::new();
    dir.segment(0..10);
    let path = dir.segment(10..20);
    dir.segment(20..30);
    fs::remove_file(path).unwrap();
    let mut reader = dir.reader();
    assert_eq!(drain(&mut reader), numbers(0..10).into_iter().chain(20..30).collect::<Vec<_>>());
    assert_eq!(reader.take_damaged(), 10);
}
