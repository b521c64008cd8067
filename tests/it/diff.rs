//! The change between two states: its shape, what counts as equal, and what stays hidden in it.

use proptest::prelude::*;
use serde_json::{Map, Value, json, value::RawValue};
use tracevault::{Config, DiffEvent, Durability, Event, testing};

use crate::{
    arbitrary::{check, object, runtime},
    kit::{CANARY, leaks},
    trial::{Trial, assert_clean, refusal},
};

/// The stored `data -> 'diff'` of a change between JSON texts, as PostgreSQL spells it.
async fn diff(trial: &Trial, before: &str, after: &str) -> String {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    let id = trial.stores_diff(DiffEvent::new("d").before(raw(before)).after(raw(after))).await;
    trial.column("(data -> 'diff')::text", id).await
}

#[tokio::test]
async fn the_shape_is_before_after_diff() {
    let trial = Trial::new("shape").await;
    let before = json!({ "name": "Café", "price": 120 });
    let after = json!({ "name": "Café", "price": 150 });
    let event = DiffEvent::new("product.updated")
        .actor("user_123", "user")
        .target("product_456", "product")
        .before(&before)
        .after(&after)
        .meta(json!({ "source": "admin-panel" }));
    let built = trial.stores_diff(event).await;
    let json = json!({
        "event": "product.updated", "actor": { "id": "user_123", "type": "user" },
        "target": { "id": "product_456", "type": "product" }, "before": before, "after": after,
        "meta": { "source": "admin-panel" },
    });
    let read = trial.stores_diff(serde_json::from_str(&json.to_string()).unwrap()).await;
    for id in [built, read] {
        let data: String = trial.column("data::text", id).await;
        let expected =
            json!({ "before": before, "after": after, "diff": { "price": { "before": 120, "after": 150 } } });
        assert_eq!(serde_json::from_str::<Value>(&data).unwrap(), expected);
        let rest = "ARRAY[event, actor_id, actor_type, target_id, target_type, meta::text, mode]";
        let expected =
            ["product.updated", "user_123", "user", "product_456", "product", r#"{"source": "admin-panel"}"#, "sync"];
        assert_eq!(trial.column::<Vec<String>>(rest, id).await, expected);
    }
    trial.end().await;
}

#[tokio::test]
async fn entries_say_what_was_added_removed_or_changed() {
    let trial = Trial::new("entries").await;
    let cases = [
        ("{}", "{}", "{}"),
        (r#"{"a":1}"#, r#"{"a":1}"#, "{}"),
        ("{}", r#"{"a":null}"#, r#"{"a": {"after": null}}"#),
        (r#"{"a":{"b":1}}"#, "{}", r#"{"a": {"before": {"b": 1}}}"#),
        (r#"{"a":null}"#, r#"{"a":0}"#, r#"{"a": {"after": 0, "before": null}}"#),
        (r#"{"a":0}"#, r#"{"a":false}"#, r#"{"a": {"after": false, "before": 0}}"#),
        (r#"{"a":1}"#, r#"{"a":"1"}"#, r#"{"a": {"after": "1", "before": 1}}"#),
        (
            r#"{"a":{"x":1,"y":[2]}}"#,
            r#"{"a":{"y":[2],"x":3}}"#,
            r#"{"a": {"after": {"x": 3, "y": [2]}, "before": {"x": 1, "y": [2]}}}"#,
        ),
        (r#"{"a":["0"]}"#, r#"{"a":{"0":"0"}}"#, r#"{"a": {"after": {"0": "0"}, "before": ["0"]}}"#),
        (r#"{"a":[]}"#, r#"{"a":{}}"#, r#"{"a": {"after": {}, "before": []}}"#),
        (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#, r#"{"a": {"after": [2, 1], "before": [1, 2]}}"#),
        (r#"{"a":[1]}"#, r#"{"a":[1,1]}"#, r#"{"a": {"after": [1, 1], "before": [1]}}"#),
        (
            r#"{"a":{"x":1}}"#,
            r#"{"a":{"x":1,"y":null}}"#,
            r#"{"a": {"after": {"x": 1, "y": null}, "before": {"x": 1}}}"#,
        ),
        (
            r#"{"__proto__":{"a":1},"toString":1}"#,
            r#"{"__proto__":{"a":2},"constructor":2}"#,
            r#"{"toString": {"before": 1}, "__proto__": {"after": {"a": 2}, "before": {"a": 1}}, "constructor": {"after": 2}}"#,
        ),
        (r#"{"before":1,"after":1}"#, r#"{"after":1,"diff":2}"#, r#"{"diff": {"after": 2}, "before": {"before": 1}}"#),
        (r#"{"a":1,"b":1,"a":2}"#, r#"{"b":1,"a":3,"a":2}"#, "{}"),
        (r#"{"A":1}"#, r#"{"a":1}"#, r#"{"A": {"before": 1}, "a": {"after": 1}}"#),
    ];
    for (before, after, expected) in cases {
        assert_eq!(diff(&trial, before, after).await, expected, "{before} {after}");
    }
    trial.end().await;
}

#[tokio::test]
async fn values_are_compared_by_meaning() {
    let trial = Trial::new("meaning").await;
    let equal = [
        ("1", "1.0"),
        ("1", "1.000e0"),
        ("100", "1e2"),
        ("-0", "0"),
        ("-0.0", "0e5"),
        ("0.1", "1E-1"),
        ("1200", "0.0012e6"),
        ("9007199254740993", "9007199254740993.0"),
        (r#""a/\u0062""#, r#""a\/b""#),
        (r#""😀""#, r#""\ud83d\uDE00""#),
        (r#"{"x":1,"y":{"a":[],"b":null}}"#, r#" { "y" : { "b":null , "a":[ ] } , "x":1.0 } "#),
        (r#"{"x":1,"x":2}"#, r#"{"x":2}"#),
    ];
    for (one, other) in equal {
        let (one, other) = (format!(r#"{{"v":{one}}}"#), format!(r#"{{"v":{other}}}"#));
        assert_eq!(diff(&trial, &one, &other).await, "{}", "{one} {other}");
    }
    let different = [
        ("9007199254740993", "9007199254740992"),
        ("9007199254740993", "9007199254740992.0"),
        ("0.1", "0.10000000000000001"),
        ("1", "-1"),
        ("10", "1"),
        ("0.01", "0.001"),
        ("1e2", "1e3"),
        (r#""a""#, r#""A""#),
        (r#""é""#, r#""e\u0301""#),
        (r#"" ""#, r#""""#),
        ("null", "false"),
        (r#"{"x":2,"x":1}"#, r#"{"x":2}"#),
    ];
    for (one, other) in different {
        let (before, after) = (format!(r#"{{"v":{one}}}"#), format!(r#"{{"v":{other}}}"#));
        assert_ne!(diff(&trial, &before, &after).await, "{}", "{one} {other}");
    }
    let escaped = diff(&trial, r#"{"\u0061":1}"#, r#"{"a":1}"#).await;
    assert_eq!(escaped, "{}", "a key is the same however it is escaped");
    trial.end().await;
}

#[tokio::test]
async fn a_changed_secret_shows_as_changed_and_stays_hidden() {
    let trial = Trial::with("secret", |config| config.mask_fields(["password"])).await;
    let of = |n: i32| json!({ "Password": format!("{CANARY}{n}"), "in": [{ "password": format!("{CANARY}{n}") }] });
    let read = async |before: Value, after: Value| {
        let id = trial.stores_diff(DiffEvent::new("d").before(before).after(after)).await;
        let data: String = trial.column("data::text", id).await;
        assert!(!leaks(data.as_bytes()), "{data}");
        serde_json::from_str::<Value>(&data).unwrap()
    };
    let hidden = json!([{ "password": "[REDACTED]" }]);
    let state = json!({ "Password": "[REDACTED]", "in": hidden });
    let changed = read(of(1), of(2)).await;
    let entry = json!({ "before": hidden, "after": hidden });
    assert_eq!(changed, json!({ "before": state, "after": state, "diff": { "Password": "[REDACTED]", "in": entry } }));
    let same = read(of(1), of(1)).await;
    assert_eq!(same, json!({ "before": state, "after": state, "diff": {} }));
    let added = read(json!({}), of(1)).await;
    assert_eq!(added["diff"], json!({ "Password": "[REDACTED]", "in": { "after": hidden } }));
    let removed = read(of(1), json!({})).await;
    assert_eq!(removed["diff"], json!({ "Password": "[REDACTED]", "in": { "before": hidden } }));
    trial.end().await;
}

#[tokio::test]
async fn masked_words_of_the_diffs_own_are_left_alone() {
    let trial = Trial::with("own_words", |config| config.mask_fields(["before", "after", "diff"])).await;
    let id = trial.stores_diff(DiffEvent::new("d").before(json!({ "a": 1 })).after(json!({ "a": 2 }))).await;
    let data: String = trial.column("data::text", id).await;
    assert_eq!(data, r#"{"diff": {"a": {"after": 2, "before": 1}}, "after": {"a": 2}, "before": {"a": 1}}"#);
    trial.end().await;
}

#[tokio::test]
async fn both_states_are_required_and_checked() {
    let trial = Trial::with("required", |config| config.max_payload_bytes(1_000)).await;
    let refused = async |event: DiffEvent<'_>| refusal(&trial.audit.emit_diff(event).await.unwrap_err());
    let missing = "is required; pass an empty object for a thing made or removed";
    assert_eq!(refused(DiffEvent::new("d").after(json!({}))).await, ("before".into(), missing.into()));
    assert_eq!(refused(DiffEvent::new("d").before(json!({}))).await, ("after".into(), missing.into()));
    let top = "must be a JSON object at the top";
    assert_eq!(refused(DiffEvent::new("d").before([CANARY]).after(json!({}))).await, ("before".into(), top.into()));
    assert_eq!(refused(DiffEvent::new("d").before(json!({})).after(CANARY)).await, ("after".into(), top.into()));
    let nan = std::collections::BTreeMap::from([("a", [f64::NAN])]);
    assert_eq!(refused(DiffEvent::new("d").before(&nan).after(json!({}))).await.0, "before.a[0]");
    assert_eq!(refused(DiffEvent::new("d").before(json!({})).after(&nan)).await.0, "after.a[0]");
    assert_eq!(refused(DiffEvent::new("d").before(json!({})).after(json!({})).meta(&nan)).await.0, "meta.a[0]");
    assert_eq!(refused(DiffEvent::new(" ").before(json!({})).after(json!({}))).await.0, "event");
    let large = json!({ "a": "x".repeat(600) });
    let (path, reason) = refused(DiffEvent::new("d").before(&large).after(&large)).await;
    assert!(path.starts_with("data") && reason.contains("1000 bytes"), "both count together: {path} {reason}");
    assert_eq!(refused(DiffEvent::new("d").before(json!({ "a": "x".repeat(1_000) })).after(&nan)).await.0, "before.a");
    trial.end().await;

    for (json, message) in [
        (json!({ "event": "e", "before": {} }), "missing field `after`"),
        (json!({ "event": "e", "after": {} }), "missing field `before`"),
        (json!({ "event": "e", "before": {}, "after": {}, "data": CANARY }), "unknown field `data`"),
        (json!({ "event": "e", "before": {}, "after": {}, "tableName": CANARY }), "unknown field `tableName`"),
        (json!([CANARY, {}, {}, null, null, null, null, null, null, null, null]), "an event must be a JSON object"),
    ] {
        let error = serde_json::from_str::<DiffEvent>(&json.to_string()).unwrap_err();
        assert_clean(&error);
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[tokio::test]
async fn the_path_of_a_state_too_deep_for_its_entry_leads_there() {
    let trial = Trial::new("diff_depth").await;
    let nested = |levels: usize, end: &str| -> Value {
        serde_json::from_str(&format!(r#"{{"a":{}{end}{}}}"#, "[".repeat(levels), "]".repeat(levels))).unwrap()
    };
    let emit = |before: Value, after: Value| trial.audit.emit_diff(DiffEvent::new("d").before(before).after(after));
    trial.stores_diff(DiffEvent::new("d").before(nested(61, "1")).after(nested(61, "2"))).await;
    trial.stores_diff(DiffEvent::new("d").before(nested(62, "1")).after(nested(62, "1"))).await;
    let path = |emitted: Result<_, _>| refusal(&emitted.map(|_: tracevault::Receipt| ()).unwrap_err()).0;
    let inner = |levels: usize| "[0]".repeat(levels);
    assert_eq!(path(emit(nested(62, "1"), nested(62, "2")).await), format!("data.diff.a.before{}", inner(61)));
    assert_eq!(path(emit(nested(63, ""), json!({})).await), format!("data.before.a{}", inner(62)));
    assert_eq!(path(emit(nested(64, ""), json!({})).await), format!("before.a{}", inner(63)));
    trial.end().await;
}

#[tokio::test]
async fn an_async_change_with_an_id_of_its_own_is_stored_once() {
    let trial = Trial::new("async_diff").await;
    let id = uuid::Uuid::new_v4();
    for _ in 0..2 {
        let event = DiffEvent::new("d").id(id).mode(tracevault::Mode::Async).before(json!({})).after(json!({}));
        assert_eq!(trial.audit.emit_diff(event).await.unwrap().durability, Durability::Queued);
    }
    trial.audit.flush().await.unwrap();
    assert_eq!(trial.table.data().await, r#"{"diff": {}, "after": {}, "before": {}}"#);
    trial.audit.close().await.unwrap();
    trial.table.drop().await;
}

fn small() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        (0..3).prop_map(Value::from),
        (0..3).prop_map(|whole| Value::from(f64::from(whole))),
        prop::sample::select(vec!["", "x", "1"]).prop_map(Value::from),
    ];
    object(
        scalar.boxed(),
        prop::sample::select(vec!["a", "b", "c", "Pin", "0", "\"", "é"]).prop_map(str::to_owned).boxed(),
    )
}

/// Two states with much in common: of each value of the first, the second has it as it is, in another spelling, or not.
fn states() -> impl Strategy<Value = (Value, Value)> {
    (small(), small(), prop::collection::vec(0..4, 6)).prop_map(|(before, mut after, fates)| {
        for ((key, value), fate) in before.as_object().unwrap().iter().zip(fates) {
            match fate {
                0 => after[key] = value.clone(),
                1 | 2 => after[key] = respelled(value),
                _ => {}
            }
        }
        (before, after)
    })
}

fn respelled(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            serde_json::from_str(&format!("{:.0}", number.as_f64().unwrap())).unwrap()
        }
        Value::Number(number) => Value::from(number.as_f64().unwrap()),
        Value::Array(items) => items.iter().map(respelled).collect(),
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), respelled(value))).collect(),
        other => other.clone(),
    }
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => one == other,
    }
}

fn masked(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.clone(), if key == "Pin" { "*".into() } else { masked(value) }))
            .collect(),
        other => other.clone(),
    }
}

fn model(before: &Value, after: &Value) -> Value {
    let (old, new) = (before.as_object().unwrap(), after.as_object().unwrap());
    let mut diff = Map::new();
    for key in old.keys().chain(new.keys()) {
        let mut entry = Map::new();
        match (old.get(key), new.get(key)) {
            (Some(was), Some(is)) if equal(was, is) => continue,
            (was, is) => {
                was.map(|was| entry.insert("before".into(), masked(was)));
                is.map(|is| entry.insert("after".into(), masked(is)));
            }
        }
        diff.insert(key.clone(), if key == "Pin" { "*".into() } else { entry.into() });
    }
    json!({ "before": masked(before), "after": masked(after), "diff": diff })
}

#[test]
fn random_changes_are_what_a_plain_model_says() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let (audit, recorder) = testing::recorder(Config::default().mask_fields(["pin"]).mask_value("*")).unwrap();
    let kept = std::cell::Cell::new(0);
    check(&states(), |(before, after)| {
        recorder.clear();
        let backwards = serde_json::from_value::<DiffEvent>(json!({ "event": "d", "before": after, "after": before }));
        runtime.block_on(async {
            audit.emit_diff(DiffEvent::new("d").before(&before).after(&after)).await.unwrap();
            audit.emit_diff(backwards.unwrap()).await.unwrap();
            audit.emit(Event::new("company")).await.unwrap();
        });
        let records = recorder.records();
        let read = |index: usize| serde_json::from_str::<Value>(records[index].data().unwrap()).unwrap();
        let expected = model(&before, &after);
        let common = before.as_object().unwrap().keys().filter(|&key| after.get(key).is_some()).count();
        kept.set(kept.get() + common);
        assert_eq!(read(0), expected);
        assert_eq!(read(1), model(&after, &before));
    });
    assert!(kept.get() > 100, "the states have too few keys in common: {}", kept.get());
}
