use std::{fmt::Write as _, process::Command};

use super::{emit, run};
use crate::{
    kit::{CANARY, Table},
    support::needs,
};

#[tokio::test]
async fn lines_become_rows_in_their_order() {
    let table = Table::new("cli_emit").await;
    let id = "0199c2a1-7d9b-7c3e-8a54-1f0e5d9b6a70";
    let input = format!(
        "\u{feff}{{\"event\":\"first\",\"actor\":{{\"id\":\"ann\",\"type\":\"user\"}},\"target\":{{\"id\":\"p\",\"type\":\"product\"}},\
         \"data\":{{\"n\":1.10,\"big\":9007199254740993}},\"meta\":{{\"ip\":\"::1\"}},\"correlationId\":\"c\",\"requestId\":\"r\",\
         \"occurredAt\":\"2026-01-31T09:30:00.123456Z\",\"id\":\"{id}\"}}\r\n\n   \r\n\
         {{\"event\":\"second\",\"mode\":\"async\",\"data\":{{\"before\":{{}},\"after\":[]}}}}\n\
         {{\"event\":\"third\",\"before\":{{\"a\":1,\"b\":2}},\"after\":{{\"a\":2,\"b\":2}}}}"
    );
    let ran = emit(&table, &["--environment", "staging"], input);
    assert_eq!((ran.code, ran.err.as_str()), (0, "stored 3, refused 0, failed 0, duplicates 0\n"));
    assert_eq!(ran.out, "");

    let columns = "event, mode, environment, data::text, id::text, actor_id, actor_type, target_id, target_type, \
         meta::text, correlation_id, request_id, occurred_at::text";
    let rows = table.select(columns, "ORDER BY ctid", &[]).await;
    let text = |row: usize, column: usize| rows[row].get::<_, Option<String>>(column);
    let events: Vec<_> = (0..3).map(|row| text(row, 0).unwrap()).collect();
    assert_eq!(events, ["first", "second", "third"]);
    let modes: Vec<_> = (0..3).map(|row| text(row, 1).unwrap()).collect();
    assert_eq!(modes, ["sync", "async", "sync"]);
    assert!((0..3).all(|row| text(row, 2).as_deref() == Some("staging")));
    assert_eq!(text(0, 3).unwrap(), r#"{"n": 1.10, "big": 9007199254740993}"#);
    assert_eq!(text(1, 3).unwrap(), r#"{"after": [], "before": {}}"#);
    assert_eq!(
        text(2, 3).unwrap(),
        r#"{"diff": {"a": {"after": 2, "before": 1}}, "after": {"a": 2, "b": 2}, "before": {"a": 1, "b": 2}}"#
    );
    let first: Vec<_> = (4..13).map(|column| text(0, column).unwrap()).collect();
    let expected = [id, "ann", "user", "p", "product", r#"{"ip": "::1"}"#, "c", "r", "2026-01-31 09:30:00.123456+00"];
    assert_eq!(first, expected);
    table.drop().await;
}

#[tokio::test]
async fn refused_lines_are_named_and_take_no_other_with_them() {
    let table = Table::new("cli_refused").await;
    let good = "{\"event\":\"good\"}\n";
    let mut input = Vec::new();
    for bad in [
        format!("{{\"event\":\"bad\",\"data\":{{\"price\":1e999,\"x\":\"{CANARY}\"}}}}"),
        format!("\"{CANARY}\""),
        format!("[\"{CANARY}\",null,null,null,null,null,null,null,null,null]"),
        format!("{{\"event\":\"bad\",\"data\":{{\"x\":\"{CANARY}\",\"price\":NaN}}}}"),
        format!("{{\"event\":\"{CANARY}\\nbad\"}}"),
        format!("{{\"event\":\"bad\",\"tableName\":\"{CANARY}\"}}"),
        format!("{{\"event\":\"bad\",\"actor\":\"{CANARY}\"}}"),
        format!("{{\"event\":\"bad\",\"before\":{{}},\"data\":\"{CANARY}\"}}"),
        format!("{{\"event\":\"bad\",\"mode\":\"{CANARY}\"}}"),
        format!("{{\"event\":\"{CANARY}\"}} {{}}"),
        format!("{{\"event\":\"bad\",\"\\u001b]0;own\\u0007\\u009b31m\":\"{CANARY}\"}}"),
        format!("{{\"event\":\"{CANARY}"),
    ] {
        input.extend(good.as_bytes());
        input.extend(bad.as_bytes());
        input.push(b'\n');
    }
    input.extend(good.as_bytes());
    input.extend(CANARY.as_bytes());
    input.extend(b"\xff\xfe\n");
    input.extend(good.as_bytes());

    let ran = emit(&table, &[], input);
    let lines: Vec<_> = ran.err.lines().collect();
    let expected = [
        "tracevault: line 2: `data.price` is NaN, infinite or out of a double's range",
        "tracevault: line 4: column 13: an event must be a JSON object",
        "tracevault: line 6: column 1: an event must be a JSON object",
        "tracevault: line 8: column 50: is not JSON",
        "tracevault: line 10: `event` must not contain line breaks",
        "tracevault: line 12: column 26: unknown field `tableName`, expected one of",
        "tracevault: line 14: `actor` must be an object",
        "tracevault: line 16: column 33: unknown field `data`, expected one of",
        "tracevault: line 18: `mode` must be \"sync\" or \"async\"",
        "tracevault: line 20: column 25: is not JSON: something follows the object",
        "tracevault: line 22: column 44: unknown field `\\u{1b}]0;own\\u{7}\\u{9b}31m`",
        "tracevault: line 24: column 21: is not JSON: it ends too early",
        "tracevault: line 26: is not UTF-8",
        "stored 14, refused 13, failed 0, duplicates 0",
    ];
    assert_eq!(lines.len(), expected.len(), "{}", ran.err);
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\nis not\n{expected}");
    }
    assert!(lines.iter().all(|line| !line.contains(char::is_control)));
    assert_eq!(ran.code, 1);
    assert_eq!(table.column::<String>("event").await, ["good"; 14]);
    table.drop().await;
}

#[tokio::test]
async fn a_line_over_16_mib_is_passed_over_by_its_number() {
    let table = Table::new("cli_long").await;
    let mut input = b"{\"event\":\"before\"}\n{\"event\":\"long\",\"data\":{\"x\":\"".to_vec();
    input.resize(40 << 20, b'x');
    input.extend(b"\"}}\n{\"event\":\"after\"}\n");
    let ran = emit(&table, &[], input);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err, "tracevault: line 2: is longer than 16 MiB\nstored 2, refused 1, failed 0, duplicates 0\n");
    assert_eq!(table.column::<String>("event").await, ["before", "after"]);
    table.drop().await;
}

#[tokio::test]
async fn twenty_thousand_lines_share_commits_and_keep_their_order() {
    for mode in ["sync", "async"] {
        let table = Table::new("cli_many").await;
        let mut input = String::new();
        for n in 0..20_000 {
            writeln!(input, "{{\"event\":\"e\",\"data\":{{\"n\":{n}}}}}").unwrap();
        }
        let ran = emit(&table, &["--mode", mode], input);
        assert_eq!((ran.code, ran.err.as_str()), (0, "stored 20000, refused 0, failed 0, duplicates 0\n"), "{mode}");
        let in_order = "bool_and(n = at) FROM (SELECT (data->>'n')::bigint AS n";
        // No transaction has a line that comes before one of a transaction that began earlier.
        for order in ["created_at, (data->>'n')::int8", "occurred_at, id"] {
            let numbered = format!("row_number() OVER (ORDER BY {order}) - 1 AS at FROM \"{}\") AS rows", table.name);
            let kept: bool = table.sql.query_one(&format!("SELECT {in_order}, {numbered}"), &[]).await.unwrap().get(0);
            assert!(kept, "by {order} in {mode} mode");
        }
        // created_at is the time at which the transaction began.
        let row = &table.select("count(DISTINCT created_at), count(DISTINCT mode), min(mode)", "", &[]).await[0];
        let commits: i64 = row.get(0);
        assert!(commits < 2_000, "{commits} transactions in {mode} mode");
        assert_eq!((row.get::<_, i64>(1), row.get::<_, &str>(2)), (1, mode));
        table.drop().await;
    }
}

#[tokio::test]
async fn sync_and_async_lines_that_outrun_the_database_keep_their_order() {
    let table = Table::new("cli_mixed").await;
    // 2,048 lines and 64 MiB are the window's bounds: both are met.
    let mut input = String::new();
    let heavy = "x".repeat(200_000);
    for n in 0..6_000 {
        let mode = if n % 3 == 0 { "sync" } else { "async" };
        let filler = if n % 10 == 0 { heavy.as_str() } else { "" };
        writeln!(
            input,
            "{{\"event\":\"e\",\"mode\":\"{mode}\",\"meta\":{{\"f\":\"{filler}\"}},\"data\":{{\"n\":{n}}}}}"
        )
        .unwrap();
    }
    let ran = emit(&table, &["--batch-size", "37"], input);
    assert_eq!((ran.code, ran.err.as_str()), (0, "stored 6000, refused 0, failed 0, duplicates 0\n"));
    let order = "ORDER BY created_at, (data->>'n')::int8";
    let stored: Vec<i64> =
        table.select("(data->>'n')::bigint", order, &[]).await.iter().map(|row| row.get(0)).collect();
    assert!(stored.iter().copied().eq(0..6_000));
    table.drop().await;
}

#[tokio::test]
async fn masks_cover_keys_and_patterns() {
    let table = Table::new("cli_masks").await;
    let line = format!(
        "{{\"event\":\"e\",\"data\":{{\"PassWord\":\"{CANARY}\",\"pin\":[\"{CANARY}\"],\"url\":\"/x?t={CANARY}&y\"}},\
         \"meta\":{{\"a\":[{{\"password\":\"{CANARY}\"}}]}}}}"
    );
    let pattern = format!("t={CANARY}");
    let masks = ["--mask-field", "password", "--mask-field", "pin", "--mask-pattern", &pattern, "--mask-value", "***"];
    // The pattern itself is an argument, and arguments are no secrets.
    let ran = emit(&table, &masks, line);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(table.data().await, r#"{"pin": "***", "url": "/x?***&y", "PassWord": "***"}"#);
    assert_eq!(table.column::<String>("meta::text").await, [r#"{"a": [{"password": "***"}]}"#]);
    table.drop().await;
}

#[tokio::test]
async fn a_line_with_an_id_is_stored_once() {
    let table = Table::new("cli_twice").await;
    let line = "{\"event\":\"e\",\"id\":\"0199c2a1-7d9b-7c3e-8a54-1f0e5d9b6a70\"}\n";
    let ran = emit(&table, &[], line.repeat(2) + "{\"event\":\"e\"}\n");
    assert_eq!((ran.code, ran.err.as_str()), (0, "stored 2, refused 0, failed 0, duplicates 1\n"));
    let ran = emit(&table, &[], line);
    assert_eq!((ran.code, ran.err.as_str()), (0, "stored 0, refused 0, failed 0, duplicates 1\n"));
    assert_eq!(table.count().await, 2);
    table.drop().await;
}

#[tokio::test]
async fn nothing_on_stdin_is_nothing_to_do() {
    let table = Table::new("cli_nothing").await;
    let ran = emit(&table, &[], "\n \n");
    assert_eq!((ran.code, ran.err.as_str()), (0, "stored 0, refused 0, failed 0, duplicates 0\n"));
    table.drop().await;
}

#[tokio::test]
async fn progress_is_shown_on_a_terminal_where_nobody_types() {
    let script = cfg!(target_os = "linux") && Command::new("script").arg("--version").output().is_ok();
    if !needs("script", script, "apt-get install bsdutils") {
        return;
    }
    let table = Table::new("cli_progress").await;
    for (input, shown) in [("printf '{\"event\":\"e\"}' |", true), ("", false)] {
        // On a terminal of its own, on which ^D ends what is typed.
        let emit = format!("{input} {} emit --table {}", env!("CARGO_BIN_EXE_tracevault"), table.name);
        let mut command = Command::new("script");
        command.args(["-qec", &emit, "/dev/null"]).env("DATABASE_URL", crate::kit::url());
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let ran = super::fed(command.spawn().unwrap(), "{\"event\":\"e\"}\n\u{4}");
        assert_eq!(ran.code, 0, "{}", ran.out);
        assert_eq!(ran.out.contains("\u{1b}[Kstored "), shown, "{:?}", ran.out);
        assert!(ran.out.contains("stored 1, refused 0, failed 0, duplicates 0"), "{:?}", ran.out);
    }
    table.drop().await;
}

#[tokio::test]
async fn input_that_cannot_be_read_is_told() {
    let table = Table::new("cli_unreadable").await;
    let mut command = super::tracevault(&["emit", "--table", &table.name], &crate::kit::url());
    let ran = super::ended(command.stdin(std::fs::File::open("/").unwrap()).spawn().unwrap());
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("tracevault: stdin could not be read: "), "{}", ran.err);
    assert_eq!(ran.summary(), "stored 0, refused 0, failed 0, duplicates 0");
    table.drop().await;
}

#[tokio::test]
async fn the_flag_wins_over_the_variable() {
    let table = Table::new("cli_flag").await;
    let nowhere = "postgres://user@127.0.0.1:1/db";
    let url = crate::kit::url();
    let args = ["emit", "--table", &table.name, "--database-url", &url];
    let ran = super::run_at(nowhere, &args, "{\"event\":\"e\"}");
    assert_eq!((ran.code, ran.summary()), (0, "stored 1, refused 0, failed 0, duplicates 0"));
    table.drop().await;
}

#[tokio::test]
async fn init_sql_makes_the_table_through_psql() {
    let psql = Command::new("psql").arg("--version").output().is_ok();
    if !needs("psql", psql, "apt-get install postgresql-client") {
        return;
    }
    let table = Table::missing("cli_init").await;
    let schema = crate::kit::unique("cli_schema");
    table.sql.batch_execute(&format!("CREATE SCHEMA \"{schema}\"")).await.unwrap();
    let printed = run(&["init-sql", &table.name, "--schema", &schema, "--indexes", "read-heavy"], "");
    assert_eq!((printed.code, printed.err.as_str()), (0, ""));
    // Twice, as it may be run again.
    for _ in 0..2 {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &crate::kit::url()]).stdin(std::process::Stdio::piped());
        psql.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut psql = psql.spawn().unwrap();
        std::io::Write::write_all(&mut psql.stdin.take().unwrap(), printed.out.as_bytes()).unwrap();
        assert!(psql.wait().unwrap().success());
    }
    let ran = emit(&table, &["--schema", &schema], "{\"event\":\"e\"}");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let found = run(&["query", "--table", &table.name, "--schema", &schema], "");
    assert_eq!(found.records().len(), 1);
    let heavy = "SELECT count(*) FROM pg_indexes WHERE schemaname = $1 AND indexname LIKE '%_time'";
    let indexes: i64 = table.sql.query_one(heavy, &[&schema]).await.unwrap().get(0);
    assert_eq!(indexes, 8);
    table.sql.batch_execute(&format!("DROP SCHEMA \"{schema}\" CASCADE")).await.unwrap();
}
