use std::io::{BufRead as _, BufReader, Read as _};

use serde_json::{Value, json};
use tracevault::{Event, Mode};

use super::{emit, query, tracevault};
use crate::kit::{self, Table};

fn names(table: &Table, args: &[&str]) -> Vec<String> {
    let records = query(table, args).records();
    records.iter().map(|record| record["event"].as_str().unwrap().to_owned()).collect()
}

/// Six events, one an hour up to now: a, b, c, d, e, f.
async fn six() -> Table {
    let table = Table::new("cli_query").await;
    let production = tracevault::Tracevault::new(table.config().environment("production")).unwrap();
    let plain = table.audit();
    let now = time_now();
    let event =
        |name: &'static str, hours: i64| Event::new(name).occurred_at(now - tracevault::time::Duration::hours(hours));
    production.emit(event("a", 5).actor("ann", "user").target("p", "product")).await.unwrap();
    plain.emit(event("b", 4).actor("ann", "robot").target("q", "product").mode(Mode::Async)).await.unwrap();
    plain.emit(event("c", 3).actor("bob", "user").target("p", "order").correlation_id("c-1")).await.unwrap();
    plain
        .emit(event("d", 2).request_id("r-1").data(json!({"outcome": "failure", "error": {"code": "E1"}})))
        .await
        .unwrap();
    plain.emit(event("e", 1).data(json!({"severity": "critical"}))).await.unwrap();
    plain.emit(event("f", 0).data(json!({"severity": "info", "outcome": "success"}))).await.unwrap();
    plain.close().await.unwrap();
    production.close().await.unwrap();
    table
}

fn time_now() -> tracevault::time::OffsetDateTime {
    tracevault::time::OffsetDateTime::now_utc()
}

#[tokio::test]
async fn every_filter_narrows() {
    let table = six().await;
    let day = tracevault::time::format_description::well_known::Rfc3339;
    let middle = (time_now() - tracevault::time::Duration::minutes(150)).format(&day).unwrap();
    for (args, expected) in [
        (&[][..], "fedcba"),
        (&["--order", "asc"], "abcdef"),
        (&["--limit", "2"], "fe"),
        (&["--limit", "0"], "fedcba"),
        (&["--all", "--order", "asc"], "abcdef"),
        (&["--event", "c"], "c"),
        (&["--actor-id", "ann"], "ba"),
        (&["--actor-type", "user"], "ca"),
        (&["--actor-id", "ann", "--actor-type", "user"], "a"),
        (&["--target-id", "p"], "ca"),
        (&["--target-type", "product"], "ba"),
        (&["--correlation-id", "c-1"], "c"),
        (&["--request-id", "r-1"], "d"),
        (&["--environment", "production"], "a"),
        (&["--outcome", "failure"], "d"),
        (&["--error-code", "E1"], "d"),
        (&["--severity", "info"], "f"),
        (&["--severity", "info", "--severity", "critical"], "fe"),
        (&["--errors-only"], "ed"),
        (&["--mode", "async"], "b"),
        (&["--mode", "sync", "--limit", "1"], "f"),
        (&["--from", "150m"], "fed"),
        (&["--from", "9000s ago"], "fed"),
        (&["--from", &middle], "fed"),
        (&["--to", "150m"], "cba"),
        (&["--from", "1w", "--to", "210m ago"], "ba"),
        (&["--event", "%"], ""),
    ] {
        assert_eq!(names(&table, args).concat(), expected, "{args:?}");
        if !args.iter().any(|arg| ["--order", "--limit", "--all"].contains(arg)) {
            let counted = query(&table, &[args, &["--count"]].concat());
            assert_eq!((counted.code, counted.out), (0, format!("{}\n", expected.len())), "{args:?}");
        }
    }
    table.drop().await;
}

#[tokio::test]
async fn one_record_by_its_id_and_none() {
    let table = Table::new("cli_id").await;
    let audit = table.audit();
    let id = audit.emit(Event::new("e").actor("ann", "user").data(json!({"n": 1}))).await.unwrap().id.to_string();
    audit.close().await.unwrap();
    let found = query(&table, &["--id", &id]).records();
    assert_eq!((found.len(), &found[0]["id"], &found[0]["data"]), (1, &json!(id), &json!({"n": 1})));
    let card = query(&table, &["--id", &id, "--format", "table"]);
    assert_eq!(card.code, 0);
    assert!(card.out.contains("\nactor           ann (user)\n") && card.out.contains("\ndata            {\"n\": 1}\n"));
    let none = query(&table, &["--id", "0199c2a1-7d9b-7c3e-8a54-1f0e5d9b6a70"]);
    assert_eq!((none.code, none.out.as_str(), none.err.as_str()), (1, "", "tracevault: no record has this id\n"));
    table.drop().await;
}

#[tokio::test]
async fn json_keeps_numbers_to_the_letter() {
    let table = Table::new("cli_exact").await;
    emit(&table, &[], r#"{"event":"e","data":{"a":1.10,"b":9007199254740993,"c":0.1234567890123456789}}"#);
    let ran = query(&table, &[]);
    let exact = r#""data":{"a": 1.10, "b": 9007199254740993, "c": 0.1234567890123456789}"#;
    assert!(ran.out.contains(exact), "{}", ran.out);
    table.drop().await;
}

#[tokio::test]
async fn hostile_text_reaches_no_terminal_and_stays_itself_in_json() {
    let table = Table::new("cli_hostile").await;
    let hostile = "\u{1b}]0;own\u{7}\u{9b}31m\u{202e}\r\n\u{7f}\u{85}";
    let audit = table.audit();
    let event = Event::new(format!("e{}", hostile.replace(['\r', '\n'], "")))
        .actor(hostile, hostile)
        .target(hostile, "t")
        .correlation_id(hostile)
        .data(json!({"k": hostile, hostile: 1, "outcome": hostile, "severity": "\u{1b}[31m"}));
    let id = audit.emit(event).await.unwrap().id.to_string();
    audit.close().await.unwrap();
    let acts = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    for args in [&["--format", "json"][..], &["--format", "table"], &["--id", &id], &["--id", &id, "--format", "table"]]
    {
        let ran = query(&table, args);
        assert_eq!(ran.code, 0);
        assert!(!ran.out.contains(acts), "{args:?}: {:?}", ran.out);
        assert!(!ran.out.is_empty());
    }
    let record = &query(&table, &[]).records()[0];
    assert_eq!(record["actorId"], hostile);
    assert_eq!(record["data"]["k"], hostile);
    assert_eq!(record["data"][hostile], 1);
    assert_eq!(query(&table, &["--format", "table"]).out.lines().count(), 2, "a record is one line");
    table.drop().await;
}

#[tokio::test]
async fn a_table_is_aligned_and_cut_at_100_columns() {
    let table = Table::new("cli_table").await;
    let long = "長い名前".repeat(40);
    let lines = format!(
        "{{\"event\":\"a.b\",\"actor\":{{\"id\":\"ann\",\"type\":\"user\"}},\"data\":{{\"outcome\":\"failure\"}},\"occurredAt\":\"2026-01-31T09:30:00.9Z\"}}\n\
         {{\"event\":\"{long}\",\"target\":{{\"id\":\"{long}\",\"type\":\"t\"}},\"occurredAt\":\"2026-01-31T09:30:01Z\"}}\n"
    );
    assert_eq!(emit(&table, &[], lines).code, 0);
    let ran = query(&table, &["--format", "table", "--order", "asc"]);
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("OCCURRED AT           EVENT "), "{}", ran.out);
    assert!(lines[1].starts_with("2026-01-31T09:30:00Z  a.b "), "{}", ran.out);
    let wide = |line: &str| line.chars().map(|c| if c > '\u{2e80}' { 2 } else { 1 }).sum::<usize>();
    assert!(lines.iter().all(|line| wide(line) <= 100), "{}", ran.out);
    assert!(lines[2].matches('…').count() == 2, "{}", ran.out);
    let column = |line: &str, word: &str| wide(&line[..line.find(word).unwrap()]);
    assert_eq!(column(lines[0], "OUTCOME"), column(lines[1], "failure"), "{}", ran.out);
    assert_eq!(column(lines[0], "TARGET"), wide(&lines[2][..lines[2].rfind("  長").unwrap() + 2]), "{}", ran.out);
    table.drop().await;
}

#[tokio::test]
async fn more_than_a_page_streams_and_a_closed_pipe_is_no_failure() {
    let table = Table::new("cli_stream").await;
    let fill = format!(
        "INSERT INTO \"{}\" (id, event, mode, occurred_at) \
         SELECT gen_random_uuid(), 'e', 'sync', now() - n * interval '1 second' FROM generate_series(1, 3000) AS n",
        table.name
    );
    table.sql.batch_execute(&fill).await.unwrap();
    assert_eq!(query(&table, &[]).records().len(), 50, "the default limit");
    assert_eq!(query(&table, &["--limit", "777"]).records().len(), 777);
    let all = query(&table, &["--all"]).records();
    let times: Vec<&Value> = all.iter().map(|record| &record["occurredAt"]).collect();
    assert_eq!(times.len(), 3_000);
    assert_eq!(query(&table, &["--all", "--format", "table"]).out.lines().count(), 3_001);

    for format in ["json", "table"] {
        let args = ["query", "--table", &table.name, "--all", "--format", format];
        let mut child = tracevault(&args, &kit::url()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        drop(out);
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""), "{format}");
    }
    table.drop().await;
}

#[tokio::test]
async fn an_empty_answer_is_an_answer() {
    let table = Table::new("cli_empty").await;
    let ran = query(&table, &[]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    let ran = query(&table, &["--format", "table"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", "tracevault: no record matches\n"));
    table.drop().await;
}
