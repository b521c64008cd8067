//! Your own tests: what does my code emit? The same checks and masks, and no database.
//!
//! `cargo run --example testing --features testing`; in a test of yours, `main` would be the `#[tokio::test]`.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "an example shows what it does, and asserts it")]

use std::error::Error;

use serde_json::json;
use tracevault::{Config, DiffEvent, Event, Mode, Tracevault, testing};

/// The unit under test: it knows `Tracevault` and nothing of where records go.
struct Accounts {
    audit: Tracevault,
}

impl Accounts {
    /// An account without a trail must not be: a failing audit fails the registration.
    async fn register(&self, name: &str, password: &str) -> Result<(), tracevault::Error> {
        let data = json!({ "name": name, "password": password });
        self.audit.emit(Event::new("account.registered").actor(name, "user").data(data)).await.map(drop)
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), tracevault::Error> {
        let event = DiffEvent::new("account.renamed").actor(from, "user").mode(Mode::Async);
        self.audit.emit_diff(event.before(json!({ "name": from })).after(json!({ "name": to }))).await.map(drop)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (audit, recorder) = testing::recorder(Config::default().mask_fields(["password"]).environment("test"))?;
    let accounts = Accounts { audit: audit.clone() };

    accounts.register("ann", "hunter2").await?;
    let records = recorder.records();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].event(), records[0].actor_id()), ("account.registered", Some("ann")));
    assert_eq!(records[0].data(), Some(r#"{"name":"ann","password":"[REDACTED]"}"#));
    println!("registered   {}", records[0].data().unwrap_or_default());

    // Async records are there after a flush.
    accounts.rename("ann", "anna").await?;
    audit.flush().await?;
    let data = recorder.records()[1].data().map(ToOwned::to_owned).ok_or("a diff has data")?;
    assert!(data.contains(r#""diff":{"name":{"before":"ann","after":"anna"}}"#), "{data}");
    println!("renamed      {data}");

    // The database goes away: what does the caller see, and is nothing half done?
    recorder.fail_next();
    let error = accounts.register("bob", "secret").await.expect_err("the next write was to fail");
    assert!(error.is_retryable());
    assert_eq!(recorder.records().len(), 2);
    println!("failed       {error}");

    // The same rules as in production: a mistake shows in the test, with its path.
    let error = accounts.register(" ", "secret").await.expect_err("a blank name is no actor");
    println!("refused      {error}");
    Ok(())
}
