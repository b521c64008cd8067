//! Events stored by drivers that the crate does not know: the same rows as by its own.

use serde_json::{Value, json, value::RawValue};
use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use time::{OffsetDateTime, macros::datetime};
use tokio_postgres::{Client, config::Host, error::SqlState};
use tracevault::{Config, DiffEvent, Event, ScopeOverrides, Tracevault, regex::Regex, testing};
use uuid::Uuid;

use crate::{
    arbitrary::{check, object, runtime, scalar, text},
    kit::{self, CANARY, Table, leaks},
    trial::refusal,
};

/// All columns but `created_at`, the payloads to the letter.
const ROW: &str = "id, event, actor_id, actor_type, target_id, target_type, data::text, meta::text, mode, occurred_at, \
                   correlation_id, request_id, environment, outcome, error_code, severity";

/// Two tables: one for our own emits, one for others' inserts, written to by one root and a scope of it.
struct Twins {
    ours: Table,
    theirs: Table,
    audit: Tracevault,
    other: tracevault::Scope,
}

impl Twins {
    async fn new(config: impl Fn(Config) -> Config) -> Self {
        let (ours, theirs) = (Table::new("emitted").await, Table::new("encoded").await);
        let audit = Tracevault::new(config(ours.config())).unwrap();
        let other = audit.scope(ScopeOverrides::new().table_name(&theirs.name)).unwrap();
        Self { ours, theirs, audit, other }
    }

    /// The rows that stand in one table only.
    async fn differences(&self) -> Vec<String> {
        let (ours, theirs) = (&self.ours.name, &self.theirs.name);
        let only = |one, other| format!("(SELECT {ROW} FROM \"{one}\" EXCEPT SELECT {ROW} FROM \"{other}\")");
        let sql = format!("SELECT row::text FROM ({} UNION ALL {}) AS row", only(ours, theirs), only(theirs, ours));
        self.ours.sql.query(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    async fn drop(self) {
        self.audit.close().await.unwrap();
        self.ours.drop().await;
        self.theirs.drop().await;
    }
}

/// The suite's server, for sqlx.
async fn sqlx_connection() -> PgConnection {
    let config: tokio_postgres::Config = kit::url().parse().unwrap();
    let user = config.get_user().unwrap();
    let options = PgConnectOptions::new_without_pgpass()
        .username(user)
        .database(config.get_dbname().unwrap_or(user))
        .password(std::str::from_utf8(config.get_password().unwrap_or_default()).unwrap())
        .port(config.get_ports().first().copied().unwrap_or(5432))
        .ssl_mode(PgSslMode::Disable);
    let options = match &config.get_hosts()[0] {
        Host::Tcp(name) => options.host(name),
        Host::Unix(folder) => options.socket(folder),
    };
    PgConnection::connect_with(&options).await.unwrap()
}

/// With an id and a time of its own, so that it is the same event each time.
fn order(id: Uuid) -> Event<'static> {
    Event::new("order.paid")
        .id(id)
        .occurred_at(datetime!(2026-02-28 23:59:59.987654321 +13))
        .actor("o'brien \"the\" \\ \u{1}\t\n", "user")
        .target("🦀", "order")
        .data(json!({ "outcome": " failure ", "severity": "fatal", "error": { "code": "E-1" }, "PIN": CANARY }))
        .meta(json!({ "card": format!("number {CANARY}"), "nothing": null, "deep": [[{}]] }))
        .correlation_id("{\"a\":1}")
        .request_id("\u{7f}\u{2028}")
}

fn masked(config: Config) -> Config {
    config.mask_fields(["pin"]).mask_patterns([Regex::new(CANARY).unwrap()]).environment("test")
}

#[tokio::test]
async fn sqlx_stores_the_same_row_in_its_own_transaction() {
    let twins = Twins::new(masked).await;
    let mut connection = sqlx_connection().await;
    let (id, sql) = (Uuid::new_v4(), twins.other.insert_statement());
    twins.audit.emit(order(id)).await.unwrap();
    let event = twins.other.encode(order(id)).unwrap();
    assert_eq!(event.id(), id);
    assert!(!leaks(format!("{event:?} {}", event.as_str()).as_bytes()), "masked");
    assert_eq!(format!("{event:?}"), format!("Encoded {{ id: {id}, bytes: {} }}", event.as_str().len()));

    let mut transaction = connection.begin().await.unwrap();
    sqlx::query(&sql).bind(event.as_str()).execute(&mut *transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(twins.theirs.count().await, 0);

    let mut transaction = connection.begin().await.unwrap();
    for stored in [1, 0] {
        let done = sqlx::query(&sql).bind(event.as_str()).execute(&mut *transaction).await.unwrap();
        assert_eq!(done.rows_affected(), stored, "the id is there once");
    }
    transaction.commit().await.unwrap();
    assert_eq!(twins.theirs.count().await, 1);
    assert_eq!(twins.differences().await, [""; 0]);

    let again = sqlx::query(&sql).bind(event.into_string()).execute(&mut connection).await.unwrap();
    assert_eq!(again.rows_affected(), 0);
    connection.close().await.unwrap();
    twins.drop().await;
}

/// Each event as it is emitted, and as it is encoded and stored by a driver that only knows text.
async fn store_both<'a>(twins: &Twins, driver: &Client, event: impl Fn() -> Event<'a>) {
    twins.audit.emit(event()).await.unwrap();
    let text = twins.other.encode(event()).unwrap().into_string();
    assert_eq!(driver.execute(&twins.other.insert_statement(), &[&text]).await.unwrap(), 1);
}

#[tokio::test]
async fn every_shape_of_event_is_stored_as_by_emit() {
    let twins = Twins::new(masked).await;
    let driver = kit::client().await;
    driver.batch_execute("SET datestyle = 'SQL, DMY'; SET timezone = 'America/Montevideo'").await.unwrap();
    let named = |name: &'static str| Event::new(name).id(Uuid::new_v4()).occurred_at(datetime!(2026-01-01 0:00 UTC));
    let ids: Vec<Uuid> = (0..20).map(|_| Uuid::new_v4()).collect();
    store_both(&twins, &driver, || named("bare").id(ids[0])).await;
    store_both(&twins, &driver, || order(ids[1])).await;
    let diff = || {
        let diff = DiffEvent::new("changed").before(json!({ "a": 1, "pin": 1 })).after(json!({ "a": 1.50, "pin": 2 }));
        Event::from(diff.id(ids[2]).occurred_at(datetime!(2026-01-01 0:00 UTC)))
    };
    store_both(&twins, &driver, diff).await;
    let spelled = r#"{"a":1.10,"b":1e2,"c":18446744073709551615,"d":-0,"e":-9223372036854775808,"f":1E-7,
                      "g":0.1000000000000000055511151231257827,"h":"\u00e9\ud83e\udd80\/","i":{},"j":[],"k":"null"}"#;
    let raw = RawValue::from_string(spelled.to_owned()).unwrap();
    store_both(&twins, &driver, || named("numbers").id(ids[3]).data(&raw).meta(&raw)).await;
    store_both(&twins, &driver, || named("empty").id(ids[4]).data(json!({})).meta(json!({}))).await;
    let times = [
        datetime!(-4713-11-24 0:00 UTC),
        datetime!(-43-03-15 12:00 UTC),
        datetime!(0000-02-29 23:59:59.999999 UTC),
        datetime!(0001-01-01 0:00 UTC),
        datetime!(0999-12-31 1:02:03.000001 UTC),
        datetime!(1969-12-31 23:59:59.999999999 UTC),
        datetime!(2026-03-29 02:30 +5:45),
        datetime!(9999-12-31 23:59:59.999999 UTC),
    ];
    for (at, id) in times.into_iter().zip(&ids[5..]) {
        store_both(&twins, &driver, || named("time").id(*id).occurred_at(at)).await;
    }
    assert_eq!((twins.ours.count().await, twins.theirs.count().await), (13, 13));
    assert_eq!(twins.differences().await, [""; 0]);
    let kept = twins.theirs.select("data ->> 'a', data ->> 'c'", "WHERE event = 'numbers'", &[]).await;
    assert_eq!((kept[0].get::<_, &str>(0), kept[0].get::<_, &str>(1)), ("1.10", "18446744073709551615"));
    twins.drop().await;
}

#[test]
fn random_payloads_are_stored_as_by_emit() {
    let runtime = runtime();
    let twins = runtime.block_on(Twins::new(|config| config));
    let driver = runtime.block_on(kit::client());
    let number = "-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?";
    let at = (-377_705_000_000_i64..253_402_300_800, 0..1_000_000_000_i64);
    let event = (object(scalar(), text()), number, text(), at);
    check(&event, |(data, number, actor, (seconds, nanoseconds))| {
        // From 4713 BC on, which is what PostgreSQL can store.
        let at = OffsetDateTime::from_unix_timestamp(seconds.max(-210_866_000_000)).unwrap();
        let at = at + time::Duration::nanoseconds(nanoseconds);
        let raw = RawValue::from_string(format!(r#"{{"number":{number}}}"#)).unwrap();
        let id = Uuid::new_v4();
        let actor = format!("a{actor}");
        runtime.block_on(async {
            let event = || Event::new("random").id(id).actor(&actor, "user").data(&data).meta(&raw).occurred_at(at);
            store_both(&twins, &driver, event).await;
            assert_eq!(twins.differences().await, [""; 0]);
            twins.ours.sql.batch_execute(&format!("TRUNCATE \"{}\"", twins.ours.name)).await.unwrap();
            twins.theirs.sql.batch_execute(&format!("TRUNCATE \"{}\"", twins.theirs.name)).await.unwrap();
        });
    });
    runtime.block_on(twins.drop());
}

#[tokio::test]
async fn an_event_is_checked_and_completed_where_it_is_encoded() {
    let (audit, recorder) = testing::recorder(Config::default().environment("test")).unwrap();
    let (one, other) = (audit.encode("a").unwrap(), audit.encode("b").unwrap());
    assert_eq!((one.id().get_version_num(), other.id() > one.id()), (7, true));
    let read: Value = serde_json::from_str(one.as_str()).unwrap();
    assert_eq!((&read["mode"], &read["environment"], &read["id"]), (&json!("sync"), &json!("test"), &json!(one.id())));
    assert!(read.get("data").is_none() && read.get("actor_id").is_none(), "NULL is left out: {read}");
    let error = audit.encode(Event::new("a").data(json!({ "b": ["c\0"] }))).unwrap_err();
    assert_eq!(refusal(&error).0, "data.b[0]");
    assert!(recorder.records().is_empty(), "nothing is stored");

    let scope = audit.scope(ScopeOverrides::new().table_name("Other").schema("s")).unwrap();
    assert!(scope.insert_statement().starts_with("INSERT INTO \"s\".\"Other\" (id, event, "));
    assert!(audit.insert_statement().starts_with("INSERT INTO \"audit_logs\" (id, event, "));
    scope.close().await.unwrap();
    assert!(scope.encode("a").unwrap_err().is_closed());
    audit.close().await.unwrap();
    assert!(audit.encode("a").unwrap_err().is_closed());
}

#[tokio::test]
async fn the_statement_needs_the_rights_to_insert_and_to_see_the_id() {
    let table = Table::new("encoded_rights").await;
    let role = kit::unique("role");
    table.sql.batch_execute(&kit::create_role(&role)).await.unwrap();
    let audit = table.audit();
    let driver = kit::connect(&kit::url_as(&role)).await;
    let text = audit.encode("order.paid").unwrap().into_string();
    table.sql.batch_execute(&format!("GRANT INSERT ON \"{}\" TO {role}", table.name)).await.unwrap();
    let error = driver.execute(&audit.insert_statement(), &[&text]).await.unwrap_err();
    assert_eq!(error.code().map(SqlState::code), Some("42501"));
    table.sql.batch_execute(&format!("GRANT SELECT (id) ON \"{}\" TO {role}", table.name)).await.unwrap();
    assert_eq!(driver.execute(&audit.insert_statement(), &[&text]).await.unwrap(), 1);
    audit.close().await.unwrap();
    table.sql.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
    table.drop().await;
}
