//! What is written is what was meant: against `serde_json` on random values, and against the JSON test suite.

use std::{
    env, fs,
    io::{self, Write as _},
    path::PathBuf,
};

use serde_json::{Value, json, value::RawValue};
use tracevault::{Config, Event, testing};

use crate::{
    arbitrary::{check, double, object, runtime, samples, scalar, text},
    trial::{Trial, assert_clean, refusal},
};

#[test]
fn random_objects_are_written_as_serde_json_writes_them() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let (audit, recorder) = testing::recorder(Config::default()).unwrap();
    check(&object(scalar(), text()), |value| {
        recorder.clear();
        let theirs = serde_json::to_string(&value).unwrap();
        let raw = RawValue::from_string(theirs.clone()).unwrap();
        let read: Event = serde_json::from_value(json!({ "event": "read", "data": value, "meta": null })).unwrap();
        runtime.block_on(async {
            audit.emit(Event::new("built").data(&value).meta(&raw)).await.unwrap();
            audit.emit(read).await.unwrap();
        });
        let expected: Value = serde_json::from_str(&theirs).unwrap();
        let records = recorder.records();
        for ours in [records[0].data(), records[0].meta(), records[1].data()] {
            assert_eq!(serde_json::from_str::<Value>(ours.unwrap()).unwrap(), expected);
        }
    });
}

#[test]
fn doubles_are_spelled_so_that_they_come_back_whole() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let (audit, recorder) = testing::recorder(Config::default()).unwrap();
    check(&double(), |value| {
        recorder.clear();
        #[expect(clippy::cast_possible_truncation, reason = "any float will do")]
        let narrow = value as f32;
        let narrow = if narrow.is_finite() { narrow } else { 0.5 };
        runtime
            .block_on(
                audit.emit(
                    Event::new("e")
                        .data(json!({ "v": value }))
                        .meta([("v", narrow)].into_iter().collect::<std::collections::BTreeMap<_, _>>()),
                ),
            )
            .unwrap();
        let records = recorder.records();
        let spelled = |text: &str| text.strip_prefix(r#"{"v":"#).unwrap().strip_suffix('}').unwrap().to_owned();
        assert_eq!(spelled(records[0].data().unwrap()).parse::<f64>().unwrap().to_bits(), value.to_bits());
        assert_eq!(spelled(records[0].meta().unwrap()).parse::<f32>().unwrap().to_bits(), narrow.to_bits());
    });
}

#[tokio::test]
async fn postgresql_holds_random_objects_unchanged() {
    let trial = Trial::new("random").await;
    for value in samples(&object(scalar(), text()), 100) {
        let theirs = serde_json::to_string(&value).unwrap();
        let id = trial.stores(Event::new("e").data(&value)).await;
        let same = trial.table.select("data = $2::text::jsonb", "WHERE id = $1", &[&id, &theirs]).await;
        assert!(same[0].get::<_, bool>(0), "{theirs}");
    }
    trial.end().await;
}

/// `y_` files are JSON, `n_` files are not, `i_` files may be either.
#[tokio::test]
async fn the_json_test_suite_is_taken_or_refused_and_postgresql_agrees() {
    const SUITE: &str = "TRACEVAULT_JSON_SUITE";
    let folder = env::var_os(SUITE).map(PathBuf::from);
    // Data of others, which no machine must have: never a reason to fail.
    let Some(folder) = folder else {
        let how = "git clone https://github.com/nst/JSONTestSuite, and name its test_parsing there";
        writeln!(io::stderr(), "NOT RUN: needs the JSON test suite in {SUITE} ({how})").unwrap();
        return;
    };
    let trial = Trial::new("suite").await;
    let mut accepted = [0, 0];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let text = [br#"{"event":"e","data":{"v":"#, &*bytes, b"}}"].concat();
        let event = match serde_json::from_slice::<Event>(&text) {
            Ok(event) => event,
            Err(error) => {
                assert_clean(&error);
                assert!(!name.starts_with("y_"), "{name}: {error}");
                continue;
            }
        };
        let id = match trial.audit.emit(event).await {
            Ok(receipt) => receipt.id,
            Err(error) => {
                let (path, reason) = refusal(&error);
                assert!(path.starts_with("data.v"), "{name}: {path}");
                let ours = reason.contains("NUL") || reason.contains("64 bits") || reason.contains("double's range");
                assert!(!name.starts_with("y_") || ours, "{name}: {reason}");
                continue;
            }
        };
        assert!(!name.starts_with("n_"), "{name}");
        accepted[usize::from(name.starts_with("i_"))] += 1;
        let spelled = std::str::from_utf8(&bytes).unwrap().to_owned();
        let same = trial.table.select("data -> 'v' = $2::text::jsonb", "WHERE id = $1", &[&id, &spelled]).await;
        assert!(same[0].get::<_, bool>(0), "{name}");
    }
    assert!(accepted[0] >= 40, "of the y_ files only {accepted:?} were stored");
    trial.audit.close().await.unwrap();
    trial.table.drop().await;
}
