//! The configuration: every key by name, every bound at its edge, and no connection string in anything that is shown.

use std::{error::Error as _, time::Duration};

use serde_json::{Value, json};
use tracevault::{Config, Event, Mode, ScopeOverrides, Tracevault, WhenFull, query::Filters, regex::Regex, testing};

use crate::{
    kit::{CANARY, Table, leaks, url},
    trial::{Trial, assert_clean, misconfigured},
};

fn resolves(config: Config) -> Result<(), (String, String)> {
    testing::recorder(config).map(drop).map_err(|error| misconfigured(&error))
}

fn read(json: &Value) -> Result<Config, serde_json::Error> {
    serde_json::from_str(&json.to_string())
}

#[tokio::test]
async fn every_bound_is_kept_at_its_edge() {
    let new = Config::default;
    let (day, tick) = (Duration::from_secs(86_400), Duration::from_nanos(1));
    macro_rules! bounds {
        ($($key:ident: $accepted:expr, $refused:expr;)+) => {$(
            for value in $accepted {
                assert_eq!(resolves(new().$key(value.clone())), Ok(()), "{} {value:?}", stringify!($key));
            }
            for value in $refused {
                let (key, reason) = resolves(new().$key(value.clone())).unwrap_err();
                assert_eq!(key, stringify!($key), "{value:?}");
                assert!(reason.starts_with("must"), "{reason}");
            }
        )+};
    }
    let (name, text) = (|length: usize| "n".repeat(length), |length: usize| "é".repeat(length));
    bounds! {
        table_name: [name(1), name(63), "_".into(), "Aa_09".into()],
            [name(0), name(64), "1a".into(), "a b".into(), "a-b".into(), "a.b".into(), "é".into(), "a\"".into(), "a\0".into()];
        schema: [name(63), "_1".into()], [name(0), name(64), "1".into(), "a;b".into()];
        environment: [text(1), text(128), " ".into()], [text(0), text(129)];
        mask_value: [text(0), text(1_000)], ["a\0".to_owned()];
        mask_fields: [vec![], vec![text(1)]], [vec![text(1), String::new()], vec!["\t ".to_owned()]];
        mask_patterns: [vec![], vec![Regex::new("a+").unwrap()]], [vec![Regex::new("b").unwrap(), Regex::new("a?").unwrap()]];
        async_batch_size: [1, 100_000], [0, 100_001, usize::MAX];
        async_flush_interval: [Duration::ZERO, day], [day + tick, Duration::MAX];
        queue_capacity: [1, 1 << 24], [0, (1 << 24) + 1, usize::MAX];
        queue_bytes: [1, 1 << 36], [0, (1 << 36) + 1, usize::MAX];
        max_payload_bytes: [2, 64 << 20], [0, 1, (64 << 20) + 1, usize::MAX];
        pool_size: [1, 10_000], [0, 10_001, usize::MAX];
        acquire_timeout: [tick, day], [Duration::ZERO, day + tick, Duration::MAX];
        connect_timeout: [tick, day], [Duration::ZERO, day + tick, Duration::MAX];
        statement_timeout: [tick, day], [Duration::ZERO, day + tick, Duration::MAX];
        close_timeout: [tick, day], [Duration::ZERO, day + tick, Duration::MAX];
    }
    let (key, reason) = resolves(new().environment("a\0")).unwrap_err();
    assert_eq!((&*key, reason.contains("NUL")), ("environment", true));
}

#[tokio::test]
async fn the_longest_environment_is_stored_whole() {
    let environment = "語".repeat(128);
    let trial = Trial::with("environment", |config| config.environment(&environment)).await;
    let id = trial.stores("e").await;
    assert_eq!(trial.column::<String>("environment", id).await, environment);
    trial.end().await;
}

#[tokio::test]
async fn a_file_may_spell_keys_in_camel_or_snake_case() {
    let camel = json!({
        "driver": "postgres", "connectionString": "host=db", "readConnectionString": "host=replica",
        "tableName": "t", "schema": "s", "maskFields": ["a"], "maskValue": "#", "maskPatterns": ["a+"],
        "defaultMode": "async", "environment": "e", "asyncBatchSize": 1, "asyncFlushIntervalMs": 1, "queueCapacity": 1,
        "queueBytes": 1, "whenFull": "reject", "maxPayloadBytes": 2, "poolSize": 1, "acquireTimeoutMs": 1,
        "connectTimeoutMs": 1, "statementTimeoutMs": 1, "closeTimeoutMs": 1, "ensureSchema": true,
        "scopes": { "users": { "tableName": "u" } },
    });
    let snake: serde_json::Map<String, Value> = camel
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| {
            let letters = key.chars().flat_map(|letter| {
                let underscore = letter.is_uppercase().then_some('_');
                underscore.into_iter().chain(letter.to_lowercase())
            });
            (letters.collect(), value.clone())
        })
        .collect();
    assert!(snake.contains_key("statement_timeout_ms"));
    for json in [camel.clone(), Value::Object(snake)] {
        assert_eq!(resolves(read(&json).unwrap()), Ok(()));
    }
    for (key, value) in camel.as_object().unwrap() {
        read(&json!({ key: value })).unwrap();
        if key != "scopes" {
            assert_eq!(resolves(read(&json!({ key: null })).unwrap()), Ok(()), "{key}: null is absent");
        }
    }
    for key in ["tablename", "TableName", "asyncFlushInterval", "closeTimeout", "onError", "clock", "url", "password"] {
        let error = read(&json!({ key: CANARY })).unwrap_err();
        assert_clean(&error);
        assert!(error.to_string().starts_with(&format!("unknown field `{key}`")), "{error}");
    }
}

#[tokio::test]
async fn a_configuration_from_a_file_does_what_it_says() {
    let (table, users) = (Table::new("file").await, Table::new("file_users").await);
    let config = read(&json!({
        "driver": "postgres", "connectionString": url(), "tableName": table.name, "maskFields": ["k"],
        "mask_patterns": ["sk_[0-9]+"], "maskValue": "#", "defaultMode": "async", "environment": "file",
        "asyncFlushIntervalMs": 3_600_000, "asyncBatchSize": 2, "queueCapacity": 2, "whenFull": "reject",
        "maxPayloadBytes": 40, "poolSize": 1,
        "scopes": { "users": { "tableName": users.name, "environment": null, "defaultMode": "sync" } },
    }));
    let audit = Tracevault::new(config.unwrap()).unwrap();
    audit.emit(Event::new("e").data(json!({ "k": 1, "v": "sk_1 sk_2" }))).await.unwrap();
    assert_eq!((audit.stats().queued, table.count().await), (1, 0), "the interval is an hour");
    audit.emit("f").await.unwrap();
    audit.flush().await.unwrap();
    let rows = table.select("environment, mode, data::text", "WHERE event = 'e'", &[]).await;
    let row = (rows[0].get::<_, &str>(0), rows[0].get::<_, &str>(1), rows[0].get::<_, &str>(2));
    assert_eq!(row, ("file", "async", r##"{"k": "#", "v": "# #"}"##));
    assert!(audit.emit(Event::new("e").data(json!({ "v": "x".repeat(40) }))).await.is_err());
    audit.get_scope("users").unwrap().emit("u").await.unwrap();
    assert_eq!(users.column::<Option<String>>("environment").await, [None]);
    audit.close().await.unwrap();
    table.drop().await;
    users.drop().await;
}

#[tokio::test]
async fn the_defaults_are_the_documented_ones() {
    let (audit, recorder) = testing::recorder(Config::default()).unwrap();
    assert_eq!(audit.table().to_string(), "\"audit_logs\"");
    audit.emit(Event::new("e").data(json!({ "password": "x" }))).await.unwrap();
    let record = &recorder.records()[0];
    assert_eq!((record.mode(), record.environment(), record.data()), (Mode::Sync, None, Some(r#"{"password":"x"}"#)));
    let (audit, recorder) = testing::recorder(Config::default().mask_fields(["password"])).unwrap();
    audit.emit(Event::new("e").data(json!({ "password": "x" }))).await.unwrap();
    assert_eq!(recorder.records()[0].data(), Some(r#"{"password":"[REDACTED]"}"#));
    let (audit, _) = testing::recorder(Config::default().queue_capacity(1).when_full(WhenFull::Wait)).unwrap();
    for _ in 0..3 {
        audit.emit(Event::new("e").mode(Mode::Async)).await.unwrap();
    }
    assert_eq!(audit.flush().await.unwrap().left, 0);
}

#[tokio::test]
async fn only_the_postgres_driver_is_known() {
    for driver in ["mysql", "Postgres", "", "postgresql"] {
        let config = read(&json!({ "driver": driver, "connectionString": "host=db" })).unwrap();
        let (key, reason) = misconfigured(&Tracevault::new(config).unwrap_err());
        assert_eq!((&*key, &*reason), ("driver", "must be \"postgres\", the only one there is"));
    }
    let error = read(&json!({ "driver": 5 })).unwrap_err();
    assert!(error.to_string().starts_with("`driver` and connection strings must be text"), "{error}");
}

#[tokio::test]
async fn a_connection_string_is_required_and_must_be_one() {
    let (key, reason) = misconfigured(&Tracevault::new(Config::default()).unwrap_err());
    assert_eq!((&*key, &*reason), ("connection_string", "is required: use `Config::new(url)`"));
    let bad = [
        format!("postgres://user:{CANARY}@host:notaport/db"),
        format!("mysql://user:{CANARY}@host/db"),
        format!("password={CANARY} nonsense={CANARY}"),
        CANARY.to_owned(),
    ];
    for text in bad {
        let error = Tracevault::new(Config::new(&text)).unwrap_err();
        assert_eq!(misconfigured(&error).0, "connection_string");
        let config = Config::new("host=localhost").read_connection_string(&text);
        assert_eq!(misconfigured(&Tracevault::new(config).unwrap_err()).0, "read_connection_string");
    }
}

#[tokio::test]
async fn no_connection_string_is_ever_shown() {
    let text = format!("postgres://user:{CANARY}@127.0.0.1:1/db?connect_timeout=1");
    let config = Config::new(&text).read_connection_string(&text).scope("users", ScopeOverrides::new());
    for shown in [format!("{config:?}"), format!("{config:#?}")] {
        assert!(!leaks(shown.as_bytes()) && !shown.contains("user"), "{shown}");
    }
    for json in [
        json!({ "connectionString": { "url": text } }),
        json!({ "connectionString": [text] }),
        json!({ "connectionString": text, "poolsize": 1 }),
        json!({ "connectionString": text, "poolSize": -1 }),
    ] {
        assert_clean(&read(&json).unwrap_err());
    }
    let audit = Tracevault::new(config.clone()).unwrap();
    let error = audit.emit("e").await.unwrap_err();
    assert_clean(&error);
    assert!(error.source().is_some(), "{error}");
    assert!(!leaks(format!("{audit:?} {:?}", audit.get_scope("users").unwrap()).as_bytes()));
    assert_clean(&Tracevault::connect(config).await.unwrap_err());
    assert_clean(&audit.query().find_by_id(uuid::Uuid::nil()).await.unwrap_err());
}

/// A connection string in the wrong place, and a value that is personal, are refused without being quoted.
#[test]
fn what_is_read_from_a_file_is_never_quoted() {
    let refused = |error: serde_json::Error| {
        assert!(!leaks(error.to_string().as_bytes()), "{}", error.to_string().replace(CANARY, "<THE SECRET>"));
    };
    let url = format!("\"postgres://u:{CANARY}@h/db\"");
    let everywhere = [
        "driver",
        "connectionString",
        "tableName",
        "maskFields",
        "maskPatterns",
        "defaultMode",
        "environment",
        "whenFull",
        "poolSize",
        "closeTimeoutMs",
        "ensureSchema",
        "scopes",
    ];
    refused(serde_json::from_str::<Config>(&url).unwrap_err());
    refused(serde_json::from_str::<Config>(&format!("[{url}]")).unwrap_err());
    refused(serde_json::from_str::<Config>(&format!(r#"{{ "scopes": {{ "users": {url} }} }}"#)).unwrap_err());
    refused(serde_json::from_str::<ScopeOverrides>(&url).unwrap_err());
    refused(serde_json::from_str::<ScopeOverrides>("[]").unwrap_err());
    refused(serde_json::from_str::<Filters>(&url).unwrap_err());
    for key in everywhere {
        for value in [url.clone(), format!("[{{ \"a\": {url} }}]"), format!("{{ \"a\": {url} }}")] {
            for result in [
                serde_json::from_str::<Config>(&format!("{{ \"{key}\": {value} }}")).map(drop),
                serde_json::from_str::<ScopeOverrides>(&format!("{{ \"{key}\": {value} }}")).map(drop),
                serde_json::from_str::<Filters>(&format!("{{ \"limit\": {value} }}")).map(drop),
                serde_json::from_str::<Filters>(&format!("{{ \"from\": {value} }}")).map(drop),
            ] {
                if let Err(error) = result {
                    refused(error);
                }
            }
        }
    }
}
