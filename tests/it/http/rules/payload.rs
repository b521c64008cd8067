//! What stands in an exchange's event, key by key.

use std::time::Duration;

use serde_json::{Map, Value, json};
use time::macros::datetime;
use tracevault::{
    Config,
    http::{CapturedError, Ending, Kind, Party},
};

use super::{Kept, exchange};

fn fault() -> CapturedError {
    CapturedError::new("OutOfStock", "product_456 is sold out")
}

fn sorted_keys(of: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = of.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn every_key_is_there_and_no_other() {
    let kept = Kept::new(Config::default().environment("staging"));
    let mut full = exchange("POST", "/orders/7", Some(503));
    let request_id = full.request_id.as_str().to_owned();
    full.route = Some("/orders/{id}".into());
    full.query = Some(json!({ "page": "2", "tag": ["a", "b"] }));
    full.client_ip = Some("2001:db8::1".parse().unwrap());
    full.user_agent = Some("curl/8".into());
    full.started_at = datetime!(2026-01-02 03:04:05.678_9 UTC);
    full.latency = Duration::from_micros(1_500_400);
    full.ttfb = Some(Duration::from_millis(12));
    full.request_body_hash = Some("ba78".into());
    full.error = Some(fault());
    full.correlation_id = Some("corr-1".into());
    full.actor = Some(Party::new("user_1", "user"));
    full.target = Some(Party::new("order_7", "order"));
    full.session_id = Some("s-1".into());
    full.data = Map::from_iter([("amount".to_owned(), json!(5))]);
    let record = kept.record(full).await;
    let data: Value = serde_json::from_str(record.data().unwrap()).unwrap();
    assert_eq!(
        data,
        json!({
            "id": record.id(),
            "kind": "error",
            "message": "POST /orders/7 failed: OutOfStock",
            "timestamp": "2026-01-02T03:04:07.179Z",
            "context": { "ip": "2001:db8::1", "userAgent": "curl/8" },
            "request": {
                "requestId": request_id,
                "method": "POST",
                "path": "/orders/7",
                "queryParams": { "page": "2", "tag": ["a", "b"] },
            },
            "metrics": { "latencyMs": 1500, "ttfbMs": 12, "statusCode": 503 },
            "severity": "high",
            "outcome": "failure",
            "error": {
                "statusCode": 503,
                "retryable": true,
                "code": "HTTP_503",
                "exception": "OutOfStock",
                "exceptionMessage": "product_456 is sold out",
                "requestBodyHash": "ba78",
            },
            "data": { "amount": 5 },
        })
    );
    let meta: Value = serde_json::from_str(record.meta().unwrap()).unwrap();
    assert_eq!(
        meta,
        json!({
            "type": "error",
            "event_name": "http.POST./orders/{id}",
            "service": "axum-service",
            "request_id": request_id,
            "env": "staging",
            "session_id": "s-1",
        })
    );
    assert_eq!(record.event(), "http.POST./orders/{id}");
    assert_eq!(record.request_id(), Some(&*request_id));
    assert_eq!(record.correlation_id(), Some("corr-1"));
    assert_eq!((record.actor_id(), record.actor_type()), (Some("user_1"), Some("user")));
    assert_eq!((record.target_id(), record.target_type()), (Some("order_7"), Some("order")));
    assert_eq!(record.environment(), Some("staging"));
    assert_eq!(record.occurred_at(), datetime!(2026-01-02 03:04:07.179_3 UTC));
}

#[tokio::test]
async fn what_is_unknown_is_said_to_be() {
    let kept = Kept::new(Config::default());
    let record = kept.record(exchange("GET", "/a", Some(204))).await;
    let data: Value = serde_json::from_str(record.data().unwrap()).unwrap();
    assert_eq!(
        sorted_keys(&data),
        ["context", "id", "kind", "message", "metrics", "outcome", "request", "severity", "success", "timestamp"]
    );
    assert_eq!(data["context"], json!({ "ip": "unknown", "userAgent": "unknown" }));
    assert_eq!(data["request"]["queryParams"], Value::Null);
    assert_eq!(sorted_keys(&data["request"]), ["method", "path", "queryParams", "requestId"]);
    assert_eq!(data["metrics"], json!({ "latencyMs": 0, "statusCode": 204 }));
    let meta: Value = serde_json::from_str(record.meta().unwrap()).unwrap();
    assert_eq!(sorted_keys(&meta), ["env", "event_name", "request_id", "service", "type"]);
    // Nobody said otherwise.
    assert_eq!((&meta["env"], record.environment()), (&json!("production"), Some("production")));
    assert_eq!((record.actor_id(), record.target_id(), record.correlation_id()), (None, None, None));
}

#[tokio::test]
async fn the_status_decides_on_kind_block_and_words() {
    let kept = Kept::new(Config::default());
    let ok = |status| json!({ "statusCode": status, "result": "processed" });
    let get = |status: Value| json!({ "statusCode": status, "action": "get" });
    let error = |status: u16, retryable| json!({ "statusCode": status, "retryable": retryable, "code": format!("HTTP_{status}") });
    for (status, block, expected, words) in [
        (None, "info", get(Value::Null), "processed"),
        (Some(0), "info", get(json!(0)), "processed"),
        (Some(100), "info", get(json!(100)), "processed"),
        (Some(199), "info", get(json!(199)), "processed"),
        (Some(200), "success", json!({ "statusCode": 200, "result": "ok" }), "completed successfully"),
        (Some(201), "success", ok(201), "completed successfully"),
        (Some(299), "success", ok(299), "completed successfully"),
        (Some(300), "info", get(json!(300)), "processed"),
        (Some(399), "info", get(json!(399)), "processed"),
        (Some(400), "error", error(400, false), "failed with 400"),
        (Some(408), "error", error(408, true), "failed with 408"),
        (Some(429), "error", error(429, true), "failed with 429"),
        (Some(500), "error", error(500, true), "failed with 500"),
        (Some(501), "error", error(501, false), "failed with 501"),
        (Some(502), "error", error(502, true), "failed with 502"),
        (Some(503), "error", error(503, true), "failed with 503"),
        (Some(504), "error", error(504, true), "failed with 504"),
        (Some(599), "error", error(599, false), "failed with 599"),
    ] {
        let exchange = exchange("GET", "/a", status);
        let kind = exchange.kind();
        let payload = kept.payload(exchange).await;
        assert_eq!((&payload["kind"], &payload[block]), (&json!(block), &expected), "{status:?}");
        assert_eq!(payload["message"], format!("GET /a {words}"), "{status:?}");
        let (severity, outcome) = if kind == Kind::Error { ("high", "failure") } else { ("low", "success") };
        assert_eq!((&payload["severity"], &payload["outcome"]), (&json!(severity), &json!(outcome)), "{status:?}");
        let blocks = ["success", "info", "error"].iter().filter(|block| payload.get(**block).is_some()).count();
        assert_eq!(blocks, 1, "{status:?}");
    }
}

#[tokio::test]
async fn an_ending_that_failed_counts_for_more_than_the_head() {
    let kept = Kept::new(Config::default());
    let boom = || CapturedError::new("Boom", "it went off");
    for (ending, head, told, words, aborted) in [
        (Ending::Complete, Some(200), 200, "completed successfully", false),
        (Ending::AtHead, Some(200), 200, "completed successfully", false),
        (Ending::AbortedBeforeHead, None, 499, "failed with 499", true),
        (Ending::AbortedInBody, Some(200), 499, "failed with 499", true),
        (Ending::BodyError(boom()), Some(200), 500, "failed: Boom", false),
        (Ending::ServiceError(boom()), None, 500, "failed: Boom", false),
        (Ending::Panic(boom()), None, 500, "failed: Boom", false),
    ] {
        let mut exchange = exchange("GET", "/a", head);
        exchange.ending = ending.clone();
        let payload = kept.payload(exchange).await;
        assert_eq!(payload["metrics"]["statusCode"], told, "{ending:?}");
        assert_eq!(payload["message"], format!("GET /a {words}"));
        assert_eq!(payload.get("aborted"), aborted.then_some(&json!(true)));
        if told == 500 {
            assert_eq!(payload["error"]["exception"], "Boom");
            assert_eq!(payload["error"]["exceptionMessage"], "it went off");
            assert_eq!(payload["error"]["retryable"], true);
        }
    }
    // The handler's own word, and the panic's before it.
    let mut said = exchange("GET", "/a", Some(404));
    said.error = Some(fault());
    assert_eq!(said.fault(), Some(&fault()));
    let payload = kept.payload(said.clone()).await;
    assert_eq!((&payload["error"]["exception"], &payload["error"]["statusCode"]), (&json!("OutOfStock"), &json!(404)));
    said.ending = Ending::Panic(boom());
    assert_eq!(kept.payload(said.clone()).await["error"]["exception"], "Boom");
    // A handler that says what went wrong means it, whatever its status.
    (said.ending, said.status) = (Ending::Complete, Some(200));
    let payload = kept.payload(said).await;
    assert_eq!((&payload["kind"], &payload["metrics"]["statusCode"]), (&json!("error"), &json!(200)));
}

#[tokio::test]
async fn the_environment_is_the_sinks_or_the_scopes() {
    let mut kept = Kept::new(Config::default().environment("staging"));
    kept.sink = kept.sink.environment("eu-1").unwrap().service_name("shop");
    let record = kept.record(exchange("GET", "/a", Some(200))).await;
    assert_eq!(record.environment(), Some("eu-1"));
    let meta: Value = serde_json::from_str(record.meta().unwrap()).unwrap();
    assert_eq!((&meta["env"], &meta["service"]), (&json!("eu-1"), &json!("shop")));
    for wrong in ["", "a\0b", &"x".repeat(129)] {
        let error = kept.sink.clone().environment(wrong).unwrap_err();
        assert!(error.to_string().contains("`environment`"), "{error}");
    }
}

#[tokio::test]
async fn payloads_are_masked_as_the_scope_says() {
    let pattern = regex::Regex::new("sk_[0-9]+").unwrap();
    let kept = Kept::new(Config::default().mask_fields(["pin", "userAgent"]).mask_patterns([pattern]));
    let mut secret = exchange("GET", "/a", Some(500));
    secret.user_agent = Some("curl".into());
    secret.error = Some(CapturedError::new("Denied", "the key sk_123 is revoked"));
    secret.data = Map::from_iter([("form".to_owned(), json!({ "pin": "1234", "key": "sk_9" }))]);
    let payload = kept.payload(secret).await;
    assert_eq!(payload["data"], json!({ "form": { "pin": "[REDACTED]", "key": "[REDACTED]" } }));
    assert_eq!(payload["error"]["exceptionMessage"], "the key [REDACTED] is revoked");
    assert_eq!(payload["context"]["userAgent"], "[REDACTED]");
}

#[test]
fn a_debug_shows_no_payload() {
    let mut secret = exchange("GET", crate::kit::CANARY, Some(500));
    secret.query = Some(json!({ "q": crate::kit::CANARY }));
    secret.user_agent = Some(crate::kit::CANARY.into());
    secret.error = Some(CapturedError::new("Denied", crate::kit::CANARY));
    secret.ending = Ending::Panic(CapturedError::new("panic", crate::kit::CANARY));
    secret.data = Map::from_iter([("a".to_owned(), json!(crate::kit::CANARY))]);
    assert!(!crate::kit::leaks(format!("{secret:?}").as_bytes()));
}
