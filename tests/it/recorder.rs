//! The recorder for users' own tests, the helpers for correlation ids, and the clock.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, macros::datetime};
use tracevault::{
    Config, DiffEvent, Durability, Error, Event, Mode, Outcome, ScopeOverrides, random_correlation_id,
    read_correlation_id_header, resolve_correlation_id, testing,
};
use uuid::Uuid;

use crate::{
    kit::{CANARY, leaks},
    trial::{Trial, assert_clean, misconfigured, refusal},
};

#[tokio::test]
async fn records_say_what_was_emitted() {
    let at = datetime!(2026-01-31 09:30:00.123456789 +1);
    let (audit, recorder) = testing::recorder(Config::default().environment("test").mask_fields(["pin"])).unwrap();
    let id = Uuid::new_v4();
    let event = Event::new("a.b")
        .id(id)
        .actor("u", "user")
        .target("p", "product")
        .data(json!({ "n": 1.5, "pin": CANARY }))
        .meta(json!({ "ip": "::1" }))
        .correlation_id("c")
        .request_id("r")
        .occurred_at(at)
        .mode(Mode::Async);
    audit.emit(event).await.unwrap();
    audit.emit_diff(DiffEvent::new("d").before(json!({ "a": 1 })).after(json!({ "a": 2 }))).await.unwrap();
    let records = recorder.records();
    assert_eq!(records.len(), 2, "first in, first out: what was sync waited for what was not");
    let record = &records[0];
    assert_eq!((record.id(), record.event(), record.mode()), (id, "a.b", Mode::Async));
    assert_eq!((record.actor_id(), record.actor_type()), (Some("u"), Some("user")));
    assert_eq!((record.target_id(), record.target_type()), (Some("p"), Some("product")));
    assert_eq!(
        (record.correlation_id(), record.request_id(), record.environment()),
        (Some("c"), Some("r"), Some("test"))
    );
    assert_eq!((record.data(), record.meta()), (Some(r#"{"n":1.5,"pin":"[REDACTED]"}"#), Some(r#"{"ip":"::1"}"#)));
    assert_eq!(record.occurred_at(), datetime!(2026-01-31 08:30:00.123456 UTC));
    let expected = json!({
        "id": id, "event": "a.b", "actor": { "id": "u", "type": "user" }, "target": { "id": "p", "type": "product" },
        "data": { "n": 1.5, "pin": "[REDACTED]" }, "meta": { "ip": "::1" }, "mode": "async",
        "occurredAt": "2026-01-31T08:30:00.123456Z", "correlationId": "c", "requestId": "r", "environment": "test",
    });
    assert_eq!(serde_json::from_str::<Value>(&serde_json::to_string(record).unwrap()).unwrap(), expected);
    let change = &records[1];
    assert_eq!(change.data(), Some(r#"{"before":{"a":1},"after":{"a":2},"diff":{"a":{"before":1,"after":2}}}"#));
    assert_eq!((change.actor_id(), change.target_type(), change.meta()), (None, None, None));
    assert!(!leaks(format!("{records:?} {recorder:?} {audit:?}").as_bytes()));
    audit.close().await.unwrap();
    assert!(audit.emit("late").await.unwrap_err().is_closed());
}

#[tokio::test]
async fn a_serialised_record_is_an_event_again() {
    let (audit, recorder) = testing::recorder(Config::default()).unwrap();
    let event = Event::new("e").actor("u", "user").data(json!({ "n": [1, { "x": "é" }] })).request_id("r");
    let first = audit.emit(event).await.unwrap().id;
    let mut json = serde_json::to_value(&recorder.records()[0]).unwrap();
    assert_eq!(json.as_object_mut().unwrap().remove("environment"), Some(Value::Null));
    recorder.clear();
    let receipt = audit.emit(serde_json::from_value::<Event>(json.clone()).unwrap()).await.unwrap();
    assert_eq!(receipt.id, first);
    let mut again = serde_json::to_value(&recorder.records()[0]).unwrap();
    again.as_object_mut().unwrap().remove("environment");
    assert_eq!(again, json);
}

#[tokio::test]
async fn records_are_told_apart_by_table() {
    let config = Config::default().table_name("root").scope("named", ScopeOverrides::new().table_name("named"));
    let (audit, recorder) = testing::recorder(config).unwrap();
    let scope = audit.scope(ScopeOverrides::new().table_name("scoped")).unwrap();
    audit.emit("a").await.unwrap();
    scope.emit("b").await.unwrap();
    audit.get_scope("named").unwrap().emit("c").await.unwrap();
    scope.try_emit("d").unwrap();
    scope.flush().await.unwrap();
    let of = |table: &str| -> Vec<String> {
        recorder.records_of(table).iter().map(|record| record.event().to_owned()).collect()
    };
    assert_eq!(of("root"), ["a"]);
    assert_eq!(of("scoped"), ["b", "d"]);
    assert_eq!(of("named"), ["c"]);
    assert_eq!(of("none"), Vec::<String>::new());
    assert_eq!(recorder.records().len(), 4);
    let clone = recorder.clone();
    clone.clear();
    assert!(recorder.records().is_empty() && of("scoped").is_empty());
    assert!(audit.healthcheck().await);
}

#[tokio::test]
async fn fail_next_fails_one_write() {
    type Heard = Arc<Mutex<Vec<(Uuid, Outcome)>>>;
    let heard: Heard = Arc::default();
    let telling = Arc::clone(&heard);
    let config = Config::default().on_error(move |error: &Error, record: &tracevault::Record| {
        assert_eq!(error.record_id(), Some(record.id()));
        telling.lock().unwrap().push((record.id(), error.outcome()));
    });
    let (audit, recorder) = testing::recorder(config).unwrap();
    let id = Uuid::new_v4();
    recorder.fail_next();
    let error = audit.emit(Event::new("e").id(id).data(json!({ "x": CANARY }))).await.unwrap_err();
    assert_clean(&error);
    assert!(matches!(error, Error::Driver(_)) && error.is_retryable());
    assert_eq!((error.record_id(), error.sqlstate()), (Some(id), None));
    let again = audit.emit(Event::new("e").id(id)).await.unwrap();
    assert!(!again.duplicate, "nothing was stored the first time");
    assert!(audit.emit(Event::new("e").id(id)).await.unwrap().duplicate);
    assert!(heard.lock().unwrap().is_empty(), "the caller was told himself");

    recorder.fail_next();
    recorder.fail_next();
    for expected in [true, true, false] {
        assert_eq!(audit.emit("e").await.is_err(), expected);
    }
    recorder.fail_next();
    let receipt = audit.try_emit("async").unwrap();
    assert_eq!((receipt.durability, receipt.duplicate), (Durability::Queued, false));
    assert_eq!(audit.flush().await.unwrap().failed, 1);
    assert_eq!(*heard.lock().unwrap(), [(receipt.id, error.outcome())]);
    recorder.clear();
    assert!(!audit.emit(Event::new("e").id(id)).await.unwrap().duplicate, "ids are forgotten too");
}

#[tokio::test]
async fn the_recorder_checks_and_masks_as_the_database_does() {
    let (audit, recorder) = testing::recorder(Config::default().max_payload_bytes(50)).unwrap();
    assert_eq!(refusal(&audit.emit(" ").await.unwrap_err()).0, "event");
    let long = Event::new("e").data(json!({ "v": "x".repeat(100) }));
    assert_eq!(refusal(&audit.emit(long).await.unwrap_err()).0, "data.v");
    assert!(recorder.records().is_empty());
    assert_eq!(misconfigured(&testing::recorder(Config::default().table_name("1")).unwrap_err()).0, "table_name");
}

#[test]
fn a_correlation_id_is_read_trimmed_or_not_at_all() {
    let read = |value: &str| {
        let mut asked = String::new();
        let id = read_correlation_id_header(|name| {
            name.clone_into(&mut asked);
            Some(value.to_owned())
        });
        assert_eq!(asked, "x-correlation-id");
        id
    };
    let longest = "語".repeat(512);
    assert_eq!(read(" \t req_abc\r\n").as_deref(), Some("req_abc"));
    assert_eq!(read("a b").as_deref(), Some("a b"));
    assert_eq!(read(&format!(" {longest} ")), Some(longest.clone()));
    for unusable in ["", " ", "\t\r\n", "a\0b", &format!("{longest}x")] {
        assert_eq!(read(unusable), None, "{unusable:?}");
        let made = resolve_correlation_id(|_| Some(unusable));
        assert_eq!(Uuid::parse_str(&made).unwrap().get_version_num(), 4);
    }
    assert_eq!(read_correlation_id_header(|_| None::<String>), None);
    assert_eq!(resolve_correlation_id(|_| Some(" req_abc ")), "req_abc");
    let made: HashSet<_> = (0..1_000).map(|_| random_correlation_id()).collect();
    assert_eq!(made.len(), 1_000);
}

#[tokio::test]
async fn every_id_that_is_read_or_made_can_be_emitted() {
    let trial = Trial::new("correlation").await;
    let longest = "語".repeat(512);
    for header in [Some(longest.as_str()), Some(" x "), Some(""), None] {
        let id = resolve_correlation_id(|_| header);
        let stored = trial.stores(Event::new("e").correlation_id(&id)).await;
        assert_eq!(trial.column::<String>("correlation_id", stored).await, id);
    }
    trial.end().await;
}

#[tokio::test]
async fn ids_are_unique_and_in_order_even_when_the_clock_stands_or_goes_back() {
    let start = datetime!(2026-01-31 09:30:00.5 UTC);
    let steps = Arc::new(AtomicI64::new(0));
    let now = Arc::clone(&steps);
    // It stands still for a thousand readings, then runs backwards.
    let clock = move || start - Duration::milliseconds((now.fetch_add(1, Ordering::Relaxed) - 1_000).max(0));
    let trial = Trial::with("clock", |config| config.default_mode(Mode::Async).clock(clock)).await;
    let scope = trial.audit.scope(ScopeOverrides::new()).unwrap();
    let mut ids = Vec::new();
    for index in 0..2_000 {
        let receipt = if index % 2 == 0 { trial.audit.emit("e").await } else { scope.emit("e").await };
        ids.push(receipt.unwrap().id);
    }
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    assert!(ids.is_sorted(), "one source for a root and its scopes");
    assert!(ids.iter().all(|id| id.get_version_num() == 7));
    let (seconds, _) = ids[0].get_timestamp().unwrap().to_unix();
    assert_eq!(i64::try_from(seconds).unwrap(), start.unix_timestamp());
    trial.audit.close().await.unwrap();
    assert_eq!(trial.table.count().await, 2_000);
    let newest: OffsetDateTime = trial.table.select("max(occurred_at)", "", &[]).await[0].get(0);
    assert_eq!(newest, start);
    let standing = trial.table.select("count(*)", "WHERE occurred_at = $1", &[&start]).await;
    assert_eq!(standing[0].get::<_, i64>(0), 1_001);
    trial.table.drop().await;
}

#[tokio::test]
async fn a_clock_may_stand_anywhere() {
    for now in [datetime!(1969-12-31 23:59:59.9 UTC), OffsetDateTime::UNIX_EPOCH, datetime!(9999-12-31 23:59:59 UTC)] {
        let trial = Trial::with("odd_clock", |config| config.clock(move || now)).await;
        let (first, second) = (trial.stores("e").await, trial.stores("e").await);
        assert!(first < second);
        assert_eq!(trial.column::<OffsetDateTime>("occurred_at", first).await, now);
        trial.end().await;
    }
}
