//! The query string as names and their values, masked and bounded.

use serde_json::{Map, Value};

use super::{masking::Masking, text::fit};

/// More pairs than this are counted only.
const MOST: usize = 100;
/// Characters, together, of names and values that are kept: enough for any form, and less than an event may have.
const ROOM: usize = 4_000;
const LONGEST_NAME: usize = 128;
const LONGEST_VALUE: usize = 1_000;
/// The name under which stands how many pairs were left out.
const REST: &str = "…";

/// None: there are no pairs. A name that stands more than once has an array.
pub(super) fn parse(query: &str, masking: &Masking) -> Option<Value> {
    let mut params = Map::new();
    let mut room = ROOM;
    let mut left_out = 0_u64;
    for (at, (name, value)) in form_urlencoded::parse(query.as_bytes()).enumerate() {
        let hidden = masking.hides(&name);
        let name = fit(&masking.cover(&name), LONGEST_NAME).into_owned();
        let value = if hidden { masking.value().to_owned() } else { fit(&masking.cover(&value), LONGEST_VALUE).into() };
        let size = name.chars().count() + value.chars().count();
        if at >= MOST || size > room {
            left_out += 1;
            continue;
        }
        room -= size;
        match params.get_mut(&name) {
            None => drop(params.insert(name, value.into())),
            Some(_) if hidden => {}
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = vec![first.take(), value.into()].into(),
        }
    }
    if left_out > 0 {
        params.insert(REST.to_owned(), format!("{left_out} more").into());
    }
    (!params.is_empty()).then_some(Value::Object(params))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(query: &str) -> Value {
        parse(query, &Masking::of(None)).unwrap_or_default()
    }

    #[test]
    fn names_and_values_are_read_and_secrets_are_not() {
        for (query, params) in [
            ("", json!(null)),
            ("&&", json!(null)),
            ("a", json!({ "a": "" })),
            ("=b", json!({ "": "b" })),
            ("a=1&b=2", json!({ "a": "1", "b": "2" })),
            ("a=1&a=2&a=3", json!({ "a": ["1", "2", "3"] })),
            ("a+b=c%20d&e=%C3%A9", json!({ "a b": "c d", "e": "é" })),
            ("a=%", json!({ "a": "%" })),
            ("a=%zz%4", json!({ "a": "%zz%4" })),
            ("a=%FF", json!({ "a": "\u{fffd}" })),
            ("a=%00b", json!({ "a": "\u{fffd}b" })),
            ("a%00=b", json!({ "a\u{fffd}": "b" })),
            ("a=%0D%0A%E2%80%AE", json!({ "a": "\r\n\u{202e}" })),
            ("token=hunter2&q=x", json!({ "token": "[REDACTED]", "q": "x" })),
            ("token=hunter2&token=hunter3", json!({ "token": "[REDACTED]" })),
            ("%74oken=hunter2", json!({ "token": "[REDACTED]" })),
            ("user%5Bpassword%5D=hunter2", json!({ "user[password]": "[REDACTED]" })),
        ] {
            assert_eq!(parsed(query), params, "{query}");
        }
    }

    #[test]
    fn a_secret_under_a_name_that_is_cut_is_hidden() {
        let name = format!("{}[password]", "x".repeat(200));
        let Value::Object(params) = parsed(&format!("{name}=hunter2")) else { panic!("an object") };
        assert!(params.iter().all(|(name, value)| name.chars().count() == 128 && value == "[REDACTED]"));
    }

    #[test]
    fn a_hostile_query_is_bounded() {
        let many: Vec<_> = (0..50_000).map(|at| format!("k{at}={at}")).collect();
        let Value::Object(params) = parsed(&many.join("&")) else { panic!("an object") };
        assert_eq!(params.len(), MOST + 1);
        assert_eq!(params[REST], "49900 more");
        let long = format!("a={}&b={}", "é".repeat(100_000), "é".repeat(100_000));
        let params = parsed(&long);
        assert_eq!(params["a"].as_str().unwrap().chars().count(), LONGEST_VALUE);
        let same = vec![format!("a={}", "x".repeat(500)); 50].join("&");
        let params = parsed(&same);
        assert_eq!((params["a"].as_array().unwrap().len(), &params[REST]), (7, &json!("43 more")));
    }
}
