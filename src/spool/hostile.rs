//! Spools that were cut, or hit by a flipped bit, at every place: they open, lose at most what was hit, and name it.

use std::{fs, path::PathBuf};

use super::{
    cursor::{self, Cursor},
    log::Log,
    reader::Reader,
    sample::{Dir, drain, offset},
    segment::{FIRST, HEADER},
};

/// Frames of each of two segments.
const EACH: u64 = 20;

/// Two segments, and a cursor that was never moved.
fn two(dir: &Dir) -> [(PathBuf, Vec<u8>); 3] {
    Cursor::open(&dir.0).unwrap();
    let paths = [dir.segment(0..EACH), dir.segment(EACH..2 * EACH), dir.0.join(cursor::NAME)];
    paths.map(|path| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    })
}

/// What is read, what was counted as lost, and whether opening named damage.
fn open_and_drain(dir: &Dir) -> (Vec<u64>, u64, u64) {
    let (log, _) = dir.open();
    let tail = *log.tail.borrow() - FIRST;
    let mut reader = Reader::new(log);
    let read = drain(&mut reader);
    assert_eq!(reader.next(), FIRST + tail);
    (read, reader.take_damaged(), tail)
}

fn restore(dir: &Dir, files: &[(PathBuf, Vec<u8>)]) {
    let _ = fs::remove_dir_all(dir.0.join("damaged"));
    for (path, bytes) in files {
        fs::write(path, bytes).unwrap();
    }
}

/// How many frames of a segment that begins there end within so many bytes.
fn whole(base: u64, length: usize) -> u64 {
    (base..base + EACH).take_while(|number| offset(base, number + 1) <= length).count() as u64
}

#[test]
fn every_length_of_the_last_segment_opens_with_all_that_is_whole() {
    let dir = Dir::in_memory();
    let files = two(&dir);
    let mut lengths = 0;
    for length in 0..=files[1].1.len() {
        restore(&dir, &files);
        fs::write(&files[1].0, &files[1].1[..length]).unwrap();
        let end = EACH + whole(EACH, length);
        assert_eq!(open_and_drain(&dir), ((0..end).collect(), 0, end), "cut to {length}");
        lengths += 1;
    }
    assert!(lengths > 2_000, "{lengths}");
}

#[test]
fn every_length_of_an_earlier_segment_loses_what_was_cut_and_counts_it() {
    let dir = Dir::in_memory();
    let files = two(&dir);
    for length in 0..files[0].1.len() {
        restore(&dir, &files);
        fs::write(&files[0].0, &files[0].1[..length]).unwrap();
        let end = whole(0, length);
        let all = (0..end).chain(EACH..2 * EACH).collect();
        assert_eq!(open_and_drain(&dir), (all, EACH - end, 2 * EACH), "cut to {length}");
    }
}

/// Flips in turn; the one that was hit may be missing, and nothing else.
fn flip(dir: &Dir, files: &[(PathBuf, Vec<u8>)], bit: usize) {
    let first = files[0].1.len() * 8;
    let (file, bit) = if bit < first { (0, bit) } else { (1, bit - first) };
    let (path, bytes) = &files[file];
    let base = file as u64 * EACH;
    restore(dir, files);
    let mut hit = bytes.clone();
    hit[bit / 8] ^= 1 << (bit % 8);
    fs::write(path, hit).unwrap();
    let (log, recovery) = dir.open();
    let mut reader = Reader::new(log);
    let read = drain(&mut reader);
    let damaged = reader.take_damaged();
    let place = format!("file {file}, byte {}, bit {}", bit / 8, bit % 8);
    if bit / 8 < HEADER {
        assert_eq!((read.len() as u64, damaged), (2 * EACH, 0), "{place}");
        return;
    }
    let lost = base + whole(base, bit / 8);
    assert_eq!(read, (0..2 * EACH).filter(|number| *number != lost).collect::<Vec<_>>(), "{place}");
    assert_eq!(damaged, 1, "{place}");
    if file == 1 {
        let found: Vec<_> = recovery.damage.iter().map(|damage| (damage.first, damage.next)).collect();
        assert_eq!(found, [(FIRST + lost, FIRST + lost + 1)], "{place}");
    }
}

#[test]
fn a_flipped_bit_loses_one_record_at_most_and_it_is_named() {
    let dir = Dir::in_memory();
    let files = two(&dir);
    let bits = files[..2].iter().map(|(_, bytes)| bytes.len() * 8).sum::<usize>() as u64;
    let rounds = if std::env::var_os("TRACEVAULT_LONG").is_some() { 100_000 } else { 8_000 };
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..rounds {
        // xorshift64
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        flip(&dir, &files, usize::try_from(seed % bits).unwrap());
    }
}

#[test]
fn every_bit_of_the_last_frame_and_of_the_headers() {
    let dir = Dir::in_memory();
    let files = two(&dir);
    let first = files[0].1.len() * 8;
    let last = offset(EACH, 2 * EACH - 1) * 8;
    for bit in (0..HEADER * 8).chain(first..first + HEADER * 8).chain(first + last..first + files[1].1.len() * 8) {
        flip(&dir, &files, bit);
    }
}

#[test]
fn zeros_at_the_end_are_torn_and_zeros_between_are_damage() {
    let dir = Dir::in_memory();
    let files = two(&dir);
    fs::write(&files[1].0, [&files[1].1[..], &[0; 5_000]].concat()).unwrap();
    let (_, recovery) = dir.open();
    assert_eq!((recovery.torn_bytes, recovery.damage.len(), recovery.records), (5_000, 0, 2 * EACH));
    restore(&dir, &files);
    let (begin, end) = (offset(0, 3), offset(0, 6));
    let mut bytes = files[0].1.clone();
    bytes[begin..end].fill(0);
    fs::write(&files[0].0, bytes).unwrap();
    assert_eq!(open_and_drain(&dir), ((0..3).chain(6..2 * EACH).collect(), 3, 2 * EACH));
}

const READ: &str = "TRACEVAULT_SPOOL_READ";

/// How long all of a spool takes to be read, and the memory of the process that does nothing else.
#[test]
#[ignore = "a part of another"]
#[expect(clippy::print_stdout, reason = "figures")]
fn child() {
    let Some(folder) = std::env::var_os(READ) else { return };
    let before = std::time::Instant::now();
    let (log, _) = Log::open(folder.into(), crate::table::TableName::new("audit_logs").unwrap()).unwrap();
    let end = *log.tail.borrow();
    let mut reader = Reader::new(log);
    let mut records = 0;
    while reader.next() < end {
        records += reader.read(512, 1 << 20).unwrap().len() as u64;
    }
    assert_eq!((records, reader.take_damaged()), (end - FIRST, 0));
    println!("@ {records} records read in {:?}; {}", before.elapsed(), peak());
}

fn peak() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned()
}

/// Written, not sparse; how long it takes to open, and what a process takes at most that reads it, both from the disk
/// where the system lets go of its cache.
#[test]
#[ignore = "writes 2 GiB"]
#[expect(clippy::print_stderr, reason = "figures")]
fn two_gibibytes_open_at_once() {
    const SEGMENT: usize = 16 << 20;
    let dir = Dir::new();
    let (mut number, mut total) = (0, 0);
    while total < 2 << 30 {
        let base = number;
        let mut bytes = Vec::with_capacity(SEGMENT);
        while bytes.len() < SEGMENT {
            super::sample::frame(number, &mut bytes);
            number += 1;
        }
        total += bytes.len();
        let path = dir.write(FIRST + base, &bytes);
        fs::File::open(path).unwrap().sync_all().unwrap();
    }
    let forget = || fs::write("/proc/sys/vm/drop_caches", "3").is_ok();
    let is_cold = forget();
    let before = std::time::Instant::now();
    let (log, recovery) = dir.open();
    let opened = before.elapsed();
    assert_eq!((recovery.records, *log.tail.borrow()), (number, FIRST + number));
    let mut reader = Reader::new(log);
    let first = reader.read(256, 1 << 20).unwrap().len();
    let ready = before.elapsed();
    eprintln!("{number} records, {total} bytes, cold: {is_cold}; opened in {opened:?}, {first} read by {ready:?}");
    forget();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "spool::hostile::child", "--ignored", "--nocapture", "--test-threads=1"]);
    let output = child.env(READ, &dir.0).output().unwrap();
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).unwrap();
    let told = output.lines().find_map(|line| line.split_once("@ ")).unwrap().1;
    eprintln!("{told}");
    let kib = told.split_ascii_whitespace().rev().nth(1).unwrap();
    assert!(kib.parse::<u64>().unwrap() < 64 << 10, "constant memory");
    assert!(ready < std::time::Duration::from_secs(2), "{ready:?}");
}
