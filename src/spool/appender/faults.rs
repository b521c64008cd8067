//! Faults for real: strace fails, or kills at, every system call on the spool's files in turn. What a power cut would have
//! left is made of what strace saw: of each file as much as the last `fsync` that succeeded had taken.
#![cfg(target_os = "linux")]

use std::{collections::HashMap, fs, io::Write as _, process::Command, time::Duration};

use uuid::Uuid;

use super::{
    tests::{Dir, Spool},
    *,
};
use crate::{
    config::Sync,
    event::Event,
    spool::sample::needs,
    spool::{
        reader::Reader,
        segment::{self, FIRST},
    },
    table::TableName,
};

const CHILD: &str = "TRACEVAULT_SPOOL_CHILD";
const ROUNDS: usize = 8;
/// Three of these, and four rounds, fill a segment.
const LARGE: usize = 5_000;

/// The process that is failed: what it was told of its emits goes to its output.
#[test]
#[ignore = "a part of others"]
fn child() {
    let Ok(asked) = std::env::var(CHILD) else { return };
    let (dir, how) = asked.rsplit_once('|').unwrap();
    let (sync, when_full) = match how {
        "always" => (Sync::Always, WhenFull::Wait),
        "reject" => (Sync::Always, WhenFull::Reject),
        "interval" => (Sync::Interval(Duration::from_millis(20)), WhenFull::Wait),
        _ => (Sync::Os, WhenFull::Wait),
    };
    // One by one, each is a write of its own, whatever the threads do.
    let (rounds, each) = if how == "one by one" { (3 * ROUNDS, 1) } else { (ROUNDS, 3) };
    let settings = SpoolSettings { dir: dir.into(), sync, max_bytes: 1 << 30, segment_bytes: 64 << 10 };
    let say = |line: &str| {
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes()).unwrap();
        out.flush().unwrap();
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let spool = Spool::with(settings, when_full);
        let log = spool.log("one");
        for _ in 0..rounds {
            let (ids, records): (Vec<_>, Vec<_>) = (0..each)
                .map(|_| {
                    let event = Event::new("large").data(serde_json::json!({ "text": "x".repeat(LARGE) }));
                    let record = Record::of(&event, None, &spool.root).unwrap();
                    (record.id(), record)
                })
                .unzip();
            let answers = records.into_iter().map(|record| {
                let (ack, answer) = oneshot::channel();
                spool.appender.push(Append { ack: Some(ack), ..spool.append(&log, record) });
                answer
            });
            let answers = futures_util::future::join_all(answers);
            let Ok(answers) = tokio::time::timeout(Duration::from_millis(400), answers).await else {
                // Full, and waiting for ever.
                std::process::exit(0);
            };
            for (id, answer) in ids.iter().zip(answers) {
                let told = match answer.unwrap() {
                    Ok(()) => "kept",
                    Err(unkept) if unkept.error.outcome() == Outcome::Rejected => "rejected",
                    Err(_) => "unknown",
                };
                say(&format!("\n@ {told} {id}\n"));
            }
        }
        if tokio::time::timeout(Duration::from_millis(400), spool.appender.settled()).await.is_ok() {
            say("\n@ settled\n");
        }
        std::process::exit(0);
    });
}

/// What a child was told, and what strace saw.
struct Run {
    dir: Dir,
    kept: Vec<Uuid>,
    rejected: Vec<Uuid>,
    settled: bool,
    calls: Vec<Call>,
}

/// A system call that ended.
struct Call {
    name: String,
    path: String,
    /// The last of its arguments.
    argument: String,
    result: i64,
}

const CALLS: [&str; 7] = ["openat", "write", "fdatasync", "rename", "fsync", "ftruncate", "unlink"];

impl Run {
    /// `injected`: as strace takes it.
    fn new(how: &str, injected: &[&str]) -> Self {
        let dir = Dir::new();
        fs::create_dir(&dir.0).unwrap();
        let trace = dir.0.join("trace");
        let folder = dir.0.join("one");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-y", "-qqq", "-s", "0", "-o"]).arg(&trace);
        strace.arg("-e").arg(format!("trace={}", CALLS.join(",")));
        for injected in injected {
            strace.arg("-e").arg(format!("inject={injected}"));
        }
        strace.arg("-P").arg(&folder).arg("-P").arg(folder.join("new"));
        for number in 0..60 {
            strace.arg("-P").arg(segment::path(&folder, FIRST + number));
        }
        strace.arg(std::env::current_exe().unwrap());
        strace.args(["--exact", "spool::appender::faults::child", "--ignored", "--nocapture", "--test-threads=1"]);
        let output = strace.env(CHILD, format!("{}|{how}", dir.0.display())).output().unwrap();
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = |what: &str| -> Vec<Uuid> {
            let ids =
                output.lines().filter_map(|line| line.strip_prefix("@ ")?.strip_prefix(what)?.trim().parse().ok());
            ids.collect()
        };
        let calls = fs::read_to_string(trace).unwrap().lines().filter_map(call).collect();
        Self { kept: told("kept"), rejected: told("rejected"), settled: output.contains("@ settled"), dir, calls }
    }

    /// Leaves of each file what is sure to be on disk.
    fn cut_power(&self) {
        let (mut written, mut synced) = (HashMap::<&str, u64>::new(), HashMap::<&str, u64>::new());
        let mut listed = Vec::new();
        for Call { name, path, argument, result } in &self.calls {
            match name.as_str() {
                "write" if *result > 0 => *written.entry(path).or_default() += result.unsigned_abs(),
                "ftruncate" if *result == 0 => {
                    written.insert(path, argument.parse().unwrap());
                }
                "openat" if *result >= 0 && path.ends_with("/new") => {
                    written.insert(path, 0);
                    synced.remove(&**path);
                }
                "rename" if *result == 0 => {
                    written.remove(&**path).map(|length| written.insert(argument, length));
                    synced.remove(&**path).map(|length| synced.insert(argument, length));
                }
                "fdatasync" | "fsync" if *result == 0 && path.ends_with("/one") => {
                    listed = written.keys().copied().collect();
                }
                "fdatasync" | "fsync" if *result == 0 => {
                    synced.insert(path, written.get(&**path).copied().unwrap_or_default());
                }
                "unlink" if *result == 0 => {
                    written.remove(&**path);
                    synced.remove(&**path);
                }
                _ => {}
            }
        }
        for path in written.into_keys() {
            // Where nothing was in it, the first look has removed it.
            let Ok(file) = fs::OpenOptions::new().write(true).open(path) else { continue };
            match synced.get(path).filter(|_| listed.contains(&path)) {
                Some(length) => file.set_len(*length).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
        }
    }

    /// How many are there; each once, and as they were told.
    fn check(&self, what: &str) -> usize {
        let found = self.found(what);
        for id in &self.kept {
            assert!(found.contains_key(id), "{what}: {id} was acknowledged and is lost");
        }
        for id in &self.rejected {
            assert!(!found.contains_key(id), "{what}: {id} was rejected and is there");
        }
        found.len()
    }

    /// What is there, once each.
    fn found(&self, what: &str) -> HashMap<Uuid, usize> {
        let table = TableName::new("one").unwrap();
        let (log, _) = Log::open(self.dir.0.join("one"), table).unwrap();
        let mut reader = Reader::new(log);
        let mut found = HashMap::new();
        loop {
            let read = reader.read(100, usize::MAX).unwrap();
            if read.is_empty() {
                break;
            }
            for stored in read {
                *found.entry(stored.record.id()).or_insert(0) += 1;
            }
        }
        assert!(found.values().all(|times| *times == 1), "{what}: something is there twice");
        assert_eq!(reader.take_damaged(), 0, "{what}");
        found
    }

    fn count(&self, name: &str) -> usize {
        self.calls.iter().filter(|call| call.name == name).count()
    }
}

/// A line of strace's.
fn call(line: &str) -> Option<Call> {
    let (_, rest) = line.split_once(' ')?;
    let (name, rest) = rest.trim_start().split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") = ")?;
    let path = match arguments.split_once('"') {
        Some((_, path)) if ["openat", "unlink", "rename"].contains(&name) => path.split_once('"')?.0,
        _ => arguments.split_once('<')?.1.split_once('>')?.0,
    };
    let argument = arguments.rsplit_once(", ").map_or("", |(_, last)| last.trim_matches('"')).to_owned();
    let result = result.split(['<', ' ']).next()?.parse().ok()?;
    Some(Call { name: name.to_owned(), path: path.to_owned(), argument, result })
}

fn has_strace() -> bool {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success());
    needs::needs("strace", works, "apt-get install strace")
}

/// Every call in turn, by this fault, once and from then on; and each time what comes after it fails too.
fn each_call(how: &str, fault: &str, then: &[&str]) {
    if !has_strace() {
        return;
    }
    let clean = Run::new(how, &[]);
    assert!(clean.settled);
    assert_eq!((clean.kept.len(), clean.check("no fault")), (3 * ROUNDS, 3 * ROUNDS));
    let (mut runs, mut survived) = (0, 0);
    for name in CALLS {
        for number in 1..=clean.count(name) {
            let once = format!("{name}:{fault}:when={number}");
            let lasting = format!("{once}+");
            let mut faults = vec![vec![&*once], vec![&*lasting]];
            faults.extend(then.iter().filter(|then| !then.starts_with(name)).map(|then| vec![&*once, then]));
            for faults in faults {
                let run = Run::new(how, &faults);
                let what = faults.join(", ");
                run.check(&what);
                if how != "interval" || run.settled {
                    run.cut_power();
                    run.check(&format!("{what}, and a power cut"));
                }
                runs += 1;
                survived += usize::from(run.settled);
            }
        }
    }
    assert!(runs > 50, "{runs}");
    assert!(survived > runs / 3 || fault.contains("KILL"), "{survived} of {runs}");
}

#[test]
fn each_call_is_killed() {
    each_call("always", "signal=KILL", &[]);
}

#[test]
fn each_call_fails() {
    let then = ["openat:error=EIO:when=5+", "write:error=EIO:when=7+", "fsync:error=EIO:when=2+", "unlink:error=EIO"];
    each_call("always", "error=EIO", &then);
}

#[test]
fn each_call_finds_no_space() {
    let then = ["ftruncate:error=EIO", "fdatasync:error=EIO:when=3+", "unlink:error=EIO"];
    each_call("reject", "error=ENOSPC", &then);
}

#[test]
fn each_call_finds_no_space_and_waits() {
    each_call("always", "error=ENOSPC", &["ftruncate:error=EIO", "fdatasync:error=EIO:when=3+"]);
}

#[test]
fn each_call_fails_between_intervals() {
    let then = ["openat:error=EIO:when=5+", "write:error=EIO:when=9", "fdatasync:error=EIO:when=3"];
    each_call("interval", "error=EIO", &then);
}

#[test]
fn a_segment_that_failed_and_could_not_be_removed_is_replaced() {
    if !has_strace() {
        return;
    }
    let run = Run::new("always", &["fdatasync:error=EIO:when=1", "unlink:error=EIO:when=1"]);
    assert!(run.settled && (3 * ROUNDS - 3..3 * ROUNDS).contains(&run.kept.len()), "{}", run.kept.len());
    assert_eq!(run.check("leftover"), run.kept.len());
}

#[test]
fn each_policy_syncs_as_often_as_it_says() {
    if !has_strace() {
        return;
    }
    let synced = |how| {
        let run = Run::new(how, &[]);
        assert_eq!(run.check(how), 3 * ROUNDS);
        run.count("fdatasync")
    };
    // Two segments made, the first one left, and the end.
    assert_eq!(synced("os"), 4);
    assert!(synced("always") >= ROUNDS);
    let run = Run::new("interval", &["write:delay_exit=10000"]);
    let (writes, syncs) = (run.count("write"), run.count("fdatasync"));
    assert!(writes >= ROUNDS + 3 && syncs > 4 && syncs < writes - 2, "{syncs} of {writes}");
}

/// The control: without `fsync` a power cut takes what was acknowledged, and this is seen.
#[test]
fn a_power_cut_takes_what_was_left_to_the_system() {
    if !has_strace() {
        return;
    }
    // The header, the first record, which is synced with its segment, and seven more, of the twelve that fill it.
    let run = Run::new("one by one", &["write:signal=KILL:when=10"]);
    assert_eq!(run.kept.len(), 8);
    assert_eq!(run.check("before the power cut"), 8);
    run.cut_power();
    let after = run.found("after");
    assert!(after.len() == 1 && after.contains_key(&run.kept[0]), "{} of 8", after.len());
}
