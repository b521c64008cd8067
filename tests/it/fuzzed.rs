//! What the fuzz targets found: each input as it was, cut to what matters.

use serde_json::Value;
use time::macros::datetime;
use tracevault::{
    Config, DiffEvent, Event,
    query::{CountFilters, Filters},
    testing,
};

use crate::trial::Trial;

#[test]
fn a_choice_in_filters_is_text_and_not_an_object_of_one_member() {
    for text in [r#"{"mode":{"sync":null}}"#, r#"{"order":{"asc":null}}"#] {
        let error = serde_json::from_str::<Filters>(text).unwrap_err();
        assert!(error.to_string().contains("has a value that it cannot have"), "{error}");
    }
    assert!(serde_json::from_str::<CountFilters>(r#"{"mode":{"async":null}}"#).is_err());
}

#[test]
fn an_unknown_key_is_named_in_one_line_of_bearable_length() {
    let long = "é".repeat(100_000);
    let told = |key: &str| {
        let event = format!(r#"{{"event":"e","{key}":1}}"#);
        let change = format!(r#"{{"event":"e","before":{{}},"after":{{}},"{key}":1}}"#);
        [
            serde_json::from_str::<Event>(&event).unwrap_err().to_string(),
            serde_json::from_str::<DiffEvent>(&change).unwrap_err().to_string(),
            serde_json::from_str::<Config>(&format!(r#"{{"{key}":1}}"#)).unwrap_err().to_string(),
            serde_json::from_str::<Filters>(&format!(r#"{{"{key}":1}}"#)).unwrap_err().to_string(),
        ]
    };
    for error in told(&long) {
        assert!(error.contains("éééé") && error.chars().count() < 1_100, "{} bytes", error.len());
        assert!(error.contains("at line 1 column "), "{error}");
    }
    for error in told(r"x\n2026-01-31 ERROR forged\u009b1m") {
        assert!(error.contains(r"x\n2026-01-31 ERROR forged\u{9b}1m") && !error.contains(char::is_control), "{error}");
    }
    for error in told("known_to_nobody") {
        assert!(error.contains("`known_to_nobody`") && error.contains("at line 1 column "), "{error}");
    }
}

/// RFC 3339 begins with the year 0, which an offset can lead out of.
#[tokio::test]
async fn a_time_that_rfc_3339_cannot_spell_in_utc_is_not_read_and_spoils_no_reader() {
    for at in ["0000-01-01T00:00:00+23:59", "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"] {
        let text = format!(r#"{{"event":"e","occurredAt":"{at}"}}"#);
        let error = serde_json::from_str::<Event>(&text).unwrap_err().to_string();
        assert!(error.contains("`occurredAt` is out of range once it is taken to UTC"), "{error}");
    }
    assert!(serde_json::from_str::<Event>(r#"{"event":"e","occurredAt":"0000-01-01T00:01:00+00:01"}"#).is_ok());

    let trial = Trial::new("before_0").await;
    let id = trial.stores(Event::new("e").occurred_at(datetime!(-0001-12-31 23:59:59.5 UTC))).await;
    let record = trial.audit.query().find_by_id(id).await.unwrap().unwrap();
    assert_eq!(serde_json::to_value(&record).unwrap()["occurredAt"], Value::from("-0001-12-31T23:59:59.5Z"));
    let (audit, recorder) = testing::recorder(Config::default()).unwrap();
    audit.emit(Event::new("e").occurred_at(datetime!(-0001-12-31 23:59:59.5 UTC))).await.unwrap();
    let emitted = serde_json::to_value(&recorder.records()[0]).unwrap();
    assert_eq!(emitted["occurredAt"], Value::from("-0001-12-31T23:59:59.5Z"));
    trial.end().await;
}
