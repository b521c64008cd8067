//! The payload's limit holds, whatever an exchange says.

use std::sync::LazyLock;

use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};
use tracevault::{
    Config,
    http::{CapturedError, Ending, Exchange, RequestId},
};

use super::{Kept, exchange};

/// `id`, `kind`, `message`, `timestamp` and `outcome` of a success without a message.
const SMALLEST: usize = 134;

fn failed(path: usize, data: usize, error: usize) -> Exchange {
    let mut exchange = exchange("GET", &format!("/{}", "p".repeat(path)), Some(500));
    exchange.error = Some(CapturedError::new("Boom", "e".repeat(error)));
    if data > 0 {
        exchange.data = Map::from_iter([("text".to_owned(), json!("d".repeat(data)))]);
    }
    exchange
}

#[tokio::test]
async fn what_can_be_spared_goes_first() {
    let mut kept = Kept::new(Config::default());
    // The whole, to the byte.
    let whole = kept.record(failed(10, 100, 100)).await.data().unwrap().len();
    for (limit, has_all) in [(whole, true), (whole - 1, false)] {
        kept.sink = kept.sink.max_payload_bytes(limit).unwrap();
        let payload = kept.payload(failed(10, 100, 100)).await;
        assert_eq!(payload.get("data").is_some(), has_all);
        assert_eq!(payload.get("truncated"), (!has_all).then_some(&json!(true)));
        assert!(payload.get("error").is_some());
    }
    kept.sink = kept.sink.max_payload_bytes(800).unwrap();
    // Without the handler's data it fits; then without the error; then not even so.
    let payload = kept.payload(failed(10, 1_000, 10)).await;
    assert_eq!((payload.get("data"), &payload["error"]["exception"]), (None, &json!("Boom")));
    let payload = kept.payload(failed(10, 1_000, 1_000)).await;
    assert_eq!((payload.get("data"), payload.get("error")), (None, None));
    assert_eq!((&payload["truncated"], &payload["outcome"]), (&json!(true), &json!("failure")));
    assert_eq!(payload["metrics"]["statusCode"], 500);
    let payload = kept.payload(failed(1_000, 10, 10)).await;
    let mut keys: Vec<_> = payload.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["id", "kind", "message", "outcome", "timestamp"]);
    assert_eq!((&payload["kind"], &payload["outcome"]), (&json!("error"), &json!("failure")));
    assert_eq!(payload["message"].as_str().unwrap(), format!("GET /{}", "p".repeat(495)));
    // A smaller limit leaves less of the message.
    kept.sink = kept.sink.max_payload_bytes(300).unwrap();
    let payload = kept.payload(failed(1_000, 10, 10)).await;
    let left = payload["message"].as_str().unwrap().len();
    assert!((1..160).contains(&left), "{left}");
}

#[tokio::test]
async fn a_limit_without_room_for_the_least_is_refused() {
    let kept = Kept::new(Config::default());
    let error = kept.sink.clone().max_payload_bytes(1).unwrap_err().to_string();
    assert!(error.contains(&format!("must be at least {SMALLEST}")), "{error}");
    assert!(kept.sink.clone().max_payload_bytes(SMALLEST - 1).is_err());
    let least = kept.sink.clone().max_payload_bytes(SMALLEST).unwrap();
    let kept = Kept { sink: least, ..kept };
    let payload = kept.payload(exchange("GET", "/", Some(200))).await;
    assert_eq!((&payload["kind"], &payload["message"]), (&json!("success"), &json!("")));
    // The scope's own limit counts where it is less.
    let mut kept = Kept::new(Config::default().max_payload_bytes(600));
    kept.sink = kept.sink.max_payload_bytes(100_000).unwrap();
    let data = kept.record(failed(1_000, 1_000, 1_000)).await;
    assert!((400..=600).contains(&data.data().unwrap().len()));
    // A mask makes text longer, and that counts.
    let long = Kept::new(Config::default().mask_fields(["message"]).mask_value("x".repeat(50)));
    assert!(long.sink.clone().max_payload_bytes(SMALLEST + 49).is_err());
    assert!(long.sink.max_payload_bytes(SMALLEST + 50).is_ok());
}

#[tokio::test]
async fn a_mask_that_makes_text_longer_stays_within_the_limit() {
    let pattern = regex::Regex::new("a").unwrap();
    let kept = Kept::new(Config::default().mask_fields(["pin"]).mask_patterns([pattern]));
    let mut exchange = exchange("GET", "/a", Some(200));
    exchange.data = Map::from_iter([("text".to_owned(), json!("a".repeat(2_000)))]);
    let record = kept.record(exchange.clone()).await;
    assert!(record.data().unwrap().len() <= 12_000 && record.data().unwrap().contains("truncated"));
    exchange.data = (0..600).map(|at| (format!("k{at}"), json!({ "pin": "" }))).collect();
    let record = kept.record(exchange).await;
    assert!(record.data().unwrap().len() <= 12_000 && record.data().unwrap().contains("truncated"));
}

#[tokio::test]
async fn data_that_cannot_be_stored_is_left_out() {
    let kept = Kept::new(Config::default());
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    for data in [json!("a\0b"), json!({ "\0": 1 }), deep] {
        let mut exchange = failed(3, 0, 3);
        exchange.data = Map::from_iter([("it".to_owned(), data)]);
        let payload = kept.payload(exchange).await;
        assert_eq!((payload.get("data"), &payload["truncated"]), (None, &json!(true)));
        assert_eq!(payload["error"]["exception"], "Boom");
    }
}

fn arbitrary() -> impl Strategy<Value = Exchange> {
    let text =
        prop_oneof![".{0,40}", "[\\x00-\\x1f\"\\\\]{0,600}", "[a\u{1f600}é\u{202e}]{0,3000}", Just("x".repeat(20_000))];
    let texts = prop::collection::vec(text.boxed(), 9);
    (texts, prop::option::of(0_u16..1_000), 0_u8..7, any::<bool>()).prop_map(|(texts, status, ending, with)| {
        let fault = CapturedError::new(&*texts[2], &*texts[3]);
        let mut exchange = Exchange::new(RequestId::new(), &*texts[0], &*texts[1]);
        exchange.status = status;
        exchange.ending = match ending {
            0 => Ending::Complete,
            1 => Ending::AtHead,
            2 => Ending::AbortedBeforeHead,
            3 => Ending::AbortedInBody,
            4 => Ending::BodyError(fault),
            5 => Ending::ServiceError(fault),
            _ => Ending::Panic(fault),
        };
        exchange.user_agent = with.then(|| texts[4].clone());
        exchange.query = with.then(|| json!({ &*texts[5]: &*texts[6] }));
        exchange.data = Map::from_iter([(texts[7].clone(), json!(&*texts[8]))]);
        exchange.event_name = with.then(|| texts[6].clone());
        exchange.session_id = with.then(|| texts[7].clone());
        exchange.correlation_id = with.then(|| texts[8].clone());
        exchange.actor = with.then(|| tracevault::http::Party::new(&*texts[5], &*texts[0]));
        exchange
    })
}

/// A pattern may make an id longer than was foreseen: that is no reason to lose the exchange.
#[tokio::test]
async fn a_pattern_that_hits_what_is_ours_leaves_an_event() {
    let mut kept = Kept::new(Config::default().mask_patterns([regex::Regex::new("[0-9a]").unwrap()]));
    let least = kept.sink.clone().max_payload_bytes(1).unwrap_err().to_string();
    let least: usize = least.rsplit(' ').next().unwrap().parse().unwrap();
    // The nil timestamp and the highest id have fewer of them than others.
    kept.sink = kept.sink.max_payload_bytes(least).unwrap();
    let record = kept.record(exchange("GET", "/", Some(500))).await;
    assert_eq!((record.event(), record.data()), ("http.GET./", Some("{}")));
}

/// None is lost, and each is JSON within its limit.
#[test]
fn every_exchange_becomes_json_within_the_limit() {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());
    let _entered = RUNTIME.enter();
    let masks = Config::default().mask_fields(["x", "pin"]).mask_patterns([regex::Regex::new("[xé]").unwrap()]);
    let kinds = [Kept::new(Config::default()), Kept::new(masks)];
    let limits = prop_oneof![SMALLEST..400, SMALLEST..13_000, Just(usize::MAX)];
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(120) });
    let tested = runner.run(&(arbitrary(), limits, 0..kinds.len()), |(exchange, limit, kind)| {
        let kept = &kinds[kind];
        kept.recorder.clear();
        let (expected, request_id) = (exchange.kind(), exchange.request_id.as_str().to_owned());
        let sink = kept.sink.clone().max_payload_bytes(limit).unwrap();
        RUNTIME.block_on(async {
            tracevault::http::Sink::capture(&sink, exchange).unwrap();
            kept.scope.flush().await.unwrap();
        });
        let records = kept.recorder.records();
        prop_assert_eq!(records.len(), 1);
        let data = records[0].data().unwrap();
        prop_assert!(data.len() <= limit, "{} > {limit}", data.len());
        let payload: Value = serde_json::from_str(data).unwrap();
        prop_assert_eq!(&payload["kind"], expected.as_str());
        prop_assert_eq!(&payload["id"], &json!(records[0].id()));
        prop_assert_eq!(records[0].request_id(), Some(&*request_id));
        Ok(())
    });
    tested.unwrap();
}
