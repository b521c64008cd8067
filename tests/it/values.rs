//! The values of an event that are more than text: times, ids, numbers.

use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};
use tracevault::{Durability, Event, Mode, testing};
use uuid::Uuid;

use crate::trial::Trial;

fn read(json: &Value) -> Event<'static> {
    serde_json::from_str(&json.to_string()).unwrap()
}

#[tokio::test]
async fn times_are_cut_to_the_microsecond_and_taken_to_utc() {
    let trial = Trial::new("times").await;
    let cases = [
        ("2026-01-31T09:30:00.123456789Z", datetime!(2026-01-31 09:30:00.123456 UTC)),
        ("2026-01-31T09:30:00.999999999+05:30", datetime!(2026-01-31 04:00:00.999999 UTC)),
        ("1969-12-31T23:59:59.000000999Z", datetime!(1969-12-31 23:59:59 UTC)),
        ("1999-12-31T23:59:59.9999999Z", datetime!(1999-12-31 23:59:59.999999 UTC)),
        ("0000-01-01T00:00:00Z", datetime!(0000-01-01 00:00 UTC)),
        ("9999-12-31T23:59:59.999999999Z", datetime!(9999-12-31 23:59:59.999999 UTC)),
    ];
    for (text, stored) in cases {
        let at = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap();
        for event in [Event::new("e").occurred_at(at), read(&json!({ "event": "e", "occurredAt": text }))] {
            let id = trial.stores(event).await;
            assert_eq!(trial.column::<OffsetDateTime>("occurred_at", id).await, stored, "{text}");
        }
    }
    let earliest = datetime!(-4713-11-24 00:00 UTC);
    let id = trial.stores(Event::new("e").occurred_at(earliest)).await;
    assert_eq!(trial.column::<String>("occurred_at AT TIME ZONE 'UTC' || ''", id).await, "4714-11-24 00:00:00 BC");
    for at in [earliest - time::Duration::microseconds(1), datetime!(-9999-01-01 00:00 UTC)] {
        let refused = ("occurredAt".into(), "is out of PostgreSQL's range".into());
        assert_eq!(trial.refuses(Event::new("e").occurred_at(at)).await, refused);
    }
    for at in [datetime!(9999-12-31 23:59:59 -1), datetime!(-9999-01-01 00:00 +1)] {
        let refused = ("occurredAt".into(), "is out of range once it is taken to UTC".into());
        assert_eq!(trial.refuses(Event::new("e").occurred_at(at)).await, refused);
    }
    trial.end().await;
}

#[tokio::test]
async fn an_id_of_the_callers_own_is_stored_once() {
    let trial = Trial::new("own_id").await;
    let id = Uuid::new_v4();
    let event = |n: i32| Event::new("e").id(id).data(json!({ "n": n }));
    assert_eq!(trial.stores(event(1)).await, id);
    let again = trial.audit.emit(event(2)).await.unwrap();
    assert_eq!((again.id, again.durability, again.duplicate), (id, Durability::Committed, true));
    let json = json!({ "event": "e", "id": id, "data": { "n": 3 } });
    assert!(trial.audit.emit(read(&json)).await.unwrap().duplicate);
    assert_eq!(trial.table.data().await, r#"{"n": 1}"#, "the first one is left as it is");

    let asynchronous = trial.audit.emit(event(4).mode(Mode::Async)).await.unwrap();
    assert_eq!((asynchronous.id, asynchronous.duplicate), (id, false), "an async emit cannot tell");
    let drained = trial.audit.flush().await.unwrap();
    assert_eq!((drained.stored, drained.failed), (1, 0), "a duplicate is no failure");
    assert_eq!(trial.table.data().await, r#"{"n": 1}"#);
    trial.end().await;
}

#[tokio::test]
async fn an_id_that_stands_twice_in_one_batch_is_stored_once() {
    let long = std::time::Duration::from_secs(3_600);
    let trial = Trial::with("one_batch", |config| config.async_flush_interval(long).async_batch_size(6)).await;
    let (old, new) = (Uuid::new_v4(), Uuid::new_v4());
    trial.stores(Event::new("old").id(old)).await;
    let emit = |id, n: i32| trial.audit.emit(Event::new("batch").id(id).data(json!({ "n": n })));
    trial.audit.emit(Event::new("company").mode(Mode::Async)).await.unwrap();
    let answers = futures_util::future::join_all([emit(new, 1), emit(old, 2), emit(new, 3)]).await;
    let duplicates: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().duplicate).collect();
    assert_eq!(duplicates, [false, true, true]);
    let kept = trial.table.select("data::text", "WHERE id = $1", &[&new]).await;
    assert_eq!(kept[0].get::<_, String>(0), r#"{"n": 1}"#);
    assert_eq!(trial.table.count().await, 3);
    trial.audit.close().await.unwrap();
    trial.table.drop().await;
}

#[tokio::test]
async fn numbers_in_json_text_are_kept_as_spelled_or_refused() {
    let trial = Trial::new("numbers").await;
    let (memory, recorder) = testing::recorder(tracevault::Config::default()).unwrap();
    let with = |spelled: &str| -> Event<'static> {
        serde_json::from_str(&format!(r#"{{"event":"e","data":{{"v":[{spelled}]}}}}"#)).unwrap()
    };
    // What is sent, and what jsonb makes of it, where that is another spelling.
    let kept = [
        ("1.10", ""),
        ("9007199254740993", ""),
        ("0.1000000000000000055511151231257827", ""),
        ("9223372036854775807", ""),
        ("-9223372036854775808", ""),
        ("18446744073709551615", ""),
        ("-0", "0"),
        ("-0.0", "0.0"),
        ("1e2", "100"),
        ("1E+2", "100"),
        ("-25e-2", "-0.25"),
        ("0e0", "0"),
        ("0e1000", "0"),
    ];
    for (spelled, in_jsonb) in kept {
        memory.emit(with(spelled)).await.unwrap();
        assert_eq!(recorder.records().last().unwrap().data().unwrap(), format!(r#"{{"v":[{spelled}]}}"#));
        let id = trial.stores(with(spelled)).await;
        let expected = if in_jsonb.is_empty() { spelled } else { in_jsonb };
        assert_eq!(trial.column::<String>("data #>> '{v,0}'", id).await, expected);
    }
    let longest = format!("0.{}", "1".repeat(998));
    for spelled in [&*longest, "1.7976931348623157e308", "4.9e-324"] {
        let id = trial.stores(with(spelled)).await;
        assert!(trial.column::<bool>(&format!("(data #>> '{{v,0}}')::numeric = {spelled}"), id).await, "{spelled}");
    }
    let too_long = format!("0.{}", "1".repeat(999));
    let refused = [
        ("1e400", "double's range"),
        ("-1e400", "double's range"),
        ("1e-400", "double's range"),
        ("0e99999", "double's range"),
        ("0e-99999999999999999999", "double's range"),
        ("0e99999999999", "double's range"),
        ("0e2147483647", "double's range"),
        ("0e-2147483647", "double's range"),
        ("0e-2147483648", "double's range"),
        ("-0.0E-2147483648", "double's range"),
        ("0e-2147483649", "double's range"),
        ("0e1001", "double's range"),
        ("0e-1001", "double's range"),
        ("18446744073709551616", "integer beyond 64 bits"),
        ("-9223372036854775809", "integer beyond 64 bits"),
        (&*too_long, "over 1,000 characters"),
    ];
    for (spelled, reason) in refused {
        let (path, found) = trial.refuses(with(spelled)).await;
        assert_eq!(path, "data.v[0]", "{spelled}");
        assert!(found.contains(reason), "{spelled}: {found}");
    }
    trial.end().await;
}
