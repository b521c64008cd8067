//! Delivery under strace: each call that moves the cursor or removes a segment fails, or is the last, in turn.

use std::process::Command;

use serde_json::json;
use tracevault::{Config, Event, Mode, SpoolConfig, Tracevault, spool};

use super::Dir;
use crate::{
    kit::{self, Table},
    support::needs,
};

/// Enough for several segments.
const RECORDS: i64 = 600;

struct Case {
    call: &'static str,
    /// Below the folder of the log: which calls are meant. None: the folder's own.
    files: &'static [&'static str],
    what: &'static str,
}

const CASES: [Case; 9] = [
    Case { call: "unlink", files: &["segments"], what: "signal=KILL" },
    Case { call: "unlink", files: &["segments"], what: "error=EIO" },
    Case { call: "write", files: &["cursor"], what: "signal=KILL" },
    Case { call: "write", files: &["cursor"], what: "error=EIO" },
    Case { call: "write", files: &["cursor"], what: "error=ENOSPC" },
    Case { call: "fdatasync", files: &["cursor"], what: "signal=KILL" },
    Case { call: "fdatasync", files: &["cursor"], what: "error=EIO" },
    Case { call: "fsync", files: &[], what: "signal=KILL" },
    Case { call: "fsync", files: &[], what: "error=EIO" },
];

/// The binary that delivers a spool, under strace if `injected` asks for it. `true`: it ended well.
fn replay(dir: &Dir, strace: Option<(&Case, u32, &str)>) -> bool {
    let binary = env!("CARGO_BIN_EXE_tracevault");
    let mut command = match strace {
        None => Command::new(binary),
        Some((Case { call, files, what }, when, table)) => {
            let folder = dir.path.join(table);
            let mut strace = Command::new("strace");
            strace.args(["-f", "-qqq", "-o", "/dev/null"]);
            strace.arg("-e").arg(format!("trace={call}"));
            strace.arg("-e").arg(format!("inject={call}:{what}:when={when}"));
            let mut paths = Vec::new();
            match files {
                [] => paths.push(folder),
                ["cursor"] => paths.push(folder.join("cursor")),
                _ => {
                    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
                    paths.extend(entries.filter(|path| path.extension().is_some_and(|ending| ending == "log")));
                }
            }
            for path in paths {
                strace.arg("-P").arg(path);
            }
            strace.arg(binary);
            strace
        }
    };
    command.args(["spool", "replay"]).arg(&dir.path).env("DATABASE_URL", kit::url());
    command.output().unwrap().status.success()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_at_any_call_of_delivery_loses_nothing_and_stores_nothing_twice() {
    let there = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    if !needs("strace", there, "apt-get install strace") {
        return;
    }
    let table = Table::new("spool_strace").await;
    let full = Dir::new();
    let away = Config::new("host=127.0.0.1 port=1 user=nobody").table_name(&table.name);
    let spool = SpoolConfig::new(&full.path).segment_bytes(64 << 10);
    let audit = Tracevault::new(away.spool(spool)).unwrap();
    for n in 0..RECORDS {
        audit
            .try_emit(Event::new("spooled").mode(Mode::Async).data(json!({ "n": n, "text": "x".repeat(300) })))
            .unwrap();
    }
    audit.close().await.unwrap();
    assert!(spool::list(&full.path).unwrap()[0].segments >= 3);
    let numbers = "array_agg((data->>'n')::bigint ORDER BY (data->>'n')::bigint)";
    let mut interrupted = 0;
    for case in &CASES {
        for when in 1..=3 {
            let dir = Dir::new();
            full.copy_to(&dir);
            let ended = replay(&dir, Some((case, when, &table.name)));
            interrupted += u32::from(!ended);
            let place = format!("{} {:?} {} {when}", case.call, case.files, case.what);
            assert!(spool::check(&dir.path).unwrap().damage.is_empty(), "{place}");
            assert!(replay(&dir, None), "{place}: it starts again");
            assert_eq!(spool::list(&dir.path).unwrap()[0].records, 0, "{place}");
            let stored: Vec<i64> = table.select(numbers, "", &[]).await[0].get(0);
            assert_eq!(stored, (0..RECORDS).collect::<Vec<_>>(), "{place}");
            table.sql.batch_execute(&format!("TRUNCATE \"{}\"", table.name)).await.unwrap();
        }
    }
    assert!(interrupted >= 6, "strace reaches them: {interrupted}");
    table.drop().await;
}
