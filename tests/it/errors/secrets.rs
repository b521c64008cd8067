//! What prints itself shows no secret, and the log is watched for those that would.

use std::{env, os::unix::process::ExitStatusExt as _, process::Command, sync::atomic::Ordering};

use serde_json::json;
use tracevault::{
    Config, DiffEvent, Error, Event, Mode, ScopeOverrides, Tracevault,
    query::{CountFilters, Cursor, Filters, QueryConfig},
};

use crate::kit::{self, CANARY, DRIVER_LINES, Table};

fn hides(value: &impl std::fmt::Debug) {
    let shown = format!("{value:?} {value:#?}");
    assert!(!kit::leaks(shown.as_bytes()), "{}", shown.replace(CANARY, "<THE SECRET>"));
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let table = Table::new("debug").await;
    let url = format!("postgres://app:{CANARY}@localhost/app");
    let overrides = ScopeOverrides::new().table_name(&table.name);
    hides(&Config::new(&url).read_connection_string(&url).scope("users", overrides.clone()));
    hides(&overrides);
    hides(&QueryConfig::new(&url));
    let event = || Event::new("e").actor(CANARY, "user").data(json!({ "a": CANARY })).meta(json!({ "b": CANARY }));
    // Who did it may be shown, what it was about may not.
    hides(&event().actor("ann", "user"));
    hides(&DiffEvent::new("e").before(json!({ "a": CANARY })).after(json!({ "b": CANARY })));
    let filters = Filters::new().event(CANARY).actor_id(CANARY).severities([CANARY]).correlation_id(CANARY);
    hides(&filters);
    hides(&CountFilters::new().request_id(CANARY).error_code(CANARY));

    let (failed, failures) = std::sync::mpsc::channel();
    let config =
        table.config().environment("e").retry_for(std::time::Duration::ZERO).on_error(move |error: &Error, record| {
            failed.send((error.clone(), record.clone())).unwrap();
        });
    let audit = Tracevault::new(config).unwrap();
    let scope = audit.scope(overrides).unwrap();
    let query = audit.query();
    hides(&audit);
    hides(&scope);
    hides(&query);
    hides(&query.stream(filters));
    let emit = audit.emit(event());
    hides(&emit);
    hides(&emit.await);
    hides(&audit.emit(event()).await);
    let page = query.page(Filters::new().limit(1), None).await.unwrap();
    assert_eq!(page.records[0].actor_id.as_deref(), Some(CANARY));
    hides(&page);
    let cursor: Cursor = page.next.clone().unwrap();
    assert!(!kit::leaks(cursor.to_string().as_bytes()));

    let missing = audit.scope(ScopeOverrides::new().table_name("nowhere_at_all")).unwrap();
    missing.emit(event().mode(Mode::Async)).await.unwrap();
    missing.flush().await.unwrap();
    let (error, record) = failures.recv().unwrap();
    hides(&record);
    super::everything(&error);
    assert!(record.data().unwrap().contains(CANARY), "who asks for it gets it");
    table.drop().await;
}

#[tokio::test]
async fn refusals_quote_nothing() {
    let table = Table::new("refusal").await;
    let audit = table.audit();
    for url in [format!("postgres://app:{CANARY}@host:port/app"), format!("host=a {CANARY}=b"), format!("{CANARY}://a")]
    {
        super::everything(&Tracevault::new(Config::new(url)).unwrap_err());
    }
    for event in [
        Event::new(format!("{CANARY}\n")),
        Event::new("e").actor(format!("{CANARY}\0"), "user"),
        Event::new("e").data(json!({ "a": format!("{CANARY}\0") })),
        Event::new("e").data(json!([CANARY])),
        Event::new("e").correlation_id(CANARY.repeat(100)),
    ] {
        super::everything(&audit.emit(event).await.unwrap_err());
    }
    let filters = Filters::new().event(format!("{CANARY}\0"));
    super::everything(&audit.query().find_many(filters).await.unwrap_err());
    super::everything(&CANARY.parse::<Cursor>().unwrap_err());
    let limits = table.config().max_payload_bytes(64);
    let small = Tracevault::new(limits).unwrap();
    super::everything(&small.emit(Event::new("e").data(json!({ "a": CANARY.repeat(100) }))).await.unwrap_err());
    table.drop().await;
}

/// Without a handler, a failed record is logged: through the watcher, like all that this suite does.
#[tokio::test]
async fn what_is_logged_of_a_lost_record_is_no_secret() {
    let table = Table::missing("log").await;
    let audit = Tracevault::new(table.config().retry_for(std::time::Duration::ZERO)).unwrap();
    audit.emit(Event::new("e").mode(Mode::Async).actor(CANARY, "user").data(json!({ "a": CANARY }))).await.unwrap();
    assert_eq!(audit.flush().await.unwrap().failed, 1);
}

#[tokio::test]
async fn the_drivers_own_log_goes_through_the_watcher() {
    let table = Table::new("log").await;
    let before = DRIVER_LINES.load(Ordering::Relaxed);
    table.audit().emit(Event::new("e").data(json!({ "a": CANARY }))).await.unwrap();
    let lines = DRIVER_LINES.load(Ordering::Relaxed) - before;
    assert!(lines > 0, "the driver logs each statement with its parameters: nothing came");
    table.drop().await;
}

/// The watcher would end the run.
#[tokio::test]
async fn what_a_trigger_tells_of_a_row_is_not_logged() {
    let table = Table::new("notice").await;
    let trigger = format!(
        "CREATE FUNCTION \"{0}_f\"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE NOTICE 'inserting %', NEW; RAISE WARNING 'inserted %', NEW.data; RETURN NEW;
         END $$;
         CREATE TRIGGER t BEFORE INSERT ON \"{0}\" FOR EACH ROW EXECUTE FUNCTION \"{0}_f\"()",
        table.name
    );
    table.sql.batch_execute(&trigger).await.unwrap();
    table.audit().emit(Event::new("e").data(json!({ "a": CANARY }))).await.unwrap();
    assert_eq!(table.count().await, 1);
    table.drop().await;
}

#[test]
fn a_secret_is_seen_wherever_it_stands_in_a_line() {
    assert!(kit::leaks(CANARY.as_bytes()));
    assert!(kit::leaks(format!("before {CANARY} after\n").as_bytes()));
    assert!(!kit::leaks(&CANARY.as_bytes()[1..]));
    assert!(!kit::leaks(b""));
}

#[tokio::test]
async fn a_secret_in_the_log_ends_the_run() {
    for how in ["ours", "the driver's"] {
        let mut run = Command::new(env::current_exe().unwrap());
        run.args(["--ignored", "--exact", "--nocapture", "errors::secrets::leaks_on_purpose"]);
        run.env("TRACEVAULT_TEST_DATABASE_URL", kit::url()).env(LEAK, how);
        let output = tokio::task::spawn_blocking(move || run.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(6), "{how}: {said}");
        assert!(said.contains("a secret reached the log"), "{how}: {said}");
    }
}

const LEAK: &str = "TRACEVAULT_TEST_LEAK";

#[tokio::test]
#[ignore = "run by the test of the watcher, in a process of its own"]
async fn leaks_on_purpose() {
    let Ok(how) = env::var(LEAK) else { return };
    let client = kit::client().await;
    match how.as_str() {
        "ours" => tracing::trace!("{CANARY}"),
        // What would happen if a parameter went out as plain text.
        _ => drop(client.query("SELECT $1::text", &[&CANARY]).await),
    }
}
