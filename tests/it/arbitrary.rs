//! Random JSON, and how the property tests run.

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, Number, Value};

/// Runs a property over a fixed number of random cases; a failure prints the smallest one.
pub fn check<S: Strategy>(strategy: &S, property: impl Fn(S::Value)) {
    let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(strategy, |value| {
        property(value);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// Some values, always the same ones.
pub fn samples<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// A runtime for the roots that a property makes.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

pub fn text() -> BoxedStrategy<String> {
    let letter =
        prop_oneof![4 => any::<char>(), 1 => prop::sample::select(vec!['"', '\\', '\n', '\u{1f}', '/', '\u{7f}'])];
    prop::collection::vec(letter.prop_filter("no NUL", |&letter| letter != '\0'), 0..10)
        .prop_map(|letters| letters.into_iter().collect())
        .boxed()
}

pub fn double() -> impl Strategy<Value = f64> {
    use prop::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

pub fn scalar() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        double().prop_map(|value| Value::Number(Number::from_f64(value).unwrap())),
        text().prop_map(Value::from),
    ]
    .boxed()
}

/// Objects of some depth, with these scalars and keys.
pub fn object(scalar: BoxedStrategy<Value>, key: BoxedStrategy<String>) -> impl Strategy<Value = Value> {
    let inner_key = key.clone();
    let value = scalar.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            members(inner, inner_key.clone()).prop_map(Value::from),
        ]
    });
    members(value, key).prop_map(Value::from)
}

fn members(
    value: impl Strategy<Value = Value>,
    key: BoxedStrategy<String>,
) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((key, value), 0..6).prop_map(|members| members.into_iter().collect())
}
