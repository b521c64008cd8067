//! What the people of the demo did, for the audit explorer.

use std::time::Duration;

use serde_json::json;
use tracevault::{DiffEvent, Event, Mode, Tracevault, time::OffsetDateTime};

use super::{Told, dice::Dice, world::PEOPLE};

/// Four hundred events of a day; every fourth says what was before and after.
pub async fn fill(audit: &Tracevault, now: OffsetDateTime) -> Told {
    let mut dice = Dice::new();
    for number in 0..400_u64 {
        let at = now - Duration::from_secs(number * 215 + dice.below(200));
        let (id, ..) = dice.of(&PEOPLE);
        let product = format!("product_{}", dice.below(40));
        let request = format!("req_{number:04}");
        if number % 4 == 0 {
            let price = 50 + dice.below(200);
            let before =
                json!({ "name": "Teapot", "price": price, "tags": ["kitchen"], "cost": { "currency": "EUR" } });
            let after = json!({ "name": "Teapot", "price": price + 10 + dice.below(30), "tags": ["kitchen", "sale"],
                "cost": { "currency": "EUR" } });
            let change = DiffEvent::new("product.updated").before(before).after(after).occurred_at(at);
            audit.emit_diff(change.actor(*id, "user").target(product, "product").request_id(request)).await?;
            continue;
        }
        let (name, data) = match dice.below(5) {
            0 => ("auth.login.failed", json!({ "outcome": "failure", "severity": "warning", "password": "hunter2" })),
            1 => ("auth.login.succeeded", json!({ "outcome": "success", "method": "passkey" })),
            2 => ("order.paid", json!({ "amount": 1_999, "currency": "EUR" })),
            3 => ("export.requested", json!({ "format": "csv", "rows": 1_200 })),
            _ => ("role.granted", json!({ "role": "editor", "severity": "critical" })),
        };
        let event = Event::new(name).actor(*id, "user").target(product, "product").data(data).occurred_at(at);
        audit.emit(event.request_id(request).mode(Mode::Async)).await?;
    }
    audit.flush().await?;
    Ok(())
}
