//! The rules on an event's own fields, each at its edge, by the builder and by JSON.

use serde_json::{Value, json};
use time::macros::datetime;
use tracevault::{Durability, Error, Event, Mode, Tracevault};
use uuid::Uuid;

use crate::{
    kit::{CANARY, Table},
    trial::{Trial, assert_clean, misconfigured, refusal},
};

/// A field that is text.
struct Field {
    path: &'static str,
    column: &'static str,
    most: usize,
    blank_is_refused: bool,
    build: fn(String) -> Event<'static>,
    json: fn(&str) -> Value,
}

const FIELDS: [Field; 7] = [
    Field {
        path: "event",
        column: "event",
        most: 255,
        blank_is_refused: true,
        build: Event::new,
        json: |text| json!({ "event": text }),
    },
    Field {
        path: "actor.id",
        column: "actor_id",
        most: 512,
        blank_is_refused: true,
        build: |text| Event::new("e").actor(text, "user"),
        json: |text| json!({ "event": "e", "actor": { "id": text, "type": "user" } }),
    },
    Field {
        path: "actor.type",
        column: "actor_type",
        most: 512,
        blank_is_refused: true,
        build: |text| Event::new("e").actor("u", text),
        json: |text| json!({ "event": "e", "actor": { "id": "u", "type": text } }),
    },
    Field {
        path: "target.id",
        column: "target_id",
        most: 512,
        blank_is_refused: true,
        build: |text| Event::new("e").target(text, "product"),
        json: |text| json!({ "event": "e", "target": { "id": text, "type": "product" } }),
    },
    Field {
        path: "target.type",
        column: "target_type",
        most: 512,
        blank_is_refused: true,
        build: |text| Event::new("e").target("p", text),
        json: |text| json!({ "event": "e", "target": { "id": "p", "type": text } }),
    },
    Field {
        path: "correlationId",
        column: "correlation_id",
        most: 512,
        blank_is_refused: false,
        build: |text| Event::new("e").correlation_id(text),
        json: |text| json!({ "event": "e", "correlationId": text }),
    },
    Field {
        path: "requestId",
        column: "request_id",
        most: 512,
        blank_is_refused: false,
        build: |text| Event::new("e").request_id(text),
        json: |text| json!({ "event": "e", "requestId": text }),
    },
];

fn read(json: &Value) -> Event<'static> {
    serde_json::from_str(&json.to_string()).unwrap()
}

#[tokio::test]
async fn text_is_accepted_up_to_its_length_in_characters() {
    let trial = Trial::new("text_ok").await;
    for field in FIELDS {
        let mut accepted = vec!["x".to_owned(), " a b ".to_owned(), "\"\\/ü\u{7f}\u{85}'$1".to_owned()];
        accepted.extend(["x", "é", "語", "😀"].map(|letter| letter.repeat(field.most)));
        if !field.blank_is_refused {
            accepted.push(" ".to_owned());
        }
        for text in accepted {
            for event in [(field.build)(text.clone()), read(&(field.json)(&text))] {
                let id = trial.stores(event).await;
                assert_eq!(trial.column::<String>(field.column, id).await, text, "{}", field.path);
            }
        }
    }
    trial.end().await;
}

#[tokio::test]
async fn text_is_refused_by_name_and_never_quoted() {
    let trial = Trial::new("text_bad").await;
    for field in FIELDS {
        let too_long = format!("must be at most {} characters long", field.most);
        let mut refused: Vec<(String, &str)> = ["x", "é", "語", "😀"]
            .map(|letter| {
                let rest = field.most + 1 - CANARY.len();
                (format!("{CANARY}{}", letter.repeat(rest)), &*too_long)
            })
            .into();
        refused.push((format!("{CANARY}\0"), "contains NUL (U+0000), which PostgreSQL cannot store"));
        let blank = if field.blank_is_refused { "must not be blank" } else { "must not be empty" };
        refused.push((String::new(), blank));
        if field.blank_is_refused {
            refused.extend([" ", "\u{a0}\u{2003}"].map(|text| (text.to_owned(), blank)));
        }
        for (text, reason) in refused {
            for event in [(field.build)(text.clone()), read(&(field.json)(&text))] {
                let (path, found) = trial.refuses(event).await;
                assert_eq!((&*path, &*found), (field.path, reason));
            }
        }
    }
    for control in ["\n", "\r", "\t"] {
        let name = format!("a{control}{CANARY}");
        for event in [Event::new(name.clone()), read(&json!({ "event": name }))] {
            assert_eq!(trial.refuses(event).await, ("event".into(), "must not contain line breaks or tabs".into()));
        }
    }
    trial.end().await;
}

#[test]
fn json_of_another_form_is_refused_where_it_is_read() {
    let party = "must be an object of exactly two members, `id` and `type`, both of them text";
    let cases = [
        (json!({ "event": 5 }), "`event` must be text"),
        (json!({ "event": null }), "`event` must be text"),
        (json!({ "data": {} }), "missing field `event`"),
        (json!({ "event": "e", "actor": CANARY }), &*format!("`actor` {party}")),
        (json!({ "event": "e", "actor": { "id": CANARY } }), &*format!("`actor` {party}")),
        (json!({ "event": "e", "actor": { "type": CANARY } }), &*format!("`actor` {party}")),
        (json!({ "event": "e", "actor": [CANARY, "user"] }), &*format!("`actor` {party}")),
        (json!({ "event": "e", "target": { "id": CANARY, "type": "t", "name": "n" } }), &*format!("`target` {party}")),
        (json!({ "event": "e", "target": { "id": 7, "type": CANARY } }), "`target.id` must be text"),
        (json!({ "event": "e", "target": { "id": CANARY, "type": null } }), "`target.type` must be text"),
        (json!({ "event": "e", "correlationId": { "id": CANARY } }), "`correlationId` must be text"),
        (json!({ "event": "e", "requestId": [CANARY] }), "`requestId` must be text"),
        (json!({ "event": "e", "mode": CANARY }), "`mode` must be \"sync\" or \"async\""),
        (json!({ "event": "e", "mode": "Sync" }), "`mode` must be \"sync\" or \"async\""),
        (json!({ "event": "e", "mode": { "sync": null } }), "`mode` must be \"sync\" or \"async\""),
        (json!({ "event": "e", "id": CANARY }), "`id` must be a UUID in text"),
        (json!({ "event": "e", "id": 7 }), "`id` must be a UUID in text"),
        (json!({ "event": "e", "occurredAt": 1_700_000_000 }), "`occurredAt` must be text"),
        (json!({ "event": "e", "occurredAt": CANARY }), "`occurredAt` must be an RFC 3339 date and time"),
        (json!({ "event": "e", "occurredAt": "2026-01-31" }), "`occurredAt` must be an RFC 3339 date and time"),
        (json!({ "event": "e", "occurredAt": "2026-01-31T09:30:00" }), "`occurredAt` must be an RFC 3339 date"),
        (json!({ "event": "e", "occurredAt": "2026-02-30T09:30:00Z" }), "`occurredAt` must be an RFC 3339 date"),
        (json!(CANARY), "an event must be a JSON object"),
        (json!([CANARY, null, null, null, null, null, null, null, null, null]), "an event must be a JSON object"),
        (json!(null), "an event must be a JSON object"),
    ];
    for (json, message) in cases {
        let error = serde_json::from_str::<Event>(&json.to_string()).unwrap_err();
        assert_clean(&error);
        assert!(error.to_string().contains(message), "{json}: {error}");
        let by_value = serde_json::from_value::<Event>(json.clone()).unwrap_err();
        assert_clean(&by_value);
        assert!(by_value.to_string().contains(message), "{json}: {by_value}");
    }
}

#[test]
fn unknown_and_repeated_keys_are_refused() {
    for key in ["tableName", "table_name", "occurred_at", "environment", "before", "Event", ""] {
        let error = serde_json::from_value::<Event>(json!({ "event": "e", key: CANARY })).unwrap_err();
        assert_clean(&error);
        assert!(error.to_string().starts_with(&format!("unknown field `{key}`")), "{error}");
    }
    let twice = format!(r#"{{ "event": "e", "data": {{}}, "data": {{ "a": "{CANARY}" }} }}"#);
    let error = serde_json::from_str::<Event>(&twice).unwrap_err();
    assert_clean(&error);
    assert!(error.to_string().starts_with("duplicate field `data`"), "{error}");
}

#[tokio::test]
async fn null_in_json_counts_as_absent() {
    let trial = Trial::new("null").await;
    let keys = ["id", "actor", "target", "data", "meta", "correlationId", "requestId", "occurredAt", "mode"];
    let mut json = json!({ "event": "e" });
    for key in keys {
        json[key] = Value::Null;
    }
    for event in [read(&json), serde_json::from_value(json).unwrap(), Event::new("e")] {
        let id = trial.stores(event).await;
        let columns = "num_nulls(actor_id, actor_type, target_id, target_type, data, meta, correlation_id, request_id, \
                       environment)";
        assert_eq!(trial.column::<i32>(columns, id).await, 9);
        assert_eq!(trial.column::<String>("mode", id).await, "sync");
        assert!(trial.column::<bool>("occurred_at > now() - interval '1 minute' AND occurred_at <= now()", id).await);
        assert_eq!(id.get_version_num(), 7);
    }
    trial.end().await;
}

#[tokio::test]
async fn every_field_arrives_whichever_way_it_came() {
    let trial = Trial::new("fields").await;
    let at = datetime!(2026-01-31 09:30:00.25 +2);
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let built = Event::new("product.price.updated")
        .id(one)
        .actor("user_123", "user")
        .target("product_456", "product")
        .data(json!({ "newPrice": 150 }))
        .meta(json!({ "ip": "127.0.0.1" }))
        .correlation_id("corr")
        .request_id("req")
        .occurred_at(at)
        .mode(Mode::Sync);
    let json = r#"{ "event": "product.price.updated", "id": "00000000-0000-0000-0000-000000000002",
        "actor": { "type": "user", "id": "user_123" }, "target": { "id": "product_456", "type": "product" },
        "data": { "newPrice": 150 }, "meta": { "ip": "127.0.0.1" }, "correlationId": "corr", "requestId": "req",
        "occurredAt": "2026-01-31T09:30:00.25+02:00", "mode": "sync" }"#;
    assert_eq!(trial.stores(built).await, one);
    assert_eq!(trial.stores(serde_json::from_str::<Event>(json).unwrap()).await, other);
    let columns = "event, actor_id, actor_type, target_id, target_type, data::text, meta::text, correlation_id, \
                   request_id, mode, occurred_at::timestamptz AT TIME ZONE 'UTC' || ''";
    let rows = trial.table.select(&format!("ARRAY[{columns}]"), "", &[]).await;
    let expected = [
        "product.price.updated",
        "user_123",
        "user",
        "product_456",
        "product",
        r#"{"newPrice": 150}"#,
        r#"{"ip": "127.0.0.1"}"#,
        "corr",
        "req",
        "sync",
        "2026-01-31 07:30:00.25",
    ];
    for row in rows {
        assert_eq!(row.get::<_, Vec<String>>(0), expected);
    }
    trial.end().await;
}

#[tokio::test]
async fn the_mode_is_the_events_else_the_scopes() {
    let trial = Trial::with("mode", |config| config.default_mode(Mode::Async)).await;
    let queued = trial.audit.emit("by.default").await.unwrap();
    assert_eq!(queued.durability, Durability::Queued);
    let asked = trial.audit.emit(read(&json!({ "event": "by.json", "mode": "async" }))).await.unwrap();
    assert_eq!(asked.durability, Durability::Queued);
    trial.stores(read(&json!({ "event": "by.json", "mode": "sync" }))).await;
    trial.stores(Event::new("by.builder").mode(Mode::Sync)).await;
    assert_eq!(trial.table.column::<String>("mode").await, ["async", "async", "sync", "sync"]);
    trial.audit.close().await.unwrap();
    trial.table.drop().await;
}

#[test]
fn a_root_outside_of_a_runtime_is_refused() {
    let made = Tracevault::new(tracevault::Config::new("postgres://localhost/app"));
    assert_eq!(misconfigured(&made.unwrap_err()).0, "runtime");
}

#[tokio::test]
async fn try_emit_and_emit_in_check_the_same() {
    let table = Table::new("doors").await;
    let audit = table.audit();
    let bad = || Event::new("e").data(json!({ "v": [CANARY.to_owned() + "\0"] }));
    assert_eq!(refusal(&audit.try_emit(bad()).unwrap_err()).0, "data.v[0]");
    let mut client = crate::kit::client().await;
    let transaction = client.transaction().await.unwrap();
    let error = audit.emit_in(&transaction, bad()).await.unwrap_err();
    assert_eq!(refusal(&error).0, "data.v[0]");
    assert!(!matches!(error, Error::Driver(_)));
    let receipt = audit.emit_in(&transaction, Event::new("e").mode(Mode::Async)).await.unwrap();
    assert_eq!(receipt.durability, Durability::InTransaction, "the refusal left the transaction as it was");
    transaction.commit().await.unwrap();
    assert_eq!(table.column::<String>("mode").await, ["sync"]);
    table.drop().await;
}
