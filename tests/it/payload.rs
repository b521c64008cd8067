//! Payloads of every Rust type that serde knows: what is stored, what is refused, and where the fault is said to be.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    time::Duration,
};

use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::{Value, json, value::RawValue};
use time::{Date, OffsetDateTime, macros::datetime};
use tracevault::Event;
use uuid::Uuid;

use crate::{kit::CANARY, trial::Trial};

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Newtype<T>(T);

#[derive(Serialize)]
enum Kind {
    Plain,
    One(i32),
    Several(i32, &'static str),
    Named { deep: Vec<f64> },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Everything {
    small: i8,
    wide: u64,
    narrow: f32,
    double: f64,
    letter: char,
    yes: bool,
    nothing: Option<i32>,
    something: Option<Newtype<i32>>,
    unit: Unit,
    empty: (),
    tuple: (i32, &'static str, [u8; 2]),
    kinds: Vec<Kind>,
    id: Uuid,
    address: IpAddr,
    lasts: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<i32>,
    #[serde(flatten)]
    flat: BTreeMap<String, Value>,
}

/// As an application writes them that has switched on serde in `time`; here only the tests have.
#[tokio::test]
async fn times_are_stored_as_their_serde_form_says() {
    #[derive(Serialize)]
    struct Times {
        at: OffsetDateTime,
        #[serde(with = "time::serde::rfc3339")]
        standard: OffsetDateTime,
        #[serde(with = "time::serde::timestamp")]
        seconds: OffsetDateTime,
        day: Date,
        #[serde(with = "time::serde::rfc3339::option")]
        never: Option<OffsetDateTime>,
    }
    let trial = Trial::new("times").await;
    let at = datetime!(2026-01-31 09:30:00.5 +02:00);
    let times = Times { at, standard: at, seconds: at, day: at.date(), never: None };
    let expected = json!({
        "at": "2026-01-31 09:30:00.5 +02:00:00",
        "standard": "2026-01-31T09:30:00.5+02:00",
        "seconds": 1_769_844_600,
        "day": "2026-01-31",
        "never": null,
    });
    let stored: Value = serde_json::from_str(&trial.data(&times).await).unwrap();
    assert_eq!(stored, expected);
}

#[tokio::test]
async fn every_kind_of_type_is_stored_in_serde_jsons_form() {
    let trial = Trial::new("types").await;
    let everything = Everything {
        small: -128,
        wide: u64::MAX,
        narrow: 0.1,
        double: 0.1,
        letter: '語',
        yes: true,
        nothing: None,
        something: Some(Newtype(7)),
        unit: Unit,
        empty: (),
        tuple: (1, "two", [3, 4]),
        kinds: vec![Kind::Plain, Kind::One(1), Kind::Several(1, "b"), Kind::Named { deep: vec![0.5] }],
        id: Uuid::from_u128(1),
        address: "::1".parse().unwrap(),
        lasts: Duration::from_millis(1_500),
        left_out: None,
        flat: BTreeMap::from([("flat".to_owned(), json!({ "er": [null] }))]),
    };
    let stored: Value = serde_json::from_str(&trial.data(&everything).await).unwrap();
    let expected = json!({
        "small": -128, "wide": 18_446_744_073_709_551_615_u64, "narrow": 0.1, "double": 0.1, "letter": "語", "yes": true,
        "nothing": null, "something": 7, "unit": null, "empty": null, "tuple": [1, "two", [3, 4]],
        "kinds": ["Plain", { "One": 1 }, { "Several": [1, "b"] }, { "Named": { "deep": [0.5] } }],
        "id": "00000000-0000-0000-0000-000000000001", "address": "::1", "lasts": { "secs": 1, "nanos": 500_000_000 },
        "flat": { "er": [null] },
    });
    assert_eq!(stored, expected);
    // Payloads of any form that is an object at the top.
    assert_eq!(trial.data(Kind::One(5)).await, r#"{"One": 5}"#);
    assert_eq!(trial.data(Kind::Several(5, "x")).await, r#"{"Several": [5, "x"]}"#);
    assert_eq!(trial.data(Kind::Named { deep: vec![] }).await, r#"{"Named": {"deep": []}}"#);
    assert_eq!(trial.data(Newtype(Some(json!({ "a": {} })))).await, r#"{"a": {}}"#);
    assert_eq!(trial.data(HashMap::<String, i32>::new()).await, "{}");
    trial.end().await;
}

#[tokio::test]
async fn every_character_is_kept_in_values_and_keys() {
    let trial = Trial::new("characters").await;
    let all: String = ('\u{1}'..='\u{17f}').chain(['\u{2028}', '\u{fffe}', '\u{feff}', '😀', char::MAX]).collect();
    let payload =
        json!({ "whole": all, "key": { all.as_str(): 1 }, "each": all.chars().map(String::from).collect::<Vec<_>>() });
    assert_eq!(serde_json::from_str::<Value>(&trial.data(&payload).await).unwrap(), payload);
    let id = trial.stores(Event::new("e").data(RawValue::from_string(payload.to_string()).unwrap())).await;
    let same = trial.table.select("data = $2::text::jsonb", "WHERE id = $1", &[&id, &payload.to_string()]).await;
    assert!(same[0].get::<_, bool>(0));
    trial.end().await;
}

#[tokio::test]
async fn a_payload_may_be_borrowed_and_is_left_as_it_was() {
    let trial = Trial::with("borrowed", |config| config.mask_fields(["secret"])).await;
    let payload = json!({ "secret": CANARY, "n": 1 });
    let meta = BTreeMap::from([("secret", "x")]);
    let id = trial.stores(Event::new("e").data(&payload).meta(&meta)).await;
    assert_eq!(payload, json!({ "secret": CANARY, "n": 1 }));
    assert_eq!(trial.column::<String>("data::text", id).await, r#"{"n": 1, "secret": "[REDACTED]"}"#);
    assert_eq!(trial.column::<String>("meta::text", id).await, r#"{"secret": "[REDACTED]"}"#);
    let emit = {
        let gone = json!({ "v": "gone" });
        trial.audit.emit(Event::new("later").data(&gone))
    };
    let later = tokio::spawn(emit).await.unwrap().unwrap().id;
    assert_eq!(trial.column::<String>("data::text", later).await, r#"{"v": "gone"}"#);
    assert_eq!(trial.table.count().await, 2);
    trial.audit.close().await.unwrap();
    trial.table.drop().await;
}

#[tokio::test]
async fn keys_may_be_whatever_json_can_spell() {
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    enum Unit {
        Variant,
    }
    struct Float(f64);
    impl Serialize for Float {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([(self.0, 1)])
        }
    }
    let trial = Trial::new("keys").await;
    assert_eq!(trial.data(BTreeMap::from([(-3, "a"), (7, "b")])).await, r#"{"7": "b", "-3": "a"}"#);
    assert_eq!(trial.data(BTreeMap::from([(u128::MAX, 1)])).await, format!(r#"{{"{}": 1}}"#, u128::MAX));
    assert_eq!(trial.data(BTreeMap::from([(i128::MIN, 1)])).await, format!(r#"{{"{}": 1}}"#, i128::MIN));
    assert_eq!(trial.data(BTreeMap::from([(true, 1)])).await, r#"{"true": 1}"#);
    assert_eq!(trial.data(BTreeMap::from([('é', 1)])).await, r#"{"é": 1}"#);
    assert_eq!(trial.data(BTreeMap::from([(Some("k"), 1)])).await, r#"{"k": 1}"#);
    assert_eq!(trial.data(BTreeMap::from([(Unit::Variant, 1)])).await, r#"{"Variant": 1}"#);
    assert_eq!(trial.data(BTreeMap::from([(Uuid::nil(), 1)])).await, format!(r#"{{"{}": 1}}"#, Uuid::nil()));
    assert_eq!(trial.data(Float(1.5)).await, r#"{"1.5": 1}"#);
    assert_eq!(trial.data(json!({ "": 1, "a\"b\\c\n": 2 })).await, r#"{"": 1, "a\"b\\c\n": 2}"#);

    let reason = "has a key that JSON cannot spell";
    for (path, found) in [
        trial.refuses(Event::new("e").data(BTreeMap::from([((1, 2), 1)]))).await,
        trial.refuses(Event::new("e").data(BTreeMap::from([(None::<i32>, 1)]))).await,
        trial.refuses(Event::new("e").data(BTreeMap::from([((), 1)]))).await,
        trial.refuses(Event::new("e").data(BTreeMap::from([(vec![1], 1)]))).await,
        trial.refuses(Event::new("e").data(BTreeMap::from([(BTreeMap::from([(1, 1)]), 1)]))).await,
        trial.refuses(Event::new("e").data(Float(f64::NAN))).await,
        trial.refuses(Event::new("e").data(Float(f64::INFINITY))).await,
    ] {
        assert_eq!(path, "data");
        assert!(found.contains(reason), "{found}");
    }
    let (path, reason) = trial.refuses(Event::new("e").data(ShownKey(Unshowable))).await;
    assert_eq!((&*path, &*reason), ("data", "could not be serialised: its own Serialize implementation failed"));
    assert_eq!(trial.data(ShownKey(0.5)).await, r#"{"0.5": 1}"#);
    let (path, _) = trial.refuses(Event::new("e").data(json!({ "a": [1] })).meta(Newtype(Float(f64::NAN)))).await;
    assert_eq!(path, "meta");
    trial.end().await;
}

/// A payload with something at a place three levels deep.
#[derive(Serialize)]
struct Deep<T> {
    items: Vec<Value>,
    payment: Payment<T>,
}

#[derive(Serialize)]
struct Payment<T> {
    amounts: Vec<T>,
}

impl<T> Deep<T> {
    fn of(value: T) -> Self {
        Self { items: vec![json!(CANARY)], payment: Payment { amounts: vec![value] } }
    }
}

struct Bytes;

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(CANARY.as_bytes())
    }
}

struct Failing;

impl Serialize for Failing {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom(format!("cannot write {CANARY}")))
    }
}

/// Its Display fails, as a date's does when the pattern is wrong.
struct Unshowable;

impl std::fmt::Display for Unshowable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Err(std::fmt::Error)
    }
}

impl Serialize for Unshowable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A map whose key is what its Display shows.
struct ShownKey<T>(T);

impl<T: std::fmt::Display> Serialize for ShownKey<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Key<'k, T>(&'k T);
        impl<T: std::fmt::Display> Serialize for Key<'_, T> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self.0)
            }
        }
        serializer.collect_map([(Key(&self.0), 1)])
    }
}

#[tokio::test]
async fn what_json_cannot_carry_is_refused_with_its_path() {
    let trial = Trial::new("refused").await;
    macro_rules! refused {
        ($value:expr, $reason:literal) => {
            for event in [Event::new("e").data(Deep::of($value)), Event::new("e").data(&Deep::of($value))] {
                let (path, reason) = trial.refuses(event).await;
                assert_eq!(path, "data.payment.amounts[0]");
                assert!(reason.contains($reason), "{reason}");
            }
        };
    }
    refused!(f64::NAN, "is NaN");
    refused!(f64::INFINITY, "is NaN, infinite");
    refused!(f64::NEG_INFINITY, "infinite");
    refused!(f32::NAN, "is NaN");
    refused!(f32::INFINITY, "infinite");
    refused!(i128::from(u64::MAX) + 1, "integer beyond 64 bits");
    refused!(i128::from(i64::MIN) - 1, "integer beyond 64 bits");
    refused!(u128::from(u64::MAX) + 1, "integer beyond 64 bits");
    refused!(u128::MAX, "integer beyond 64 bits");
    refused!(Bytes, "is bytes");
    refused!(Failing, "its own Serialize implementation failed");
    refused!(Unshowable, "its own Serialize implementation failed");
    refused!(format!("{CANARY}\0"), "contains NUL");
    refused!('\0', "contains NUL");

    let named = |value| BTreeMap::from([("a key.with \"everything\" 語", vec![value])]);
    let (path, _) = trial.refuses(Event::new("e").data(json!({})).meta(named(f64::NAN))).await;
    assert_eq!(path, r#"meta["a key.with \"everything\" 語"][0]"#);
    let (path, _) = trial.refuses(Event::new("e").data(BTreeMap::from([("ends in \"", f64::NAN)]))).await;
    assert_eq!(path, r#"data["ends in \""]"#);
    let (path, _) = trial.refuses(Event::new("e").data(BTreeMap::from([("", f64::NAN)]))).await;
    assert_eq!(path, r#"data[""]"#);
    let (path, _) = trial.refuses(Event::new("e").data(BTreeMap::from([("k".repeat(65), f64::NAN)]))).await;
    assert_eq!(path, format!("data.{}…", "k".repeat(64)));
    let (path, _) = trial.refuses(Event::new("e").data(BTreeMap::from([(-5, f64::NAN)]))).await;
    assert_eq!(path, "data.-5");
    let (path, _) = trial.refuses(Event::new("e").data(Kind::Named { deep: vec![0.0, f64::NAN] })).await;
    assert_eq!(path, "data.Named.deep[1]");
    let raw = RawValue::from_string(format!(r#"{{"a":[0,{{"b":"{CANARY}\u0000"}}]}}"#)).unwrap();
    let (path, _) = trial.refuses(Event::new("e").data(BTreeMap::from([("raw", raw)]))).await;
    assert_eq!(path, "data.raw.a[1].b");
    for key in ["\0", "a\0b"] {
        let (path, reason) = trial.refuses(Event::new("e").data(json!({ "in": { key: CANARY } }))).await;
        assert_eq!(path, "data.in");
        assert!(reason.contains("NUL"), "{reason}");
    }
    trial.end().await;
}

#[tokio::test]
async fn integers_at_the_edge_of_64_bits_are_kept() {
    let trial = Trial::new("integers").await;
    let edges = (i128::from(i64::MIN), i128::from(u64::MAX), u128::from(u64::MAX), i64::MIN, 1e300, f64::MIN_POSITIVE);
    let id = trial.stores(Event::new("e").data(BTreeMap::from([("v", edges)]))).await;
    let stored: String = trial.column("data #>> '{v}'", id).await;
    let start = "[-9223372036854775808, 18446744073709551615, 18446744073709551615, -9223372036854775808, 1000";
    assert!(stored.starts_with(start), "{stored}");
    assert!(trial.column::<bool>("(data #>> '{v,5}')::float8 = 2.2250738585072014e-308", id).await);
    trial.end().await;
}

/// A `Serialize` that goes on after a part of it failed would leave a hole in the text.
#[tokio::test]
async fn an_error_that_is_swallowed_is_found_in_the_end() {
    struct Fails;
    impl Serialize for Fails {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom(CANARY))
        }
    }
    enum Swallows {
        Value,
        Name(&'static str),
    }
    impl Serialize for Swallows {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::{SerializeMap as _, SerializeStruct as _};
            match self {
                Self::Value => {
                    let mut map = serializer.serialize_map(None)?;
                    let _ = map.serialize_entry("a", &Fails);
                    map.serialize_entry("b", &1)?;
                    map.end()
                }
                Self::Name(name) => {
                    let mut fields = serializer.serialize_struct("Swallows", 2)?;
                    let _ = fields.serialize_field(name, &1);
                    fields.serialize_field("b", &1)?;
                    fields.end()
                }
            }
        }
    }
    let trial = Trial::with("swallows", |config| config.mask_fields(["hidden"]).max_payload_bytes(17)).await;
    for swallows in
        [Swallows::Value, Swallows::Name("a\0"), Swallows::Name("has no room in here"), Swallows::Name("hidden")]
    {
        let error = trial.audit.emit(Event::new("e").data(swallows)).await.unwrap_err();
        assert!(matches!(error, tracevault::Error::Validation(_)), "{error}");
    }
    trial.end().await;
}
