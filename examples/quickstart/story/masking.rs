//! Secrets are hidden before anything leaves the caller's hands.

use serde_json::json;
use tracevault::{Event, Tracevault};

use super::{Told, chapters::heading};

pub(super) async fn masks(audit: &Tracevault) -> Told {
    heading(
        2,
        "Config::mask_fields([\"password\"]), mask_patterns([an e-mail address])",
        "What is secret is not stored.",
    );
    let given = json!({ "name": "bob", "Password": "hunter2", "note": "invited by ann@example.com" });
    println!("   {:<22} {given}", "given");
    let receipt = audit.emit(Event::new("user.invited").actor("ann", "user").data(given)).await?;
    let stored = audit.query().find_by_id(receipt.id).await?.and_then(|record| record.data);
    let stored = stored.ok_or("what was committed is there")?;
    println!("   {:<22} {stored}", "stored");
    assert_eq!(stored.as_str(), r#"{"name": "bob", "note": "invited by [REDACTED]", "Password": "[REDACTED]"}"#);
    Ok(())
}
