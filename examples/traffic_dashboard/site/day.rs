//! A day that was, and the one before: quiet at night, busy at noon, and one bad quarter of an hour.

use std::time::Duration;

use tracevault::time::OffsetDateTime;
use tracevault::traffic::{Seen, Traffic, UserDetails};

use super::world::{AGENTS, PEOPLE, ROUTES};
use super::{Told, dice::Dice};

/// Requests of the last 48 hours, stored and rolled up.
pub async fn fill(traffic: &Traffic, now: OffsetDateTime) -> Told {
    let from = now - tracevault::time::Duration::days(2);
    traffic.make_days(from.date(), now.date()).await?;
    let mut dice = Dice::new();
    for minute in 0..2_880_u32 {
        let begin = from + Duration::from_secs(u64::from(minute) * 60);
        // The incident was three hours ago.
        let incident = (2_700..2_715).contains(&minute);
        for _ in 0..busy(begin.hour()) {
            let started_at = begin + Duration::from_millis(dice.below(60_000));
            one(traffic, &mut dice, started_at.min(now), incident);
        }
        // The queue has room for 10,000 rows.
        if minute % 120 == 0 {
            traffic.flush().await;
        }
    }
    traffic.flush().await;
    traffic.rebuild_rollups(from, now).await?;
    Ok(())
}

/// Requests a minute at this hour.
fn busy(hour: u8) -> u32 {
    let from_noon = u32::from(hour.abs_diff(13));
    4 + 26_u32.saturating_sub(from_noon * from_noon / 5)
}

fn one(traffic: &Traffic, dice: &mut Dice, started_at: OffsetDateTime, incident: bool) {
    let (method, pattern, _, usual) = dice.weighed(&ROUTES, |route| route.2);
    let status = match (dice.below(1_000), incident && pattern.starts_with("/api/orders")) {
        (0..700, true) => 503,
        (0..4, _) => 500,
        (4..9, _) => 499,
        (9..30, _) => 404,
        (30..40, _) => 401,
        (40..90, _) => 304,
        _ if *method == "POST" => 201,
        _ => 200,
    };
    let path = pattern.replace("{id}", &dice.below(500).to_string());
    let who = (dice.below(4) > 0).then(|| dice.of(&PEOPLE));
    let user = who.map(|(id, name, email)| UserDetails {
        id: Some((*id).to_owned()),
        name: Some((*name).to_owned()),
        email: Some((*email).to_owned()),
    });
    traffic.record(Seen {
        started_at,
        duration: Duration::from_millis(dice.around(if status == 503 { 3_000 } else { *usual })),
        method,
        pattern: Some(pattern),
        path: &path,
        query: (*pattern == "/api/search").then_some("q=teapot&token=abc"),
        status,
        user: user.unwrap_or_default(),
        session_id: who.map(|(id, ..)| *id),
        ip: None,
        user_agent: Some(dice.of::<&str>(&AGENTS)),
        request_id: None,
    });
}
