//! `tracevault spool`.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use serde_json::json;
use tracevault::{Config, Event, Mode, ScopeOverrides, SpoolConfig, Tracevault, generate_init_sql};

use super::{Ran, run, run_at};
use crate::{
    kit::{CANARY, Table},
    spool::Dir,
    support::needs,
};

/// Where nobody listens.
const AWAY: &str = "host=127.0.0.1 port=1 user=nobody connect_timeout=1";
/// Turns the text around, ends the line, and colours the terminal: where an event's name may hold it.
const HOSTILE: &str = "odd\u{202e}\u{2028}name";

fn spool(command: &str, dir: &Dir, more: &[&str]) -> Ran {
    run(&[&["spool", command, dir.path.to_str().unwrap()], more].concat(), "")
}

fn numbered(n: usize) -> Event<'static> {
    Event::new("numbered").mode(Mode::Async).data(json!({ "n": n, "secret": CANARY }))
}

/// A root on this directory that never reaches a database.
fn away(table: &Table, dir: &Dir) -> Tracevault {
    Tracevault::new(Config::new(AWAY).table_name(&table.name).spool(SpoolConfig::new(&dir.path))).unwrap()
}

/// So many events for this table in a directory that nobody uses.
async fn filled(table: &Table, count: usize) -> Dir {
    let dir = Dir::new();
    let audit = away(table, &dir);
    for n in 0..count {
        audit.emit(numbered(n)).await.unwrap();
    }
    audit.close().await.unwrap();
    dir
}

/// One record that the table refuses, beside others that it takes; in a directory that nobody uses.
async fn refused(table: &Table) -> Dir {
    let odd = format!("ALTER TABLE {} ADD CONSTRAINT odd CHECK (event NOT LIKE 'odd%')", table.name);
    table.sql.batch_execute(&odd).await.unwrap();
    let dir = Dir::new();
    let audit = Tracevault::new(table.config().spool(SpoolConfig::new(&dir.path)).on_error(|_, _| {})).unwrap();
    for n in 0..3 {
        audit.emit(numbered(n)).await.unwrap();
    }
    audit
        .emit(Event::new(HOSTILE).mode(Mode::Async).data(json!({ "text": "\u{1b}[31m\u{202e}payload" })))
        .await
        .unwrap();
    let drained = audit.flush().await.unwrap();
    assert_eq!((drained.stored, drained.failed), (3, 1));
    audit.close().await.unwrap();
    dir
}

/// Every file below, with its bytes.
fn contents(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            all.extend(contents(&entry.path()));
        } else {
            all.insert(entry.path(), fs::read(entry.path()).unwrap());
        }
    }
    all
}

fn segment(dir: &Dir, table: &Table) -> PathBuf {
    let all = contents(&dir.path.join(&table.name));
    all.into_keys().find(|path| path.extension().is_some_and(|ending| ending == "log")).unwrap()
}

#[tokio::test]
async fn ls_shows_a_line_a_table_while_a_process_uses_them() {
    let (one, other, dir) = (Table::missing("cli_ls").await, Table::missing("cli_ls_other").await, Dir::new());
    let audit = away(&one, &dir);
    let overrides = ScopeOverrides::new().table_name(&other.name).schema("Elsewhere");
    let scope = audit.scope(overrides).unwrap();
    for n in 0..7 {
        audit.emit(numbered(n)).await.unwrap();
    }
    scope.emit(numbered(7)).await.unwrap();
    let before = contents(&dir.path);
    let ran = spool("ls", &dir, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(contents(&dir.path), before, "nothing is changed");
    let rows: Vec<Vec<&str>> = ran.out.lines().map(|line| line.split_whitespace().collect()).collect();
    let titles = ["TABLE", "RECORDS", "BYTES", "SEGMENTS", "OLDEST", "DEAD", "LETTERS", "DAMAGED", "FILES"];
    assert_eq!(rows[0], titles);
    let row = |name: &str| rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("{name}: {}", ran.out));
    let (here, there) = (row(&one.name), row(&format!("Elsewhere.{}", other.name)));
    assert_eq!((here[1], here[3], here[5], here[6]), ("7", "1", "0", "0"));
    assert_eq!((there[1], there[3], there[5], there[6]), ("1", "1", "0", "0"));
    assert!(here[2].parse::<u64>().unwrap() > 7 * 28 && here[4].ends_with('Z'), "{here:?}");
    audit.close().await.unwrap();
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_named_and_not_made() {
    let dir = Dir::new();
    for (command, more) in [
        ("ls", &[][..]),
        ("fsck", &[]),
        ("dead-letters", &[]),
        ("dead-letters", &["--redrive"]),
        ("replay", &[]),
        ("replay", &["--for", "1s"]),
    ] {
        let ran = spool(command, &dir, more);
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{command} {more:?}: {}", ran.err);
        assert!(ran.err.contains(dir.path.to_str().unwrap()), "{}", ran.err);
        assert!(!dir.path.exists(), "{command} {more:?}");
    }
}

#[tokio::test]
async fn fsck_finds_nothing_where_nothing_is_wrong_and_names_each_damage() {
    let table = Table::missing("cli_fsck").await;
    let dir = filled(&table, 50).await;
    let ran = spool("fsck", &dir, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.starts_with("frames 50, bytes ") && ran.out.ends_with(", torn bytes 0, damaged places 0\n"));

    // In the middle of the payload of the third frame.
    let path = segment(&dir, &table);
    let bytes = fs::read(&path).unwrap();
    let length = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize + 8;
    let second = 32 + length(32);
    let third = second + length(second);
    let end = third + length(third);
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[bytes[third + 60] ^ 4], third as u64 + 60).unwrap();
    let before = contents(&dir.path);
    let ran = spool("fsck", &dir, &[]);
    assert_eq!(contents(&dir.path), before, "nothing is changed");
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let (name, number) = (path.file_name().unwrap().to_str().unwrap(), (1_u64 << 32) + 2);
    let expected =
        format!("damaged: {}/{name}, bytes {third} to {end} ({}): record {number} is lost", table.name, end - third);
    assert_eq!(ran.out.lines().next(), Some(expected.as_str()));
    assert!(ran.out.lines().last().unwrap().starts_with("frames 49, bytes "), "{}", ran.out);
    assert!(ran.out.ends_with(", damaged places 1\n"), "{}", ran.out);
    // What the root of a volume has is no remark.
    fs::create_dir(dir.path.join("lost+found")).unwrap();
    assert_eq!(spool("fsck", &dir, &[]).out, ran.out);
    // All the others are delivered, and that one is not passed over in silence.
    table.sql.batch_execute(&tracevault::generate_init_sql(&table.name).unwrap()).await.unwrap();
    let ran = spool("replay", &dir, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (1, "stored 49, dead letters 0, damaged 1, left 0\n"));
    assert_eq!(table.count().await, 49);
    table.drop().await;
}

#[tokio::test]
async fn dead_letters_are_listed_without_their_payloads_and_nothing_in_them_acts() {
    let table = Table::new("cli_dead").await;
    let dir = refused(&table).await;
    // While a process uses it.
    let audit = away(&table, &dir);
    let ran = spool("dead-letters", &dir, &[]);
    assert_eq!((ran.code, ran.err.as_str(), ran.out.lines().count()), (0, "", 1), "{}", ran.out);
    assert!(
        !ran.out.contains(|c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}".contains(c))),
        "{:?}",
        ran.out
    );
    let cells: Vec<&str> = ran.out.split_whitespace().collect();
    assert_eq!((cells[1], cells[3]), ("23514", table.name.as_str()));
    assert!(cells[0].ends_with('Z') && cells[4].starts_with(r"odd\u{202e}\u{2028}name:"), "{cells:?}");
    assert!(
        ran.out.contains("constraint odd") && !ran.out.contains("payload"),
        "the reason, and no payload: {}",
        ran.out
    );

    let shown = spool("dead-letters", &dir, &["--json", "--table", &table.name]);
    assert!(!shown.out.contains(|c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}".contains(c))));
    let letter = shown.records().remove(0);
    assert_eq!((letter["table"].as_str(), letter["sqlstate"].as_str()), (Some(table.name.as_str()), Some("23514")));
    assert_eq!((letter["record"]["event"].as_str(), letter["record"]["id"].as_str()), (Some(HOSTILE), Some(cells[2])));
    assert_eq!(letter["record"]["data"], json!({ "text": "\u{1b}[31m\u{202e}payload" }));
    assert!(letter["refusedAt"].as_str().unwrap().starts_with(&cells[0][..19]));

    for other in [&["--table", "elsewhere"][..], &["--table", &table.name, "--schema", "elsewhere"]] {
        let ran = spool("dead-letters", &dir, other);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", "tracevault: no dead letters\n"));
    }
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn a_live_directory_is_not_taken_from_its_process() {
    let table = Table::new("cli_live").await;
    let dir = refused(&table).await;
    let audit = away(&table, &dir);
    audit.emit(numbered(9)).await.unwrap();
    for (command, more) in [("dead-letters", "--redrive"), ("replay", "--for=1s")] {
        let ran = spool(command, &dir, &[more]);
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{}", ran.err);
        assert!(ran.err.contains("another process uses the spool"), "{}", ran.err);
    }
    audit.close().await.unwrap();
    assert_eq!(table.count().await, 3, "nothing was delivered");
    table.drop().await;
}

#[tokio::test]
async fn dead_letters_go_back_and_replay_delivers_them() {
    let table = Table::new("cli_redrive").await;
    let dir = refused(&table).await;
    let none = spool("dead-letters", &dir, &["--redrive", "--table", "elsewhere"]);
    assert_eq!((none.code, none.err.as_str()), (0, "tracevault: no dead letters\n"));

    // Still refused.
    let back = spool("dead-letters", &dir, &["--redrive"]);
    assert_eq!((back.code, back.out.as_str()), (0, ""), "{}", back.err);
    assert!(back.err.starts_with("tracevault: 1 put back"), "{}", back.err);
    assert_eq!(table.count().await, 3, "it needs no database");
    let ran = spool("replay", &dir, &[]);
    assert_eq!((ran.code, ran.summary()), (1, "stored 0, dead letters 1, left 0"), "{}", ran.err);
    assert!(ran.err.contains("is a dead letter: ") && ran.err.contains("23514"), "{}", ran.err);

    table.sql.batch_execute(&format!("ALTER TABLE {} DROP CONSTRAINT odd", table.name)).await.unwrap();
    let ran = spool("replay", &dir, &[]);
    assert_eq!((ran.code, ran.summary()), (0, "stored 0, dead letters 0, left 0"), "what is dead stays: {}", ran.err);
    assert_eq!(spool("dead-letters", &dir, &["--redrive", "--table", &table.name]).code, 0);
    let ran = spool("replay", &dir, &[]);
    assert_eq!((ran.code, ran.summary()), (0, "stored 1, dead letters 0, left 0"), "{}", ran.err);
    assert_eq!(table.column::<String>("event").await.last().map(String::as_str), Some(HOSTILE));
    let ran = spool("dead-letters", &dir, &[]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "tracevault: no dead letters\n"));
    table.drop().await;
}

#[tokio::test]
async fn replay_delivers_all_that_is_there_once_and_ends() {
    let (table, other) = (Table::new("cli_replay").await, Table::new("cli_replay_other").await);
    let dir = filled(&table, 500).await;
    let audit = away(&table, &dir);
    let scope = audit.scope(ScopeOverrides::new().table_name(&other.name).schema("public")).unwrap();
    for n in 0..500 {
        scope.emit(numbered(n)).await.unwrap();
    }
    audit.close().await.unwrap();
    let copy = Dir::new();
    dir.copy_to(&copy);
    for dir in [&dir, &copy] {
        let ran = spool("replay", dir, &[]);
        assert_eq!((ran.code, ran.err.as_str()), (0, "stored 1000, dead letters 0, left 0\n"));
        let ran = spool("replay", dir, &["--for", "30s"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, "stored 0, dead letters 0, left 0\n"));
        let listed = spool("ls", dir, &[]);
        assert!(listed.out.lines().skip(1).all(|line| line.split_whitespace().nth(1) == Some("0")), "{}", listed.out);
        assert_eq!(listed.out.lines().count(), 3, "and no log was made: {}", listed.out);
    }
    for table in [table, other] {
        let rows = table.select("(data->>'n')::bigint", "ORDER BY ctid", &[]).await;
        assert!(rows.iter().map(|row| row.get::<_, i64>(0)).eq(0..500));
        table.drop().await;
    }
}

#[tokio::test]
async fn replay_leaves_in_the_spool_what_it_cannot_deliver() {
    let table = Table::missing("cli_replay_missing").await;
    let dir = filled(&table, 10).await;
    let path = dir.path.to_str().unwrap();
    let url = format!("postgres://user:{CANARY}@127.0.0.1:1/db");
    let ran = run_at(&url, &["spool", "replay", path], "");
    assert_eq!((ran.code, ran.summary()), (3, "stored 0, dead letters 0, left 10"), "{}", ran.err);
    assert!(ran.err.starts_with("tracevault: the database does not answer"), "{}", ran.err);
    let ran = spool("replay", &dir, &["--for", "1s"]);
    assert_eq!((ran.code, ran.summary()), (3, "stored 0, dead letters 0, left 10"), "{}", ran.err);
    assert!(ran.err.starts_with("tracevault: the time is over"), "{}", ran.err);

    // The table is there before the time is over.
    let mut command = super::tracevault(&["spool", "replay", path, "--for", "1m"], &crate::kit::url());
    let replay = command.spawn().unwrap();
    table.sql.batch_execute(&generate_init_sql(&table.name).unwrap()).await.unwrap();
    let ran = super::ended(replay);
    assert_eq!((ran.code, ran.err.as_str()), (0, "stored 10, dead letters 0, left 0\n"));
    assert_eq!(table.count().await, 10);
    table.drop().await;
}

#[tokio::test]
async fn a_replay_that_is_interrupted_says_what_is_left() {
    if !needs("/proc", cfg!(target_os = "linux"), "run on Linux") {
        return;
    }
    let table = Table::missing("cli_replay_ended").await;
    let dir = filled(&table, 10).await;
    let args = ["spool", "replay", dir.path.to_str().unwrap(), "--for", "1m"];
    let replay = super::tracevault(&args, &crate::kit::url()).spawn().unwrap();
    // It listens for signals before it opens the directory.
    let (files, lock) = (format!("/proc/{}/fd", replay.id()), dir.path.join("lock"));
    super::until("it has the directory", async || {
        let mut open = fs::read_dir(&files).unwrap().flatten();
        open.any(|file| fs::read_link(file.path()).is_ok_and(|path| path == lock))
    })
    .await;
    crate::support::processes::signal("TERM", &[replay.id()]).unwrap();
    let ran = super::ended(replay);
    assert_eq!((ran.code, ran.summary()), (143, "stored 0, dead letters 0, left 10"), "{}", ran.err);
}

#[test]
fn times_that_cannot_be_are_refused() {
    let dir = Dir::new();
    for wrong in ["", "30", "s", "0s", "-1s", "1.5m", "9999999h", "1d", "ä"] {
        let ran = spool("replay", &dir, &["--for", wrong]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{wrong}: {}", ran.err);
    }
    let ran = run_at("", &["spool", "replay", dir.path.to_str().unwrap()], "");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no database"), "{}", ran.err);
}

#[test]
fn help_says_what_is_safe_on_a_live_directory() {
    for command in ["ls", "fsck", "dead-letters"] {
        let ran = run(&["spool", command, "--help"], "");
        assert_eq!(ran.code, 0);
        let text = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("while a process uses the spool: nothing is locked or changed"), "{}", ran.out);
    }
    let ran = run(&["spool", "replay", "--help"], "");
    assert!(ran.out.contains("refuses a directory") && ran.out.contains("DATABASE_URL"), "{}", ran.out);
}
