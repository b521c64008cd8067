//! The example `webhooks`, as a user runs it: on its fixture, and on real payloads where `TRACEVAULT_WEBHOOKS` names them.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tracevault::regex::Regex;

use crate::kit::{Table, url};

#[path = "../../examples/webhooks/secrets.rs"]
mod secrets;

/// `cargo test` builds the examples beside the tests.
fn example() -> PathBuf {
    let deps = env::current_exe().unwrap();
    let example = deps.parent().and_then(Path::parent).unwrap().join("examples/webhooks");
    assert!(
        example.exists(),
        "the example is not built: `cargo test` builds it, `cargo test --test it` with `--examples`"
    );
    example
}

/// Runs it into a table of its own, and gives what it said.
async fn ingest(table: &Table, file: &Path) -> String {
    let mut run = Command::new(example());
    run.arg(file).env("DATABASE_URL", url()).env("TRACEVAULT_TABLE", &table.name);
    let output = tokio::task::spawn_blocking(move || run.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said.into_owned()
}

/// The payload as it must be stored.
fn masked(value: &Value, patterns: &[Regex]) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| {
                let hidden = secrets::FIELDS.iter().any(|secret| key.eq_ignore_ascii_case(secret));
                (key.clone(), if hidden { "[REDACTED]".into() } else { masked(value, patterns) })
            })
            .collect(),
        Value::Array(elements) => elements.iter().map(|element| masked(element, patterns)).collect(),
        Value::String(text) => {
            let cover = |text: String, pattern: &Regex| pattern.replace_all(&text, "[REDACTED]").into_owned();
            patterns.iter().fold(text.clone(), cover).into()
        }
        other => other.clone(),
    }
}

#[tokio::test]
async fn the_fixture_is_stored_but_for_what_is_wrong_in_it() {
    let table = Table::missing("webhooks").await;
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/webhooks/fixture.ndjson");
    for _ in 0..2 {
        let said = ingest(&table, &fixture).await;
        assert!(said.contains("data.issue.body") && said.contains("NUL"), "path and reason: {said}");
        assert_eq!(table.count().await, 6, "a second run stores nothing twice");
    }
    table.drop().await;
}

#[tokio::test]
async fn real_payloads_are_stored_whole_and_masked() {
    let Some(file) = env::var_os("TRACEVAULT_WEBHOOKS").map(PathBuf::from) else {
        writeln!(io::stderr(), "NOT RUN: needs a file of real webhooks in TRACEVAULT_WEBHOOKS").unwrap();
        return;
    };
    let table = Table::missing("webhooks_real").await;
    ingest(&table, &file).await;
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(table.count().await, i64::try_from(lines.len()).unwrap());
    let patterns = secrets::patterns().unwrap();
    for line in &lines {
        let event = line["event"].as_str().unwrap();
        let rows = table.select("data::text, actor_id, actor_type, target_id", "WHERE event = $1", &[&event]).await;
        let stored: Vec<Value> = rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect();
        assert!(stored.contains(&masked(&line["payload"], &patterns)), "{event} is stored whole, but for its secrets");
        for column in 1..4 {
            assert!(rows.iter().all(|row| row.get::<_, Option<&str>>(column).is_some()), "{event}, column {column}");
        }
    }
    table.drop().await;
}
