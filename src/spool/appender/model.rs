//! A model of the spool, with crashes among its actions, against the real parts on a real disk. What `fsync` is worth is
//! taken from what is promised here: that it is called, `faults` shows.

mod disk;

use std::{fs, sync::Arc, time::Duration};

use proptest::prelude::*;
use tokio::runtime::Runtime;
use uuid::Uuid;

use self::disk::{Entry, Table};
use super::{
    tests::{Dir, Spool},
    *,
};
use crate::{
    config::Sync,
    event::Event,
    spool::{reader::Reader, recovery::Recovery, segment},
    table::TableName,
};

const SEGMENT: u64 = 2_048;

#[derive(Debug, Clone)]
enum Action {
    /// Records of these sizes, some with ids of their own, to this log and the ones after it in turn.
    Append {
        log: usize,
        records: Vec<(usize, bool)>,
    },
    /// All is synced.
    Settle,
    Read {
        log: usize,
        records: usize,
    },
    /// The cursor moves by this share of what was read.
    Advance {
        log: usize,
        share: u16,
    },
    /// A segment fails with frames in it that were not acknowledged, and is given up.
    GiveUp {
        log: usize,
        stale: usize,
    },
    Close {
        damage: Option<Damage>,
    },
    Kill {
        unacknowledged: usize,
        damage: Option<Damage>,
    },
    PowerCut {
        unacknowledged: usize,
        cut: u16,
        slots: (u16, u16),
        back: u16,
    },
}

/// One bit of one file.
#[derive(Debug, Clone, Copy)]
struct Damage {
    log: usize,
    file: u16,
    bit: u16,
}

fn action() -> impl Strategy<Value = Action> {
    let log = 0..3_usize;
    let damage = || {
        let damage = (0..3_usize, any::<u16>(), any::<u16>()).prop_map(|(log, file, bit)| Damage { log, file, bit });
        proptest::option::weighted(0.3, damage)
    };
    let records = proptest::collection::vec((0..500_usize, proptest::bool::weighted(0.2)), 1..12);
    // The ends more often than what lies between.
    let share = || prop_oneof![Just(0), Just(u16::MAX), any::<u16>()];
    let slots = (share(), share());
    prop_oneof![
        6 => (log.clone(), records).prop_map(|(log, records)| Action::Append { log, records }),
        1 => Just(Action::Settle),
        4 => (log.clone(), 1..30_usize).prop_map(|(log, records)| Action::Read { log, records }),
        4 => (log.clone(), share()).prop_map(|(log, share)| Action::Advance { log, share }),
        1 => (log, 1..4_usize).prop_map(|(log, stale)| Action::GiveUp { log, stale }),
        1 => damage().prop_map(|damage| Action::Close { damage }),
        1 => (0..3_usize, damage()).prop_map(|(unacknowledged, damage)| Action::Kill { unacknowledged, damage }),
        2 => (0..3_usize, share(), slots, share()).prop_map(|(unacknowledged, cut, slots, back)| {
            Action::PowerCut { unacknowledged, cut, slots, back }
        }),
    ]
}

/// A process: the real parts.
struct Process {
    spool: Spool,
    logs: Vec<(Arc<Log>, Reader)>,
    found: Vec<Recovery>,
}

struct World {
    runtime: Runtime,
    sync: Sync,
    dir: Dir,
    process: Option<Process>,
    /// How many there were.
    number: usize,
    tables: Vec<Table>,
}

impl World {
    fn new(logs: usize, sync: Sync) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dir = Dir::new();
        let tables = (0..logs).map(|_| Table::new()).collect();
        let mut world = Self { runtime, sync, dir, process: None, number: 0, tables };
        world.start();
        world
    }

    fn start(&mut self) {
        let settings =
            SpoolSettings { dir: self.dir.0.clone(), sync: self.sync, max_bytes: 1 << 30, segment_bytes: SEGMENT };
        self.number += 1;
        let spool = Spool::with(settings, WhenFull::Wait);
        let (mut logs, mut found) = (Vec::new(), Vec::new());
        for (number, table) in self.tables.iter_mut().enumerate() {
            let name = TableName::new(&format!("t{number}")).unwrap();
            let (log, recovery) = Log::open(spool.folder.of(&name), name).unwrap();
            table.opened(&log.folder);
            assert_eq!((log.cursor().at(), *log.tail.borrow()), (table.cursor, table.tail), "log {number}");
            assert_eq!(recovery.records, table.tail - table.cursor);
            found.push(recovery);
            logs.push((Arc::clone(&log), Reader::new(log)));
        }
        self.process = Some(Process { spool, logs, found });
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Append { log, records } => self.append(log, &records),
            Action::Settle => {
                let process = self.process.as_ref().unwrap();
                self.runtime.block_on(process.spool.appender.settled());
                self.tables.iter_mut().for_each(Table::synced);
            }
            Action::Read { log, records } => self.read(log % self.tables.len(), records),
            Action::Advance { log, share } => self.advance(log % self.tables.len(), share),
            Action::GiveUp { log, stale } => self.give_up(log % self.tables.len(), stale),
            Action::Close { damage } => {
                let process = self.process.take().unwrap();
                self.runtime.block_on(process.spool.appender.settled());
                for ((log, _), table) in process.logs.iter().zip(&mut self.tables) {
                    table.synced();
                    table.before_removal(&log.folder);
                    log.finish().unwrap();
                    table.finished(&log.folder);
                }
                self.runtime.block_on(process.spool.appender.ended());
                drop(process);
                self.hit(damage);
                self.start();
            }
            Action::Kill { unacknowledged, damage } => {
                self.crash();
                self.leave(unacknowledged);
                self.hit(damage);
                self.start();
            }
            Action::PowerCut { unacknowledged, cut, slots, back } => {
                self.crash();
                self.leave(unacknowledged);
                for (number, table) in self.tables.iter_mut().enumerate() {
                    table.cut_power(&self.dir.0.join(format!("t{number}")), cut, slots, back);
                }
                self.start();
            }
        }
    }

    fn record(&self, size: usize, own: bool) -> Record {
        let event = Event::new("modelled").data(serde_json::json!({ "text": "x".repeat(size) }));
        let event = if own { event.id(Uuid::new_v4()) } else { event };
        Record::of(&event, None, &self.process.as_ref().unwrap().spool.root).unwrap()
    }

    fn append(&mut self, log: usize, records: &[(usize, bool)]) {
        let process = self.process.as_ref().unwrap();
        let mut answers = Vec::new();
        let mut pushed = Vec::new();
        for (at, (size, own)) in records.iter().enumerate() {
            let number = (log + at) % self.tables.len();
            let record = self.record(*size, *own);
            let (ack, answer) = oneshot::channel();
            let append = process.spool.append(&process.logs[number].0, record.clone());
            process.spool.appender.push(Append { ack: Some(ack), ..append });
            answers.push(answer);
            pushed.push((number, record));
        }
        for answer in answers {
            self.runtime.block_on(answer).unwrap().map_err(|unkept| unkept.error).unwrap();
        }
        for (number, record) in pushed {
            let folder = process.logs[number].0.folder.clone();
            self.tables[number].acknowledged(&folder, Entry::new(&record, self.number), self.sync == Sync::Always);
        }
        for ((log, _), table) in process.logs.iter().zip(&self.tables) {
            assert_eq!(*log.tail.borrow(), table.tail);
        }
    }

    /// Exactly what is there, from where it stopped.
    fn read(&mut self, number: usize, records: usize) {
        let process = self.process.as_mut().unwrap();
        let (reader, table) = (&mut process.logs[number].1, &mut self.tables[number]);
        let read = reader.read(records, usize::MAX).unwrap();
        let expected: Vec<_> = table.readable().take(records).map(|(sequence, entry)| (*sequence, entry)).collect();
        assert_eq!(
            read.iter().map(|stored| stored.sequence).collect::<Vec<_>>(),
            expected.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>()
        );
        for (stored, (sequence, entry)) in read.iter().zip(expected) {
            assert!(stored.record.tuple() == entry.tuple, "{sequence} is another");
            assert_eq!(stored.record.own_id(), entry.own || entry.process < self.number, "{sequence}");
        }
        table.lost += reader.take_damaged();
        table.read_to = reader.next();
        let (begin, end) = (table.begin, table.read_to);
        assert_eq!(table.lost, table.hit_between(begin, end), "damage counts as what it took");
    }

    fn advance(&mut self, number: usize, share: u16) {
        let (log, table) = (&self.process.as_ref().unwrap().logs[number].0, &mut self.tables[number]);
        let most = table.read_to.saturating_sub(table.cursor);
        let to = table.cursor + most * (u64::from(share) + 1) / (1 << 16);
        table.before_removal(&log.folder);
        let freed = log.advance(to).unwrap();
        table.advanced(&log.folder, to, freed > 0);
    }

    fn give_up(&mut self, number: usize, stale: usize) {
        let Some(open) = self.tables[number].open else { return };
        let folder = self.process.as_ref().unwrap().logs[number].0.folder.clone();
        let stale: Vec<_> = (0..stale).map(|_| self.record(20, false)).collect();
        disk::add(&segment::path(&folder, open), self.tables[number].tail, &stale);
        // Larger than what is left of the segment, and so in the next.
        self.append(number, &[(usize::try_from(SEGMENT).unwrap(), false)]);
    }

    /// All is dropped without a close, and goes on with a copy of what was there.
    fn crash(&mut self) {
        let process = self.process.take().unwrap();
        let copy = Dir::new();
        for number in 0..self.tables.len() {
            let folder = format!("t{number}");
            fs::create_dir_all(copy.0.join(&folder)).unwrap();
            for entry in fs::read_dir(self.dir.0.join(&folder)).unwrap().map(Result::unwrap) {
                if entry.path().is_file() {
                    fs::copy(entry.path(), copy.0.join(&folder).join(entry.file_name())).unwrap();
                }
            }
        }
        drop(process);
        self.dir = copy;
    }

    /// Frames that were written, and whose emits never heard of it.
    fn leave(&mut self, unacknowledged: usize) {
        let root = crate::config::Config::default().resolve().unwrap().root;
        for (number, table) in self.tables.iter_mut().enumerate() {
            let Some(open) = table.open else { continue };
            let folder = self.dir.0.join(format!("t{number}"));
            if !segment::path(&folder, open).exists() {
                continue;
            }
            let event = Event::new("unacknowledged");
            let records: Vec<_> = (0..unacknowledged).map(|_| Record::of(&event, None, &root).unwrap()).collect();
            disk::add(&segment::path(&folder, open), table.tail, &records);
            for record in records {
                table.acknowledged(&folder, Entry::new(&record, self.number), false);
            }
        }
    }

    fn hit(&mut self, damage: Option<Damage>) {
        let Some(Damage { log, file, bit }) = damage else { return };
        let number = log % self.tables.len();
        self.tables[number].hit(&self.dir.0.join(format!("t{number}")), file, bit);
    }

    /// Whatever happened, all that is to be there is.
    fn end(&mut self) {
        self.act(Action::Kill { unacknowledged: 0, damage: None });
        for number in 0..self.tables.len() {
            self.read(number, usize::MAX);
            assert_eq!(self.tables[number].read_to, self.tables[number].tail);
        }
        assert!(self.process.as_ref().unwrap().found.iter().all(|found| found.damage.len() <= 1));
    }
}

#[test]
fn it_does_as_the_model_whatever_crashes() {
    let cases = if std::env::var_os("TRACEVAULT_LONG").is_some() { 2_000 } else { 64 };
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let sync = prop_oneof![Just(Sync::Always), Just(Sync::Interval(Duration::from_secs(3_600)))];
    proptest!(config, |(logs in 1..4_usize, sync in sync, actions in proptest::collection::vec(action(), 1..60))| {
        let mut world = World::new(logs, sync);
        for action in actions {
            world.act(action);
        }
        world.end();
    });
}
