//! What a client may send to do harm.

use std::{net::IpAddr, time::Instant};

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tracevault::{
    Config,
    http::{CapturedError, Ending, Party, TrustedProxies},
};

use super::{Kept, exchange};

#[tokio::test]
async fn no_text_of_an_exchange_can_keep_it_from_being_stored() {
    let huge = "é".repeat(1 << 19);
    for text in ["", " ", "\0", "a\r\nb", "\u{202e}gnp.exe", "\u{1b}[2J", "\u{feff}", &huge] {
        let kept = Kept::new(Config::default());
        let mut hostile = exchange(text, text, Some(200));
        hostile.route = Some(text.into());
        hostile.query = Some(json!({ "a": text.replace('\0', "") }));
        hostile.user_agent = Some(text.into());
        hostile.event_name = Some(text.into());
        hostile.correlation_id = Some(text.into());
        hostile.session_id = Some(text.into());
        hostile.actor = Some(Party::new(text, "user"));
        hostile.target = Some(Party::new("x", text));
        hostile.ending = Ending::Panic(CapturedError::new(text, text));
        hostile.request_body_hash = Some("ba78".into());
        let record = kept.record(hostile).await;
        assert!(record.event().chars().count() <= 255);
        assert!(!record.event().contains(|letter: char| letter.is_control() || letter == '\u{202e}'));
        assert!(record.data().unwrap().len() <= 12_000);
        let payload: Value = serde_json::from_str(record.data().unwrap()).unwrap();
        assert_eq!((&payload["kind"], &payload["outcome"]), (&json!("error"), &json!("failure")));
        let blank = text.trim().is_empty();
        assert_eq!((record.actor_id().is_none(), record.target_id().is_none()), (blank, blank));
        assert!(record.actor_id().is_none_or(|id| id.chars().count() <= 512));
        assert_eq!(record.correlation_id().is_none(), text.is_empty());
        assert!(record.correlation_id().is_none_or(|id| id.chars().count() <= 512));
    }
}

#[tokio::test]
async fn a_query_with_nul_is_no_reason_to_lose_the_exchange() {
    let kept = Kept::new(Config::default());
    let mut hostile = exchange("GET", "/a", Some(200));
    hostile.query = Some(json!({ "a\0": "b\0" }));
    assert_eq!(kept.payload(hostile).await["message"], "GET /a completed successfully");
}

#[test]
fn huge_proxy_headers_are_read_in_no_time() {
    let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
    let peer = Some(IpAddr::from([10, 0, 0, 1]));
    for unit in [",", "\"", "\",", "[", "for=", "10.0.0.2,", "for=\"[::1", "\\\"", "\u{ff},", ";"] {
        let line = HeaderValue::from_bytes(unit.repeat((1 << 20) / unit.len()).as_bytes()).unwrap();
        for (name, real) in [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")] {
            let mut headers = HeaderMap::new();
            headers.append(name, line.clone());
            let started = Instant::now();
            proxies.client_ip(&headers, peer);
            assert!(started.elapsed().as_secs() < 2, "{unit}");
            // What the proxy says counts, whatever stands before it.
            headers.append(name, HeaderValue::from_static(real));
            assert_eq!(proxies.client_ip(&headers, peer), Some(IpAddr::from([203, 0, 113, 9])), "{unit}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_passed_over() {
    let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
    let mut headers = HeaderMap::new();
    headers.append("x-forwarded-for", HeaderValue::from_bytes(b"203.0.113.9, \xff\xfe, 10.0.0.2").unwrap());
    headers.append("x-forwarded-for", HeaderValue::from_bytes(b"\xc3\x28").unwrap());
    assert_eq!(proxies.client_ip(&headers, "10.0.0.1".parse().ok()), "203.0.113.9".parse().ok());
}
