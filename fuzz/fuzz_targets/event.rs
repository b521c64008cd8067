//! Events and changes in JSON text, taken through the whole door: read, checked, masked, recorded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, value::RawValue};
use tracevault::{DiffEvent, Error, Event, Record};
use tracevault_fuzz::{
    door::{Door, ENVIRONMENT, LIMIT},
    expected::Expected,
    leak::assert_quiet,
    tree::Tree,
};

fuzz_target!(|input: &[u8]| {
    let text = std::str::from_utf8(input).ok();
    let event = serde_json::from_slice::<Event>(input);
    judge(event, text.and_then(Expected::of_event), input);
    let change = serde_json::from_slice::<DiffEvent>(input).map(Event::from);
    judge(change, text.and_then(Expected::of_change), input);
    if let Some(text) = text {
        payloads(text);
    }
});

/// The library against the second opinion.
fn judge(event: serde_json::Result<Event<'_>>, expected: Option<Expected>, input: &[u8]) {
    let event = match event {
        Ok(event) => event,
        Err(error) => {
            assert!(expected.is_none(), "not read: {error}");
            return assert_quiet(&error, input);
        }
    };
    match settle(Door::get().record(event), input) {
        Some(record) => {
            expected.expect("must be refused").assert_is(&record);
            assert_sound(&record);
        }
        None => assert!(expected.is_none_or(|expected| expected.may_be_too_large(input.len())), "must be accepted"),
    }
}

/// The record, or `None` for a refusal in order.
fn settle(recorded: Result<Record, Error>, input: &[u8]) -> Option<Record> {
    match recorded {
        Ok(record) => Some(record),
        Err(error @ Error::Validation(_)) => {
            assert_quiet(&error, input);
            None
        }
        Err(other) => panic!("neither recorded nor refused: {other}"),
    }
}

/// What is true of every record: its payloads are small, and it is an event again, which says and gives the same.
fn assert_sound(record: &Record) {
    for payload in [record.data(), record.meta()].into_iter().flatten() {
        assert!(payload.len() <= LIMIT);
    }
    let text = serde_json::to_string(record).unwrap();
    let environment = format!(r#","environment":"{ENVIRONMENT}"}}"#);
    let event = text.strip_suffix(&environment).expect("the environment stands last").to_owned() + "}";
    Expected::of_event(&event).expect("an event again").assert_is(record);
    let again = Door::get().record(serde_json::from_str::<Event>(&event).unwrap()).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
}

/// The same text as the payload of events built in code: raw, and as a tree.
fn payloads(text: &str) {
    if let Ok(raw) = serde_json::from_str::<&RawValue>(text) {
        let expected = Tree::masked_of(text).filter(|tree| matches!(tree, Tree::Object(_)));
        compare(settle(Door::get().record(Event::new("e").data(raw)), text.as_bytes()), expected, text);
    }
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let spelled = serde_json::to_string(&value).unwrap();
        let expected = Tree::masked_of(&spelled).filter(|tree| matches!(tree, Tree::Object(_)));
        compare(settle(Door::get().record(Event::new("e").data(&value)), text.as_bytes()), expected, text);
    }
}

fn compare(record: Option<Record>, expected: Option<Tree>, text: &str) {
    match record {
        Some(record) => {
            let data = Tree::of(record.data().unwrap()).expect("data is JSON");
            assert!(data.same(&expected.expect("must be refused")), "another payload: {}", record.data().unwrap());
        }
        // Two writers may spell a double at different lengths.
        None => assert!(
            expected.is_none_or(|expected| expected.may_be_too_large(text.len()) || text.len() * 2 > LIMIT),
            "must be accepted"
        ),
    }
}
