//! Masks: what is hidden stays hidden, wherever it stands, and what is not stays as it is.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use tracevault::{Config, DiffEvent, Event, Record, ScopeOverrides, regex::Regex, testing};

use crate::{
    arbitrary::{check, object, runtime, samples, scalar, text},
    kit::{CANARY, leaks},
    trial::{Trial, misconfigured},
};

const MASKED: &str = "[REDACTED]";

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn keys_are_masked_in_any_case_at_any_depth_in_data_and_meta() {
    let trial = Trial::with("mask_keys", |config| config.mask_fields(["password", "biometricData", "ÉTAT"])).await;
    let payload = json!({
        "PASSWORD": CANARY,
        "biometricdata": { "face": [CANARY] },
        "état": [CANARY],
        "pass_word": 1,
        "passwords": 2,
        "list": [1, [{ "PassWord": CANARY, "kept": [{ "deeper": { "pASSWORD": 5 } }] }], { "password": null }],
    });
    let expected = json!({
        "PASSWORD": MASKED,
        "biometricdata": MASKED,
        "état": MASKED,
        "pass_word": 1,
        "passwords": 2,
        "list": [1, [{ "PassWord": MASKED, "kept": [{ "deeper": { "pASSWORD": MASKED } }] }], { "password": MASKED }],
    });
    let before = payload.clone();
    let id = trial.stores(Event::new("e").data(&payload).meta(&payload)).await;
    assert_eq!(payload, before, "the caller's value is the caller's");
    for column in ["data::text", "meta::text"] {
        assert_eq!(parsed(&trial.column::<String>(column, id).await), expected);
    }
    trial.end().await;
}

#[tokio::test]
async fn every_form_of_a_key_is_a_key() {
    #[derive(Serialize)]
    struct Login {
        password: &'static str,
        #[serde(rename = "Token")]
        renamed: &'static str,
        #[serde(flatten)]
        flat: HashMap<&'static str, &'static str>,
        variants: Vec<Secret>,
        numbers: BTreeMap<i32, &'static str>,
        typed: BTreeMap<Name, &'static str>,
    }
    #[derive(Serialize)]
    enum Secret {
        Password(&'static str),
        Token(&'static str, i32),
        Pin {
            digits: &'static str,
        },
        Shown(&'static str, i32),
        #[serde(rename = "password")]
        Unit,
    }
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    enum Name {
        Pin,
        Public,
    }
    let trial = Trial::with("mask_forms", |config| config.mask_fields(["password", "token", "pin", "42"])).await;
    let login = Login {
        password: CANARY,
        renamed: CANARY,
        flat: HashMap::from([("PIN", CANARY)]),
        variants: vec![
            Secret::Password(CANARY),
            Secret::Token(CANARY, 1),
            Secret::Pin { digits: CANARY },
            Secret::Shown("s", 1),
            Secret::Unit,
        ],
        numbers: BTreeMap::from([(42, CANARY), (43, "n")]),
        typed: BTreeMap::from([(Name::Pin, CANARY), (Name::Public, "p")]),
    };
    let expected = json!({
        "password": MASKED,
        "Token": MASKED,
        "PIN": MASKED,
        "variants": [
            { "Password": MASKED }, { "Token": MASKED }, { "Pin": MASKED }, { "Shown": ["s", 1] }, "password",
        ],
        "numbers": { "42": MASKED, "43": "n" },
        "typed": { "Pin": MASKED, "Public": "p" },
    });
    assert_eq!(parsed(&trial.data(&login).await), expected);
    assert_eq!(trial.data(Secret::Token(CANARY, 2)).await, format!(r#"{{"Token": "{MASKED}"}}"#));
    assert_eq!(trial.data(Secret::Pin { digits: CANARY }).await, format!(r#"{{"Pin": "{MASKED}"}}"#));
    trial.end().await;
}

#[tokio::test]
async fn keys_in_json_text_are_masked_however_they_are_escaped() {
    let trial = Trial::with("mask_text", |config| config.mask_fields(["password", "a\"b"])).await;
    let text = format!(
        r#"{{"p\u0061ssword":"{CANARY}","in":[{{"\u0050ASSWORD":{{"x":["{CANARY}"]}}}}],"A\"B":"{CANARY}",
            "password":"}}]\\\"{CANARY}","password":["{CANARY}"],"kept":"\u0061"}}"#
    );
    let expected = json!({ "password": MASKED, "in": [{ "PASSWORD": MASKED }], "A\"B": MASKED, "kept": "a" });
    let raw = RawValue::from_string(text.clone()).unwrap();
    assert_eq!(parsed(&trial.data(BTreeMap::from([("raw", &raw)])).await), json!({ "raw": expected }));
    assert_eq!(parsed(&trial.data(raw).await), expected);
    let event: Event = serde_json::from_str(&format!(r#"{{"event":"e","data":{text},"meta":{text}}}"#)).unwrap();
    let id = trial.stores(event).await;
    assert_eq!(parsed(&trial.column::<String>("data::text", id).await), expected);
    assert_eq!(parsed(&trial.column::<String>("meta::text", id).await), expected);
    trial.end().await;
}

#[tokio::test]
async fn what_is_masked_need_not_be_storable() {
    let trial = Trial::with("mask_bad", |config| config.mask_fields(["secret"]).max_payload_bytes(100)).await;
    let expected = format!(r#"{{"secret": "{MASKED}"}}"#);
    assert_eq!(trial.data(BTreeMap::from([("secret", f64::NAN)])).await, expected);
    assert_eq!(trial.data(json!({ "secret": "\0" })).await, expected);
    assert_eq!(trial.data(json!({ "secret": "x".repeat(1_000) })).await, expected);
    let raw = RawValue::from_string(format!(r#"{{"secret":{}{}}}"#, "[".repeat(90), "]".repeat(90))).unwrap();
    assert_eq!(trial.data(raw).await, expected);
    trial.end().await;
}

#[tokio::test]
async fn patterns_are_masked_inside_sentences_and_urls() {
    #[derive(Serialize)]
    enum Kind {
        #[serde(rename = "ann@example.org")]
        Address,
    }
    let masks = |config: Config| {
        config.mask_patterns([pattern(r"sk_live_[0-9a-f]+"), pattern(r"[\w.]+@[\w.]+"), pattern(r"(?i)bearer \S+")])
    };
    let trial = Trial::with("mask_patterns", masks).await;
    let payload = json!({
        "url": "https://api/x?key=sk_live_00ff&y=1&again=sk_live_1",
        "text": "Ann (ann.b@example.org) said \"hi\\o\" to bob@x, and left.",
        "list": [["BEARER abc.def ghi"], { "deep": "sk_live_" }],
        "sk_live_2": "keys are no values",
        "none": "nothing here",
    });
    let expected = json!({
        "url": "https://api/x?key=[REDACTED]&y=1&again=[REDACTED]",
        "text": "Ann ([REDACTED]) said \"hi\\o\" to [REDACTED], and left.",
        "list": [["[REDACTED] ghi"], { "deep": "sk_live_" }],
        "sk_live_2": "keys are no values",
        "none": "nothing here",
    });
    let raw = RawValue::from_string(r#"{"url":"a\u0040b","x":"sk\u005flive_\u0031"}"#.to_owned()).unwrap();
    let id = trial.stores(Event::new("e").data(&payload).meta(&raw)).await;
    assert_eq!(parsed(&trial.column::<String>("data::text", id).await), expected);
    assert_eq!(trial.column::<String>("meta::text", id).await, r#"{"x": "[REDACTED]", "url": "[REDACTED]"}"#);
    assert_eq!(trial.data(BTreeMap::from([("v", (Kind::Address, 1))])).await, r#"{"v": ["[REDACTED]", 1]}"#);
    let id = trial
        .stores_diff(DiffEvent::new("d").before(json!({ "u": "sk_live_1 a" })).after(json!({ "u": "sk_live_2 a" })))
        .await;
    let both = r#"{"u": "[REDACTED] a"}"#;
    let expected = format!(
        r#"{{"diff": {{"u": {{"after": "[REDACTED] a", "before": "[REDACTED] a"}}}}, "after": {both}, "before": {both}}}"#
    );
    assert_eq!(trial.column::<String>("data::text", id).await, expected);
    trial.end().await;
}

#[tokio::test]
async fn no_pattern_spoils_the_match_of_another() {
    let cases: [(&[&str], &str, &str); 9] = [
        (&["[0-9]{4}", "sk_[A-Za-z0-9]+"], "sk_abc1234defsecret", "#"),
        (&["sk_[A-Za-z0-9]+", "[0-9]{4}"], "sk_abc1234defsecret", "#"),
        (&["abc", "cde", "efg"], "-abcdefg-", "-#-"),
        (&["b", "abc", "c"], "-abc-b-c-", "-#-#-#-"),
        (&["ab", "cd"], "-abcd-", "-##-"),
        (&["ab", "bc", "cd"], "abcd", "#"),
        (&[r"\b", "x+"], "ab xx cd", "ab # cd"),
        (&[r"\b"], "ab cd", "ab cd"),
        (&["é😀", "😀語"], "aé😀語b", "a#b"),
    ];
    for (patterns, text, masked) in cases {
        let config = Config::default().mask_patterns(patterns.iter().map(|text| pattern(text))).mask_value("#");
        let Ok((audit, recorder)) = testing::recorder(config) else { panic!("{patterns:?}") };
        audit.emit(Event::new("e").data(json!({ "v": text }))).await.unwrap();
        assert_eq!(parsed(recorder.records()[0].data().unwrap()), json!({ "v": masked }), "{patterns:?}");
    }
    let config = Config::default().mask_patterns([pattern("[0-9]{4}"), pattern("sk_[A-Za-z0-9]+")]);
    let (audit, recorder) = testing::recorder(config).unwrap();
    audit.emit(Event::new("e").data(json!({ "k": "sk_abc1234defsecret" }))).await.unwrap();
    assert_eq!(recorder.records()[0].data(), Some(r#"{"k":"[REDACTED]"}"#));
}

/// What is hidden, byte by byte: a byte that some match covers is gone, and each run of them that matches hold together
/// is one mask.
fn covered(patterns: &[Regex], text: &str, mask: &str) -> String {
    let matches: Vec<_> = patterns.iter().flat_map(|pattern| pattern.find_iter(text)).map(|one| one.range()).collect();
    let mut shown = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        let joined = matches.iter().any(|range| range.start < at && at < range.end);
        if !matches.iter().any(|range| range.contains(&at)) {
            shown.push(byte);
        } else if !joined {
            shown.extend(mask.bytes());
        }
    }
    String::from_utf8(shown).unwrap()
}

#[test]
fn any_patterns_together_hide_what_each_of_them_finds() {
    const PATTERNS: [&str; 10] =
        ["[0-9]{2}", "s_[a-c0-9]+", "abc", "b", "bc?a", r"\b", "é.", "c😀|a", "_.*_", "[^a0_]{3}"];
    let patterns = PATTERNS.map(pattern);
    let runtime = runtime();
    let _inside = runtime.enter();
    let letter = prop::sample::select(vec!['a', 'b', 'c', 's', '_', '0', '1', ' ', '"', 'é', '😀']);
    let text = prop::collection::vec(letter, 0..24).prop_map(String::from_iter);
    let chosen = prop::sample::subsequence((0..PATTERNS.len()).collect::<Vec<_>>(), 0..6).prop_shuffle();
    let overlaps = std::cell::Cell::new(0);
    check(&(text, chosen), |(text, chosen)| {
        let chosen: Vec<_> = chosen.into_iter().map(|index| patterns[index].clone()).collect();
        let (audit, recorder) =
            testing::recorder(Config::default().mask_patterns(chosen.clone()).mask_value("<a0b>")).unwrap();
        runtime.block_on(audit.emit(Event::new("e").data(json!({ "v": text })))).unwrap();
        let expected = covered(&chosen, &text, "<a0b>");
        assert_eq!(
            parsed(recorder.records()[0].data().unwrap()),
            json!({ "v": expected }),
            "{text:?} under {chosen:?}"
        );
        let in_turn = chosen.iter().fold(text, |text, one| one.replace_all(&text, "<a0b>").into_owned());
        overlaps.set(overlaps.get() + usize::from(in_turn != expected));
    });
    assert!(overlaps.get() > 20, "few patterns met: {}", overlaps.get());
}

#[tokio::test]
async fn the_masks_value_is_text_of_any_kind() {
    for value in ["***", "", "\"quoted\" \\ back\\slash", "$0 ${x} $1", "語\n\t😀", "[REDACTED]"] {
        let trial = Trial::with("mask_value", |config| {
            config.mask_fields(["k"]).mask_patterns([pattern("s(e)cret")]).mask_value(value)
        })
        .await;
        let stored = parsed(&trial.data(json!({ "k": 1, "v": "a secret." })).await);
        assert_eq!(stored, json!({ "k": value, "v": format!("a {value}.") }));
        trial.end().await;
    }
}

#[tokio::test]
async fn masks_that_cannot_work_are_refused() {
    let made = |config: Config| misconfigured(&testing::recorder(config).unwrap_err()).0;
    assert_eq!(made(Config::default().mask_value("\0")), "mask_value");
    assert_eq!(made(Config::default().mask_fields(["a", " "])), "mask_fields");
    assert_eq!(made(Config::default().mask_patterns([pattern("a*")])), "mask_patterns");
}

#[tokio::test]
async fn a_scopes_masks_replace_those_of_its_parent() {
    let trial = Trial::with("mask_scopes", |config| {
        config.mask_fields(["password", "token"]).mask_patterns([pattern("sk_[0-9]+")]).mask_value("#")
    })
    .await;
    let payload = json!({ "password": "p", "token": "t", "pin": "n", "v": "sk_1 pk_2" });
    let seen = async |overrides: ScopeOverrides| {
        let scope = trial.audit.scope(overrides).unwrap();
        let receipt = scope.emit(Event::new("e").data(&payload)).await.unwrap();
        parsed(&trial.column::<String>("data::text", receipt.id).await)
    };
    let new = ScopeOverrides::new;
    let inherited = json!({ "password": "#", "token": "#", "pin": "n", "v": "# pk_2" });
    assert_eq!(seen(new()).await, inherited);
    let replaced = json!({ "password": "p", "token": "t", "pin": "#", "v": "# pk_2" });
    assert_eq!(seen(new().mask_fields(["PIN"])).await, replaced);
    let none = json!({ "password": "p", "token": "t", "pin": "n", "v": "# pk_2" });
    assert_eq!(seen(new().mask_fields(Vec::<String>::new())).await, none);
    let other = json!({ "password": "-", "token": "-", "pin": "n", "v": "- pk_2" });
    assert_eq!(seen(new().mask_value("-")).await, other);
    let patterns = json!({ "password": "#", "token": "#", "pin": "n", "v": "sk_1 #" });
    assert_eq!(seen(new().mask_patterns([pattern("pk_[0-9]+")])).await, patterns);
    let receipt = trial.audit.emit(Event::new("e").data(&payload)).await.unwrap();
    let root = parsed(&trial.column::<String>("data::text", receipt.id).await);
    assert_eq!(root, inherited, "the parent keeps its own");
    trial.audit.close().await.unwrap();
    trial.table.drop().await;
}

/// Objects with a canary under masked keys, as text, inside of text, as part of a key and deep down, and in text that a
/// pattern matches.
fn planted() -> impl Strategy<Value = Value> {
    let secret = format!("sk_{CANARY}");
    let leaf = prop_oneof![
        5 => scalar(),
        1 => (text(), text()).prop_map(move |(before, after)| Value::from(format!("{before}{secret} {after}"))),
    ];
    let key = prop_oneof![
        4 => text(),
        1 => prop::sample::select(vec!["password", "PASSWORD", "pAssWord", "Token", "État", "ÉTAT", "K\u{212a}"])
            .prop_map(str::to_owned),
    ];
    object(leaf.boxed(), key.boxed()).prop_map(plant)
}

/// Puts a canary under every masked key.
fn plant(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(plant).collect(),
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(key, value)| {
                    let secret = hides(&key).then(|| json!([value.clone(), { CANARY: [CANARY] }]));
                    (key, secret.unwrap_or_else(|| plant(value)))
                })
                .collect(),
        ),
        other => other,
    }
}

fn hides(key: &str) -> bool {
    ["password", "token", "état", "kk"].contains(&&*key.to_lowercase())
}

/// What must be stored of it.
fn model(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(model).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.clone(), if hides(key) { Value::from(MASKED) } else { model(value) }))
            .collect(),
        Value::String(text) => Value::from(text.replace(&format!("sk_{CANARY}"), MASKED)),
        other => other.clone(),
    }
}

fn masks(config: Config) -> Config {
    config.mask_fields(["PassWord", "token", "état", "kk"]).mask_patterns([pattern(&format!("sk_{CANARY}"))])
}

fn assert_hidden(record: &Record) {
    for shown in [serde_json::to_string(record).unwrap(), format!("{record:?}")] {
        assert!(!leaks(shown.as_bytes()), "{shown}");
    }
}

#[test]
fn no_planted_secret_survives_and_nothing_else_is_lost() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let (audit, recorder) = testing::recorder(masks(Config::default())).unwrap();
    let plants = std::cell::Cell::new(0);
    check(&(planted(), planted()), |(one, other)| {
        recorder.clear();
        let text = other.to_string();
        plants.set(plants.get() + usize::from(leaks(text.as_bytes())));
        let raw = RawValue::from_string(text).unwrap();
        let read: Event = serde_json::from_value(json!({ "event": "read", "data": one, "meta": other })).unwrap();
        let change = DiffEvent::new("d").before(&one).after(&raw).meta(&other);
        runtime.block_on(async {
            audit.emit(Event::new("built").data(&one).meta(&raw)).await.unwrap();
            audit.emit(read).await.unwrap();
            audit.emit_diff(change).await.unwrap();
        });
        let records = recorder.records();
        records.iter().for_each(assert_hidden);
        let (one, other) = (model(&reread(&one)), model(&reread(&other)));
        for record in &records[..2] {
            assert_eq!(parsed(record.data().unwrap()), one);
            assert_eq!(parsed(record.meta().unwrap()), other);
        }
        let change = parsed(records[2].data().unwrap());
        assert_eq!((&change["before"], &change["after"]), (&one, &other));
        assert_eq!(parsed(records[2].meta().unwrap()), other);
    });
    assert!(plants.get() > 50, "few secrets were planted: {}", plants.get());
}

/// The value as reading its text gives it: `serde_json` does not read every double back to the last bit.
fn reread(value: &Value) -> Value {
    parsed(&value.to_string())
}

#[tokio::test]
async fn no_planted_secret_reaches_a_row() {
    let trial = Trial::with("mask_rows", masks).await;
    let values = samples(&planted(), 64);
    let mut plants = 0;
    for pair in values.windows(2) {
        plants += usize::from(leaks(pair[0].to_string().as_bytes()));
        trial.stores(Event::new("e").data(&pair[0]).meta(&pair[1])).await;
        trial.stores_diff(DiffEvent::new("d").before(&pair[0]).after(&pair[1])).await;
    }
    assert!(plants > 10, "few secrets were planted: {plants}");
    for row in trial.table.select("t::text", "AS t", &[]).await {
        let text: String = row.get(0);
        assert!(!leaks(text.as_bytes()), "{text}");
    }
    trial.end().await;
}
