//! What a role needs to be granted, and what `connect` says about tables that it cannot use.

use serde_json::json;
use tracevault::{
    Error, Event, Mode, Outcome, ScopeOverrides, Tracevault,
    query::{CountFilters, Filters},
};
use uuid::Uuid;

use crate::kit::{self, Table};

/// A role that may log in and use the schema, and nothing else.
struct Role {
    name: String,
    owner: Table,
}

impl Role {
    async fn new(grants: &str) -> Self {
        let owner = Table::new("role").await;
        let name = kit::unique("role");
        let grants = grants.replace("TABLE", &format!("\"{}\"", owner.name)).replace("ROLE", &name);
        owner.sql.batch_execute(&format!("{} {grants}", kit::create_role(&name))).await.unwrap();
        Self { name, owner }
    }

    async fn audit(&self) -> Tracevault {
        let config = tracevault::Config::new(kit::url_as(&self.name)).table_name(&self.owner.name);
        Tracevault::connect(config).await.unwrap()
    }

    async fn drop(self) {
        self.owner.sql.batch_execute(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name)).await.unwrap();
        self.owner.drop().await;
    }
}

#[tokio::test]
async fn a_role_that_may_insert_and_see_ids_writes_everything() {
    let role = Role::new("GRANT INSERT, SELECT (id) ON TABLE TO ROLE").await;
    let audit = role.audit().await;
    let own = Uuid::new_v4();
    audit.emit("sync").await.unwrap();
    assert!(!audit.emit(Event::new("sync.own").id(own)).await.unwrap().duplicate);
    assert!(audit.emit(Event::new("sync.own").id(own)).await.unwrap().duplicate);
    for n in 0..5 {
        let event = Event::new("async").mode(Mode::Async).data(json!({ "n": n }));
        audit.emit(event).await.unwrap();
        audit.emit(Event::new("async.own").mode(Mode::Async).id(Uuid::new_v4())).await.unwrap();
    }
    let drained = audit.flush().await.unwrap();
    assert_eq!((drained.stored, drained.failed), (10, 0));
    let mut client = kit::connect(&kit::url_as(&role.name)).await;
    let transaction = client.transaction().await.unwrap();
    audit.emit_in(&transaction, "in").await.unwrap();
    assert!(audit.emit_in(&transaction, Event::new("in.own").id(own)).await.unwrap().duplicate);
    transaction.commit().await.unwrap();
    assert_eq!(role.owner.count().await, 13);

    let error = audit.query().find_many(Filters::new()).await.unwrap_err();
    assert_eq!((error.sqlstate(), error.is_retryable()), (Some("42501"), false));
    assert!(error.to_string().contains(&format!("GRANT SELECT ON \"{}\"", role.owner.name)), "{error}");
    audit.close().await.unwrap();
    role.drop().await;
}

#[tokio::test]
async fn a_role_that_may_only_insert_writes_what_has_no_id_of_its_own() {
    let role = Role::new("GRANT INSERT ON TABLE TO ROLE").await;
    let audit = role.audit().await;
    audit.emit("sync").await.unwrap();
    audit.emit(Event::new("async").mode(Mode::Async)).await.unwrap();
    assert_eq!(audit.flush().await.unwrap().failed, 0);
    let id = Uuid::new_v4();
    let error = audit.emit(Event::new("own").id(id)).await.unwrap_err();
    assert_eq!((error.sqlstate(), error.outcome(), error.is_retryable()), (Some("42501"), Outcome::Rejected, false));
    assert_eq!(error.record_id(), Some(id));
    let advice = format!("GRANT INSERT, SELECT (id) ON \"{}\" TO this user", role.owner.name);
    assert!(error.to_string().contains(&advice), "{error}");
    assert_eq!(role.owner.count().await, 2);
    // In one batch, those with ids of their own take no other with them.
    let own = |event: Event<'static>| event.id(Uuid::new_v4());
    let batch = [Event::new("plain"), own(Event::new("own")), Event::new("plain"), own(Event::new("own"))];
    let answers = futures_util::future::join_all(batch.map(|event| audit.emit(event))).await;
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false]);
    assert_eq!(role.owner.count().await, 4);
    role.drop().await;
}

#[tokio::test]
async fn a_role_that_may_do_nothing_is_told_what_to_grant() {
    let role = Role::new("").await;
    let audit = role.audit().await;
    let error = audit.emit("sync").await.unwrap_err();
    assert!(error.to_string().contains("GRANT INSERT, SELECT (id) ON"), "{error}");
    role.owner.sql.batch_execute(&format!("REVOKE CREATE ON SCHEMA public FROM {}", role.name)).await.unwrap();
    let config = tracevault::Config::new(kit::url_as(&role.name)).table_name(kit::unique("role")).ensure_schema(true);
    match Tracevault::connect(config).await {
        Err(error) => {
            assert_eq!(error.sqlstate(), Some("42501"));
            assert!(error.to_string().contains("create the table beforehand"), "{error}");
        }
        // Before PostgreSQL 15, anybody may create in `public`.
        Ok(audit) => drop(audit),
    }
    role.drop().await;
}

#[tokio::test]
async fn a_reader_needs_select_and_nothing_else() {
    let role = Role::new("GRANT SELECT ON TABLE TO ROLE").await;
    role.owner.audit().emit(Event::new("e").data(json!({ "outcome": "failure" }))).await.unwrap();
    let audit = role.audit().await;
    assert_eq!(audit.query().count(CountFilters::new().errors_only()).await.unwrap(), 1);
    assert_eq!(audit.query().find_many(Filters::new()).await.unwrap().len(), 1);
    role.drop().await;
}

#[tokio::test]
async fn a_missing_table_is_named_with_the_command_that_makes_it() {
    let table = Table::missing("connect").await;
    let error = Tracevault::connect(table.config()).await.unwrap_err();
    let command = format!("tracevault init-sql {} | psql", table.name);
    assert!(error.to_string().contains(&command), "{error}");
    assert!(matches!(error, Error::Driver(_)) && !error.is_retryable());
    let error = Tracevault::connect(table.config().schema("elsewhere")).await.unwrap_err();
    let command = format!("tracevault init-sql {} --schema elsewhere | psql", table.name);
    assert!(error.to_string().contains(&command), "{error}");

    let there = Table::new("connect").await;
    let scoped = there.config().scope("users", ScopeOverrides::new().table_name(&table.name));
    let error = Tracevault::connect(scoped).await.unwrap_err();
    assert!(error.to_string().contains(&table.name), "the tables of named scopes are checked: {error}");
    there.drop().await;
}

#[tokio::test]
async fn the_comment_decides_whether_a_table_fits() {
    let table = Table::new("version").await;
    let connect = || async { Tracevault::connect(table.config()).await.map(drop) };
    let comment = |text: &'static str| {
        let sql = format!("COMMENT ON TABLE \"{}\" IS {text}", table.name);
        async move { table_sql(&sql).await }
    };
    connect().await.unwrap();

    comment("'tracevault audit table, schema version 0'").await;
    let old = connect().await.unwrap_err().to_string();
    assert!(old.contains("schema version 0") && old.contains("needs 1") && old.contains("init-sql"), "{old}");

    comment("'tracevault audit table, schema version 2'").await;
    let new = connect().await.unwrap_err().to_string();
    assert!(new.contains("schema version 2") && new.contains("update the crate"), "{new}");

    let ddl = tracevault::generate_init_sql(&table.name).unwrap();
    for foreign in ["'our audit trail'", "''"] {
        comment(foreign).await;
        connect().await.unwrap();
    }
    comment("'our audit trail'").await;
    table.sql.batch_execute(&ddl).await.unwrap();
    assert_eq!(read_comment(&table).await, Some("our audit trail".to_owned()), "left alone");
    comment("NULL").await;
    table.sql.batch_execute(&ddl).await.unwrap();
    assert_eq!(read_comment(&table).await, Some("tracevault audit table, schema version 1".to_owned()));
    table.drop().await;
}

async fn table_sql(sql: &str) {
    kit::client().await.batch_execute(sql).await.unwrap();
}

async fn read_comment(table: &Table) -> Option<String> {
    let sql = "SELECT obj_description($1::text::regclass, 'pg_class')";
    table.sql.query_one(sql, &[&format!("\"{}\"", table.name)]).await.unwrap().get(0)
}

#[tokio::test]
async fn replicas_boot_together() {
    let (table, users) = (Table::missing("boot").await, Table::missing("boot").await);
    let boots = (0..8).map(|_| {
        let config = table
            .config()
            .ensure_schema(true)
            .scope("users", ScopeOverrides::new().table_name(&users.name))
            .scope("same", ScopeOverrides::new().default_mode(Mode::Async));
        tokio::spawn(async move {
            let audit = Tracevault::connect(config).await?;
            audit.emit("booted").await?;
            audit.get_scope("users")?.emit("booted").await?;
            Ok::<_, Error>(())
        })
    });
    for boot in boots.collect::<Vec<_>>() {
        boot.await.unwrap().unwrap();
    }
    for table in [table, users] {
        assert_eq!(table.count().await, 8);
        assert_eq!(super::indexes(&table.sql, &table.name).await.len(), super::SUFFIXES.len() + 1);
        table.drop().await;
    }
}

#[tokio::test]
async fn nothing_is_created_unless_it_is_asked_for() {
    let table = Table::missing("uncreated").await;
    assert!(Tracevault::connect(table.config()).await.is_err());
    assert!(table.audit().emit("x").await.is_err());
    assert!(table.audit().query().count(CountFilters::new()).await.is_err());
    let sql = "SELECT count(*) FROM pg_class WHERE relname = $1";
    assert_eq!(table.sql.query_one(sql, &[&table.name]).await.unwrap().get::<_, i64>(0), 0);
}
