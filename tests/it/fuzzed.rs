//! What the fuzz targets found: each input as it was, cut to what matters.

use tracevault::{
    Config, DiffEvent, Event,
    query::{CountFilters, Filters},
};

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
