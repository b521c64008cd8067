//! In which order a log is taken off the disk, as strace sees it.
#![cfg(target_os = "linux")]

use std::process::Command;

use super::{
    super::sample::{Dir, needs},
    *,
};

const CHILD: &str = "TRACEVAULT_SPOOL_ORDER";

/// The process that is watched.
#[test]
#[ignore = "a part of another"]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let table = TableName::new("audit_logs").unwrap();
    let (log, _) = Log::open(folder.into(), table).unwrap();
    log.advance(FIRST + 9).unwrap();
    log.advance(FIRST + 20).unwrap();
    log.advance(FIRST + 25).unwrap();
    log.finish().unwrap();
}

/// The calls on the folder, the cursor and the segments: "unlink 20".
fn watched(dir: &Dir) -> Vec<String> {
    let trace = dir.0.join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qqq", "-s", "0", "-e", "trace=write,fsync,fdatasync,unlink,unlinkat", "-o"]).arg(&trace);
    strace.arg("-P").arg(&dir.0).arg("-P").arg(dir.0.join(cursor::NAME));
    for number in [0, 10, 20] {
        strace.arg("-P").arg(segment::path(&dir.0, FIRST + number));
    }
    strace.arg(std::env::current_exe().unwrap());
    strace.args(["--exact", "spool::log::order::child", "--ignored", "--test-threads=1"]);
    assert!(strace.env(CHILD, &dir.0).output().unwrap().status.success());
    let folder = dir.0.to_str().unwrap();
    let seen = fs::read_to_string(trace).unwrap();
    let calls = seen.lines().filter_map(|line| {
        let (_, call) = line.split_once(' ')?;
        let (name, rest) = call.trim_start().split_once('(')?;
        let (_, below) = rest.split_once(folder)?;
        let file = below.trim_start_matches('/').split(['"', '>', ',']).next()?;
        let file = segment::base(file).map_or(file.to_owned(), |base| (base - FIRST).to_string());
        let file = if file.is_empty() { "folder" } else { &file };
        Some(format!("{} {file}", name.trim_end_matches("at")))
    });
    calls.collect()
}

#[test]
fn a_segment_is_removed_once_the_cursor_is_on_disk_and_then_its_folder_is_synced() {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success());
    if !needs::needs("strace", works, "apt-get install strace") {
        return;
    }
    let dir = Dir::new();
    for numbers in [0..10, 10..20, 20..25] {
        dir.segment(numbers);
    }
    let calls = watched(&dir);
    let last = calls.iter().rposition(|call| call == "fsync cursor").map_or(0, |made| made + 2);
    assert_eq!(
        calls[last..],
        [
            // What a process before left to the system.
            "fdatasync 20",
            // Where it begins; nine are done with; twenty; all.
            "write cursor",
            "write cursor",
            "write cursor",
            "fdatasync cursor",
            "unlink 0",
            "unlink 10",
            "fsync folder",
            "write cursor",
            "fdatasync cursor",
            "fdatasync cursor",
            "unlink 20",
            "fsync folder",
        ]
    );
}
