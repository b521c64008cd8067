//! How large, how deep and of what form a payload may be.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::{Value, json, value::RawValue};
use tracevault::Event;
use uuid::Uuid;

use crate::{kit::CANARY, trial::Trial};

#[tokio::test]
async fn the_top_must_be_an_object() {
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct Newtype([&'static str; 1]);
    #[derive(Serialize)]
    enum Kind {
        Plain,
    }
    let trial = Trial::new("top").await;
    macro_rules! refused {
        ($($value:expr),+) => {$(
            let expected = ("data".to_owned(), "must be a JSON object at the top".to_owned());
            assert_eq!(trial.refuses(Event::new("e").data($value)).await, expected);
            let (path, _) = trial.refuses(Event::new("e").meta($value)).await;
            assert_eq!(path, "meta");
        )+};
    }
    let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    refused!(CANARY, 5, 1.5, true, 'c', [1], (1, 2), Unit, (), None::<Value>, Newtype([CANARY]), Kind::Plain);
    refused!(json!([CANARY]), raw("[1]"), raw("null"), raw(" \n\"x\""), Uuid::nil());
    assert_eq!(trial.data(raw(" \n{\"a\" :\t[ 1 ,2]\r} ")).await, r#"{"a": [1, 2]}"#);
    trial.end().await;
}

fn arrays(levels: usize) -> String {
    format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels))
}

#[tokio::test]
async fn sixty_four_levels_are_stored_and_the_next_is_refused() {
    #[derive(Serialize)]
    enum Chain {
        End,
        Link(Box<Chain>),
        Pair(Box<Chain>, ()),
        Node { next: Box<Chain> },
    }
    let trial = Trial::new("depth").await;
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let raw = |text: String| RawValue::from_string(text).unwrap();
    let spaced = arrays(63).replace("[[", "[ [");
    trial.data(value(&arrays(63))).await;
    trial.data(raw(arrays(63))).await;
    assert_eq!(trial.data(raw(spaced)).await.replace(' ', ""), arrays(63));
    let path = format!("data.a{}", "[0]".repeat(63));
    let refused = (path, "is nested deeper than 64 levels".to_owned());
    assert_eq!(trial.refuses(Event::new("e").data(value(&arrays(64)))).await, refused);
    assert_eq!(trial.refuses(Event::new("e").data(raw(arrays(64)))).await, refused);
    for levels in [128, 100_000] {
        let event: Event = serde_json::from_str(&format!(r#"{{"event":"e","data":{}}}"#, arrays(levels))).unwrap();
        assert_eq!(trial.refuses(event).await, refused);
    }
    // Each link is one level, a pair and a node are two: the last of 64 or 65 levels closes the chain.
    let chain = |links: usize| {
        let end = Chain::Pair(Box::new(Chain::Node { next: Box::new(Chain::End) }), ());
        (0..links).fold(end, |chain, _| Chain::Link(Box::new(chain)))
    };
    trial.data(chain(60)).await;
    let (path, _) = trial.refuses(Event::new("e").data(chain(61))).await;
    assert_eq!(path, format!("data{}.Pair[0].Node", ".Link".repeat(61)));
    trial.end().await;
}

#[tokio::test]
async fn the_size_limit_is_exact_and_for_each_payload() {
    let trial = Trial::with("size", |config| config.max_payload_bytes(100)).await;
    let of = |length: usize| json!({ "v": "x".repeat(length) });
    let escaped = |length: usize| json!({ "v": "\n".repeat(length) });
    let control = |length: usize| json!({ "v": "\u{1}".repeat(length) });
    let list = |length: usize| json!({ "v": vec![1; length] });
    trial.stores(Event::new("e").data(of(92)).meta(of(92))).await;
    trial.data(escaped(46)).await;
    trial.data(control(15)).await;
    trial.data(list(46)).await;
    trial.data(json!({ "v": "語".repeat(30) })).await;
    let reason = "makes the payload larger than 100 bytes of JSON (`max_payload_bytes`)";
    for (value, path) in
        [(of(93), "data"), (of(96), "data.v"), (of(1_000_000), "data.v"), (escaped(47), "data"), (control(16), "data")]
    {
        assert_eq!(trial.refuses(Event::new("e").data(value)).await, (path.into(), reason.into()));
    }
    for value in [list(47), json!({ "v": "語".repeat(31) }), json!({ "k".repeat(1_000): 1 })] {
        let (path, found) = trial.refuses(Event::new("e").data(value)).await;
        assert!(path.starts_with("data") && found == reason, "{path} {found}");
    }
    let (path, _) = trial.refuses(Event::new("e").data(of(1)).meta(of(93))).await;
    assert_eq!(path, "meta");
    let text = json!({ "event": "e", "data": of(93) }).to_string();
    assert_eq!(trial.refuses(serde_json::from_str::<Event>(&text).unwrap()).await, ("data".into(), reason.into()));
    trial.end().await;

    let trial = Trial::new("default_size").await;
    trial.data(of(256 * 1024 - 8)).await;
    let (_, reason) = trial.refuses(Event::new("e").data(of(256 * 1024 - 7))).await;
    assert!(reason.contains("262144"), "{reason}");
    trial.end().await;
}

/// Never ends by itself.
enum Endless {
    Sequence,
    Map,
    Nested,
}

impl Serialize for Endless {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Sequence => serializer.collect_seq(std::iter::repeat(())),
            Self::Map => serializer.collect_map(std::iter::repeat(("", ""))),
            Self::Nested => serializer.collect_map([("deeper", Self::Nested)]),
        }
    }
}

#[tokio::test]
async fn what_never_ends_is_stopped() {
    let trial = Trial::with("endless", |config| config.mask_fields(["hidden"])).await;
    for (endless, reason) in [
        (Endless::Sequence, "larger than 262144 bytes"),
        (Endless::Map, "larger than 262144 bytes"),
        (Endless::Nested, "deeper than 64 levels"),
    ] {
        let (_, found) = trial.refuses(Event::new("e").data(BTreeMap::from([("v", endless)]))).await;
        assert!(found.contains(reason), "{found}");
    }
    assert_eq!(
        trial.data(BTreeMap::from([("hidden", Endless::Sequence)])).await,
        r#"{"hidden": "[REDACTED]"}"#,
        "what is masked is not even looked at"
    );
    trial.end().await;
}

/// Passes text by serde as `serde_json` passes numbers and ready-made JSON.
struct Private(&'static str, &'static str);

impl Serialize for Private {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut structure = serializer.serialize_struct(self.0, 1)?;
        structure.serialize_field(self.0, self.1)?;
        structure.end()
    }
}

#[tokio::test]
async fn ready_made_text_is_checked_to_be_json() {
    const NUMBER: &str = "$serde_json::private::Number";
    const RAW: &str = "$serde_json::private::RawValue";
    let trial = Trial::with("ready", |config| config.mask_fields(["hidden"])).await;
    assert_eq!(trial.data(BTreeMap::from([("v", Private(NUMBER, "1.10"))])).await, r#"{"v": 1.10}"#);
    let masked = trial.data(BTreeMap::from([("v", Private(RAW, r#"[{"hidden":1}]"#))])).await;
    assert_eq!(masked, r#"{"v": [{"hidden": "[REDACTED]"}]}"#);
    for (name, text) in [
        (NUMBER, "1.10.1"),
        (NUMBER, "+5"),
        (NUMBER, ".5"),
        (NUMBER, "5."),
        (NUMBER, "05"),
        (NUMBER, "1,\"hidden\":2"),
        (NUMBER, "inf"),
        (NUMBER, ""),
        (RAW, "{"),
        (RAW, "1}"),
        (RAW, "{},{}"),
        (RAW, r#""\ud800""#),
        (RAW, "\"\n\""),
        (RAW, ""),
    ] {
        let (path, reason) = trial.refuses(Event::new("e").data(BTreeMap::from([("v", Private(name, text))]))).await;
        assert_eq!((&*path, &*reason), ("data.v", "is not JSON, or holds a broken escape"), "{name} {text}");
    }
    trial.end().await;
}
