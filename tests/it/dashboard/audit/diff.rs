//! What changed, as the page shows it.

use http::StatusCode;
use serde_json::{json, value::RawValue};
use tracevault::{DiffEvent, Event};

use super::{Stand, link, parts, quoted};

#[tokio::test]
async fn the_example_shows_one_change() {
    let stand = Stand::new("audit_diff").await;
    let event = DiffEvent::new("product.updated")
        .actor("user_123", "user")
        .target("product_456", "product")
        .before(json!({ "name": "Café", "price": 120 }))
        .after(json!({ "name": "Café", "price": 150 }));
    let id = stand.emit(event).await;
    let page = stand.get(&format!("/audit/{id}")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(parts(&page.text, "audit-counts"), ["0 added, 0 removed, 1 changed"]);
    assert_eq!(parts(&page.text, "audit-field"), ["price"]);
    assert_eq!(parts(&page.text, "audit-before"), ["120"]);
    assert_eq!(parts(&page.text, "audit-after"), ["150"]);
    // Marked by more than colour.
    assert!(
        page.text.contains("aria-label=\"before\">−</span>") && page.text.contains("aria-label=\"after\">+</span>")
    );
    assert!(page.text.contains("<summary>1 unchanged</summary>") && page.text.contains("<code>&#34;Café&#34;</code>"));
    // The history of the target has it in its place; a list has not.
    let history = link(&page.text, "audit-back").unwrap();
    assert_eq!(history, "/board/audit");
    let history = stand.get("/audit/target?target=product_456&target-type=product").await.text;
    assert_eq!(
        (parts(&history, "audit-before"), parts(&history, "audit-after")),
        (vec!["120".into()], vec!["150".into()])
    );
    assert_eq!(parts(&stand.get("/audit").await.text, "audit-before"), [""; 0]);
    stand.drop().await;
}

#[tokio::test]
async fn added_removed_and_masked_are_told_and_numbers_stay() {
    let stand = Stand::new("audit_diff_kinds").await;
    let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    let event = DiffEvent::new("e")
        .before(raw(r#"{"gone": 1.10, "pin": 1234, "deep": {"a": [1, {"b": 1.10}]}}"#))
        .after(raw(r#"{"new": 9007199254740993, "pin": 4321, "deep": {"a": [1, {"b": 1.20}]}}"#));
    let id = stand.emit(event).await;
    let page = stand.get(&format!("/audit/{id}")).await.text;
    assert_eq!(parts(&page, "audit-counts"), ["1 added, 1 removed, 2 changed"]);
    let mut kinds: Vec<_> = parts(&page, "audit-field").into_iter().zip(quoted(&page, " data-kind")).collect();
    kinds.sort_unstable();
    let expected = [("deep", "changed"), ("gone", "removed"), ("new", "added"), ("pin", "changed")];
    assert_eq!(kinds, expected.map(|(field, kind)| (field.to_owned(), kind)));
    let (before, after) = (parts(&page, "audit-before"), parts(&page, "audit-after"));
    assert!(
        before.contains(&"1.10".to_owned()) && after.contains(&"9007199254740993".to_owned()),
        "{before:?} {after:?}"
    );
    for side in [&before, &after] {
        assert!(side.contains(&"\"[REDACTED]\"".to_owned()), "{side:?}");
        assert_eq!(side.len(), 3, "a nested value is one entry: {side:?}");
    }
    assert!(page.contains("<small>masked</small>") && !page.contains("1234") && !page.contains("4321"));
    let raw = parts(&page, "audit-raw-text").remove(0);
    assert!(raw.contains("1.10") && raw.contains("9007199254740993") && raw.contains("\"id\": "), "{raw}");
    let api = stand.get(&format!("/api/audit/{id}")).await.text;
    assert!(api.contains("1.10") && api.contains("9007199254740993"), "{api}");
    let list = stand.get("/api/audit").await.text;
    assert!(list.contains("1.10") && list.contains("9007199254740993"), "{list}");
    stand.drop().await;
}

#[tokio::test]
async fn other_data_is_shown_as_it_is() {
    let stand = Stand::new("audit_data").await;
    let raw =
        RawValue::from_string(r#"{"n": 9007199254740993, "price": 1.10, "list": [], "pin": "1"}"#.to_owned()).unwrap();
    let id = stand.emit(Event::new("e").data(raw)).await;
    let page = stand.get(&format!("/audit/{id}")).await.text;
    let data = parts(&page, "audit-data").remove(0);
    for line in ["  \"n\": 9007199254740993", "  \"price\": 1.10", "  \"list\": []", "  \"pin\": \"[REDACTED]\""] {
        assert!(data.lines().any(|one| one.trim_end_matches(',') == line), "{line}: {data}");
    }
    assert!(parts(&page, "audit-counts").is_empty());
    stand.drop().await;
}
