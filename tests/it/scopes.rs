//! Scopes: what they inherit, what they may replace, and what they may not.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use tracevault::{Config, Durability, Event, InitSql, Mode, ScopeOverrides, Tracevault, testing};

use crate::{
    kit::{CANARY, Table, client, unique, url},
    trial::{assert_clean, misconfigured},
};

const LONG: Duration = Duration::from_secs(3_600);

fn new() -> ScopeOverrides {
    ScopeOverrides::new()
}

/// A second table, for a scope.
async fn second(theme: &str) -> Table {
    Table::new(theme).await
}

#[tokio::test]
async fn a_scope_writes_to_a_table_of_its_own() {
    let (table, other) = (Table::new("root").await, second("own").await);
    let audit = table.audit();
    let scope = audit.scope(new().table_name(&other.name)).unwrap();
    assert_eq!(scope.table().name(), other.name);
    audit.emit("to.root").await.unwrap();
    scope.emit("to.scope").await.unwrap();
    scope.try_emit("to.scope.too").unwrap();
    scope.flush().await.unwrap();
    assert_eq!(table.column::<String>("event").await, ["to.root"]);
    assert_eq!(other.column::<String>("event").await, ["to.scope", "to.scope.too"]);
    audit.close().await.unwrap();
    table.drop().await;
    other.drop().await;
}

#[tokio::test]
async fn a_scope_without_overrides_inherits_everything() {
    let table = Table::new("inherit").await;
    let config = table.config().environment("prod").default_mode(Mode::Async).mask_fields(["k"]).mask_value("#");
    let audit = Tracevault::new(config).unwrap();
    let grandchild = audit.scope(new()).unwrap().scope(new()).unwrap();
    let receipt = grandchild.emit(Event::new("e").data(json!({ "k": 1 }))).await.unwrap();
    assert_eq!(receipt.durability, Durability::Queued);
    grandchild.close().await.unwrap();
    let rows = table.select("environment, mode, data::text", "", &[]).await;
    let row = (rows[0].get::<_, &str>(0), rows[0].get::<_, &str>(1), rows[0].get::<_, &str>(2));
    assert_eq!(row, ("prod", "async", r##"{"k": "#"}"##));
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn a_scope_of_a_scope_inherits_from_that_scope() {
    let (table, other) = (Table::new("parent").await, second("child").await);
    let config = table.config().environment("prod").mask_fields(["a"]).mask_value("root");
    let audit = Tracevault::new(config).unwrap();
    let child = audit.scope(new().table_name(&other.name).environment("test").mask_fields(["b"])).unwrap();
    let grandchild = child.scope(new().mask_value("leaf").default_mode(Mode::Async)).unwrap();
    let receipt = grandchild.emit(Event::new("e").data(json!({ "a": 1, "b": 2 }))).await.unwrap();
    assert_eq!(receipt.durability, Durability::Queued);
    grandchild.flush().await.unwrap();
    child.emit(Event::new("f").data(json!({ "a": 1, "b": 2 }))).await.unwrap();
    audit.emit(Event::new("g").data(json!({ "a": 1, "b": 2 }))).await.unwrap();
    let rows = other.select("event, environment, mode, data::text", "ORDER BY event", &[]).await;
    let rows: Vec<[String; 4]> = rows.iter().map(|row| [0, 1, 2, 3].map(|column| row.get(column))).collect();
    assert_eq!(rows[0], ["e", "test", "async", r#"{"a": 1, "b": "leaf"}"#]);
    assert_eq!(rows[1], ["f", "test", "sync", r#"{"a": 1, "b": "root"}"#]);
    assert_eq!(table.data().await, r#"{"a": "root", "b": 2}"#);
    audit.close().await.unwrap();
    table.drop().await;
    other.drop().await;
}

#[tokio::test]
async fn the_environment_is_inherited_replaced_or_cleared() {
    let table = Table::new("environment").await;
    let audit = Tracevault::new(table.config().environment("prod")).unwrap();
    let read = |json: &str| serde_json::from_str::<ScopeOverrides>(json).unwrap();
    let cases = [
        (new(), Some("prod")),
        (new().environment("test"), Some("test")),
        (new().no_environment(), None),
        (new().no_environment().environment("again"), Some("again")),
        (new().environment("gone").no_environment(), None),
        (read("{}"), Some("prod")),
        (read(r#"{ "environment": "file" }"#), Some("file")),
        (read(r#"{ "environment": null }"#), None),
    ];
    for (overrides, expected) in cases {
        let scope = audit.scope(overrides).unwrap();
        let id = scope.emit("e").await.unwrap().id;
        let rows = table.select("environment", "WHERE id = $1", &[&id]).await;
        assert_eq!(rows[0].get::<_, Option<String>>(0).as_deref(), expected);
    }
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn a_schema_is_replaced_and_keeps_the_name() {
    let sql = client().await;
    let (schema, name) = (unique("schema"), unique("in_schema"));
    let ddl = InitSql::new(&name).schema(&schema).render().unwrap();
    sql.batch_execute(&format!("CREATE SCHEMA \"{schema}\"; {ddl}")).await.unwrap();
    let audit = Tracevault::new(Config::new(url()).table_name(&name)).unwrap();
    let scope = audit.scope(new().schema(&schema)).unwrap();
    let sibling = scope.scope(new().table_name(&name).environment("x")).unwrap();
    assert_eq!(sibling.table().to_string(), format!("\"{schema}\".\"{name}\""));
    scope.emit("e").await.unwrap();
    sibling.emit("f").await.unwrap();
    let rows = sql.query(&format!("SELECT event FROM \"{schema}\".\"{name}\" ORDER BY event"), &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), ["e", "f"]);
    assert!(audit.emit("not.there").await.unwrap_err().sqlstate() == Some("42P01"));
    audit.close().await.unwrap();
    sql.batch_execute(&format!("DROP SCHEMA \"{schema}\" CASCADE")).await.unwrap();
}

#[tokio::test]
async fn on_error_is_the_scopes_own() {
    type Heard = Arc<Mutex<Vec<String>>>;
    let table = Table::missing("on_error").await;
    let (of_root, of_scope): (Heard, Heard) = Default::default();
    let handler = |heard: &Heard| {
        let heard = Arc::clone(heard);
        move |_: &tracevault::Error, record: &tracevault::Record| heard.lock().unwrap().push(record.event().to_owned())
    };
    let config = table.config().default_mode(Mode::Async).on_error(handler(&of_root));
    let audit = Tracevault::new(config).unwrap();
    let own = audit.scope(new().on_error(handler(&of_scope))).unwrap();
    let inherited = audit.scope(new()).unwrap();
    audit.emit("root").await.unwrap();
    own.emit("own").await.unwrap();
    inherited.emit("inherited").await.unwrap();
    let drained = audit.close().await.unwrap();
    assert_eq!((drained.stored, drained.failed, drained.left), (0, 3, 0));
    let mut heard = of_root.lock().unwrap().clone();
    heard.sort_unstable();
    assert_eq!(heard, ["inherited", "root"]);
    assert_eq!(*of_scope.lock().unwrap(), ["own"]);
}

#[tokio::test]
async fn batch_size_and_flush_interval_are_the_scopes_own() {
    let table = Table::new("batches").await;
    let config = table.config().default_mode(Mode::Async).async_flush_interval(LONG);
    let audit = Tracevault::new(config).unwrap();
    let inherited = audit.scope(new()).unwrap();
    let at_once = audit.scope(new().async_flush_interval(Duration::ZERO)).unwrap();
    let in_threes = audit.scope(new().async_batch_size(3)).unwrap();
    for event in ["a", "b", "c"] {
        for scope in [&inherited, &at_once, &in_threes] {
            scope.emit(event).await.unwrap();
        }
    }
    let stored = |scope: tracevault::Scope| async move {
        while scope.stats().stored < 3 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let both = async { tokio::join!(stored(at_once.clone()), stored(in_threes.clone())) };
    tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
    assert_eq!(inherited.stats().queued, 3, "the parent's interval holds them back");
    assert_eq!(table.count().await, 6);
    inherited.flush().await.unwrap();
    assert_eq!(table.count().await, 9);
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn all_scopes_share_one_pool() {
    let table = Table::new("pool").await;
    let name = unique("app");
    let separator = if url().contains("://") { if url().contains('?') { "&" } else { "?" } } else { " " };
    let config =
        Config::new(format!("{}{separator}application_name={name}", url())).table_name(&table.name).pool_size(2);
    let audit = Tracevault::new(config).unwrap();
    let mut scopes = vec![audit.scope(new()).unwrap()];
    for _ in 1..8 {
        scopes.push(scopes.last().unwrap().scope(new()).unwrap());
    }
    for _ in 0..3 {
        futures_util::future::try_join_all(scopes.iter().map(|scope| scope.emit("e"))).await.unwrap();
    }
    assert!(scopes[7].healthcheck().await);
    let count = async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
        table.sql.query_one(sql, &[&name]).await.unwrap().get::<_, i64>(0)
    };
    let open = count().await;
    assert!((1..=2).contains(&open), "{open} connections for a pool of two");
    assert_eq!(table.count().await, 24);
    audit.close().await.unwrap();
    for _ in 0..6_000 {
        if count().await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(count().await, 0, "close leaves no connection");
    table.drop().await;
}

#[tokio::test]
async fn a_named_scope_is_the_same_for_all_callers() {
    let (table, users) = (Table::new("names").await, second("users").await);
    let config = table
        .config()
        .environment("prod")
        .scope("users", new().table_name(&users.name).default_mode(Mode::Async).async_flush_interval(LONG))
        .scope("plain", new());
    let audit = Tracevault::new(config).unwrap();
    let scope = audit.get_scope("users").unwrap();
    let again = audit.clone().get_scope("users").unwrap();
    let from_scope = audit.get_scope("plain").unwrap().get_scope("users").unwrap();
    let anonymous = audit.scope(new()).unwrap().get_scope("users").unwrap();
    for (scope, event) in [(&scope, "a"), (&again, "b"), (&from_scope, "c"), (&anonymous, "d")] {
        scope.emit(event).await.unwrap();
    }
    for handle in [&scope, &again, &from_scope, &anonymous] {
        assert_eq!(handle.stats().queued, 4, "one queue");
    }
    drop((scope, again, anonymous));
    audit.get_scope("users").unwrap().flush().await.unwrap();
    assert_eq!(from_scope.stats().stored, 4);
    assert_eq!(users.column::<String>("event").await, ["a", "b", "c", "d"]);
    assert_eq!(users.column::<String>("environment").await, ["prod"; 4]);

    for unknown in ["user", "Users", "", "users "] {
        let (key, reason) = misconfigured(&audit.get_scope(unknown).unwrap_err());
        assert_eq!((&*key, &*reason), ("scopes", &*format!("has no scope `{unknown}`; declared are: plain, users")));
        assert_eq!(misconfigured(&from_scope.get_scope(unknown).unwrap_err()).0, "scopes");
    }
    from_scope.close().await.unwrap();
    assert!(audit.get_scope("users").unwrap().emit("late").await.unwrap_err().is_closed(), "closed for all callers");
    audit.get_scope("plain").unwrap().emit("e").await.unwrap();
    audit.close().await.unwrap();
    assert!(audit.get_scope("plain").unwrap_err().is_closed());
    assert!(audit.scope(new()).unwrap_err().is_closed());
    table.drop().await;
    users.drop().await;
}

#[tokio::test]
async fn connect_prepares_the_tables_of_named_scopes() {
    let (table, users) = (Table::missing("ensure").await, Table::missing("ensure_users").await);
    let config = || table.config().scope("users", new().table_name(&users.name));
    assert!(Tracevault::connect(config()).await.unwrap_err().to_string().contains(&table.name));
    let audit = Tracevault::connect(config().ensure_schema(true)).await.unwrap();
    audit.get_scope("users").unwrap().emit("e").await.unwrap();
    assert_eq!((table.count().await, users.count().await), (0, 1));
    audit.close().await.unwrap();
    table.drop().await;
    users.drop().await;
}

#[tokio::test]
async fn overrides_that_cannot_be_used_are_refused() {
    let (audit, _) = testing::recorder(Config::default()).unwrap();
    let scope = audit.scope(new()).unwrap();
    let long = "x".repeat(64);
    let cases = [
        (new().table_name("a b"), "table_name"),
        (new().table_name(&long), "table_name"),
        (new().schema("1a"), "schema"),
        (new().environment(""), "environment"),
        (new().environment(long.repeat(3)), "environment"),
        (new().mask_fields([""]), "mask_fields"),
        (new().mask_value("\0"), "mask_value"),
        (new().mask_patterns([tracevault::regex::Regex::new("x?").unwrap()]), "mask_patterns"),
        (new().async_batch_size(0), "async_batch_size"),
        (new().async_batch_size(100_001), "async_batch_size"),
        (new().async_flush_interval(Duration::MAX), "async_flush_interval"),
    ];
    for (overrides, expected) in cases {
        assert_eq!(misconfigured(&audit.scope(overrides.clone()).unwrap_err()).0, expected);
        assert_eq!(misconfigured(&scope.scope(overrides.clone()).unwrap_err()).0, expected);
        let declared = testing::recorder(Config::default().scope("users", overrides)).unwrap_err();
        assert_eq!(misconfigured(&declared).0, format!("scopes.users.{expected}"));
    }
}

#[test]
fn overrides_from_a_file_may_hold_nothing_but_what_a_scope_may_set() {
    let all = json!({
        "tableName": "t", "schema": "s", "defaultMode": "async", "environment": "e", "maskFields": ["a"],
        "maskValue": "#", "maskPatterns": ["sk_[0-9]+"], "asyncBatchSize": 5, "asyncFlushIntervalMs": 7,
    });
    serde_json::from_value::<ScopeOverrides>(all).unwrap();
    let snake = json!({
        "table_name": "t", "default_mode": "async", "mask_fields": ["a"], "mask_value": "#", "mask_patterns": [],
        "async_batch_size": 5, "async_flush_interval_ms": 7,
    });
    let read = serde_json::from_value::<ScopeOverrides>(snake).unwrap();
    assert!(format!("{read:?}").contains("Async"));
    let secret = format!("postgres://u:{CANARY}@h/d");
    for key in ["driver", "connectionString", "connection_string"] {
        for value in [json!(secret), json!("postgres"), json!(null), json!(5)] {
            let error = serde_json::from_value::<ScopeOverrides>(json!({ key: value })).unwrap_err();
            assert_clean(&error);
            let words = "cannot be overridden: a scope shares its root's connections";
            assert!(error.to_string().contains(words), "{error}");
            let nested = json!({ "scopes": { "users": { key: value } } });
            assert!(serde_json::from_value::<Config>(nested).unwrap_err().to_string().contains(words));
        }
    }
    let not_a_scopes = [
        "readConnectionString",
        "poolSize",
        "queueCapacity",
        "queueBytes",
        "whenFull",
        "maxPayloadBytes",
        "acquireTimeoutMs",
        "connectTimeoutMs",
        "statementTimeoutMs",
        "closeTimeoutMs",
        "ensureSchema",
        "clock",
        "scopes",
        "onError",
        "asyncFlushInterval",
        "TableName",
        "tablename",
    ];
    for key in not_a_scopes {
        let error = serde_json::from_value::<ScopeOverrides>(json!({ key: secret })).unwrap_err();
        assert_clean(&error);
        assert!(error.to_string().starts_with(&format!("unknown field `{key}`")), "{error}");
    }
}
