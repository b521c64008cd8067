//! What the model knows of one log on disk, and what a power cut or a flipped bit makes of it.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path};

use crate::{
    record::Record,
    spool::{
        cursor,
        frame::{Frame, HEAD, Kind},
        segment::{self, FIRST, HEADER},
    },
};

/// From one slot of the cursor to the other.
const APART: usize = 512;

/// A record on disk.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) tuple: Vec<u8>,
    /// Its id is the caller's.
    pub(super) own: bool,
    /// Which process wrote it.
    pub(super) process: usize,
    base: u64,
    /// Where its frame ends in the segment.
    end: u64,
    synced: bool,
    hit: bool,
}

impl Entry {
    pub(super) fn new(record: &Record, process: usize) -> Self {
        let (tuple, own) = (record.tuple().to_vec(), record.own_id());
        Self { tuple, own, process, base: 0, end: 0, synced: false, hit: false }
    }

    fn size(&self) -> u64 {
        (HEAD + self.tuple.len()) as u64
    }
}

/// A log as it should be.
pub(super) struct Table {
    entries: BTreeMap<u64, Entry>,
    pub(super) tail: u64,
    pub(super) cursor: u64,
    /// The cursor's file: as it is on disk for sure, then as it was after each write since.
    cursors: Vec<Vec<u8>>,
    /// Where this process began to read, and has got to.
    pub(super) begin: u64,
    pub(super) read_to: u64,
    pub(super) lost: u64,
    /// The segment that this process writes to.
    pub(super) open: Option<u64>,
    /// Segments that were removed by the last call that did so, in order.
    removed: Vec<(u64, Vec<u8>)>,
    before: Vec<(u64, Vec<u8>)>,
    /// The segment that ends within a frame.
    torn: Option<u64>,
    was_hit: bool,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            tail: FIRST,
            cursor: FIRST,
            cursors: Vec::new(),
            begin: FIRST,
            read_to: FIRST,
            lost: 0,
            open: None,
            removed: Vec::new(),
            before: Vec::new(),
            torn: None,
            was_hit: false,
        }
    }

    /// A process goes on with it: what it found is on disk from now on.
    pub(super) fn opened(&mut self, folder: &Path) {
        self.synced();
        let file = fs::read(folder.join(cursor::NAME)).unwrap();
        self.cursors = vec![file];
        (self.begin, self.read_to, self.lost, self.open) = (self.cursor, self.cursor, 0, None);
        self.removed.clear();
    }

    pub(super) fn synced(&mut self) {
        self.entries.values_mut().for_each(|entry| entry.synced = true);
    }

    /// It stands at the end.
    pub(super) fn acknowledged(&mut self, folder: &Path, mut entry: Entry, synced: bool) {
        entry.base = segment::list(folder).unwrap().into_iter().rfind(|base| *base <= self.tail).unwrap();
        let last = self.entries.values().next_back().filter(|last| last.base == entry.base);
        entry.end = last.map_or(HEADER as u64, |last| last.end) + entry.size();
        // With its first frames a segment is synced before it has its name.
        entry.synced = synced || last.is_none();
        if self.open != Some(entry.base) {
            // And the one before when it is left.
            self.synced();
            self.open = Some(entry.base);
        }
        self.entries.insert(self.tail, entry);
        self.tail += 1;
    }

    /// What is to be read next.
    pub(super) fn readable(&self) -> impl Iterator<Item = (&u64, &Entry)> {
        self.entries.range(self.read_to..).filter(|(_, entry)| !entry.hit)
    }

    pub(super) fn hit_between(&self, begin: u64, end: u64) -> u64 {
        self.entries.range(begin..end).filter(|(_, entry)| entry.hit).count() as u64
    }

    pub(super) fn before_removal(&mut self, folder: &Path) {
        let bases = segment::list(folder).unwrap();
        self.before = bases.into_iter().map(|base| (base, fs::read(segment::path(folder, base)).unwrap())).collect();
    }

    pub(super) fn advanced(&mut self, folder: &Path, to: u64, freed: bool) {
        self.cursor = to.max(self.cursor);
        let file = fs::read(folder.join(cursor::NAME)).unwrap();
        if freed {
            self.cursors = vec![file];
            let there = segment::list(folder).unwrap();
            self.before.retain(|(base, _)| !there.contains(base));
            self.removed = std::mem::take(&mut self.before);
            assert!(!self.removed.is_empty());
        } else {
            self.cursors.push(file);
        }
    }

    pub(super) fn finished(&mut self, folder: &Path) {
        let there = segment::list(folder).unwrap().len();
        let freed = there < self.before.len();
        self.advanced(folder, self.cursor, freed);
        self.cursors = vec![fs::read(folder.join(cursor::NAME)).unwrap()];
        assert!(self.cursor < self.tail || there == 0, "nothing is left of what is done with");
    }

    /// Every file as much as it is sure to have, or more; the cursor as of any write that was not synced; and segments,
    /// the last of those that were removed, back.
    pub(super) fn cut_power(&mut self, folder: &Path, cut: u16, slots: (u16, u16), back: u16) {
        let share = |of: u64, share: u16| of * (u64::from(share) + 1) / (1 << 16);
        if let Some(last) = segment::list(folder).unwrap().pop() {
            let path = segment::path(folder, last);
            let of_it = || self.entries.values().filter(|entry| entry.base == last);
            let synced = of_it().filter(|entry| entry.synced).map(|entry| entry.end).max();
            let length = fs::metadata(&path).unwrap().len();
            let synced = synced.unwrap_or(if of_it().next().is_some() { HEADER as u64 } else { length });
            let synced = synced.min(length);
            let left = synced + share(length - synced, cut);
            if of_it().any(|entry| !entry.synced) {
                fs::File::options().write(true).open(&path).unwrap().set_len(left).unwrap();
                self.torn = of_it().all(|entry| entry.end != left).then_some(last);
                self.entries.retain(|_, entry| entry.base != last || entry.end <= left);
            }
        }
        let pick = |share_of: u16| usize::try_from(share(self.cursors.len() as u64, share_of)).unwrap();
        let [one, other] = [slots.0, slots.1].map(|share| &self.cursors[pick(share).min(self.cursors.len() - 1)]);
        let file = [&one[..APART], &other[APART..]].concat();
        fs::write(folder.join(cursor::NAME), &file).unwrap();
        let number = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
        let newest = if number(0) > number(APART) { 0 } else { APART };
        self.cursor = number(newest + 8);
        let first = usize::try_from(share(self.removed.len() as u64, back)).unwrap();
        for (base, bytes) in &self.removed[first..] {
            fs::write(segment::path(folder, *base), bytes).unwrap();
        }
        let last = segment::list(folder).unwrap().pop().unwrap_or_default();
        let end = self.entries.keys().next_back().map_or(0, |sequence| sequence + 1);
        self.tail = end.max(last).max(self.cursor);
    }

    /// One bit of a segment, once in its life.
    pub(super) fn hit(&mut self, folder: &Path, file: u16, bit: u16) {
        let bases = segment::list(folder).unwrap();
        if self.was_hit || bases.is_empty() || self.torn == bases.last().copied() {
            return;
        }
        self.was_hit = true;
        let base = bases[usize::from(file) % bases.len()];
        let path = segment::path(folder, base);
        let mut bytes = fs::read(&path).unwrap();
        let bit = usize::from(bit) * 7 % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes).unwrap();
        let at = (bit / 8) as u64;
        let of_it = self.entries.values_mut().filter(|entry| entry.base == base);
        for entry in of_it {
            entry.hit |= (entry.end - entry.size()..entry.end).contains(&at);
        }
    }
}

/// Frames behind all that a segment has.
pub(super) fn add(path: &Path, first: u64, records: &[Record]) {
    let mut bytes = Vec::new();
    for (sequence, record) in (first..).zip(records) {
        let again = record.own_id();
        Frame { sequence, accepted_at: 1, kind: Kind::Record, again, payload: record.tuple() }.write(&mut bytes);
    }
    fs::File::options().append(true).open(path).unwrap().write_all(&bytes).unwrap();
}
