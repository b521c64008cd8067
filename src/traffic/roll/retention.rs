//! Days: made ahead, and dropped when they are too old.

use super::pass::{Pass, Work};
use crate::error::{ConfigError, Error};

/// For how many days what is kept; nothing is dropped unless it is said here. Each must be kept at least as long as what
/// is finer than it, but for minutes.
///
/// ```
/// use tracevault::traffic::Retention;
///
/// let retention = Retention { raw: Some(30), minutes: Some(7), hours: Some(90), days: Some(400) };
/// # let _ = retention;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// The requests themselves: whole days are dropped.
    pub raw: Option<u32>,
    /// Totals by the minute.
    pub minutes: Option<u32>,
    /// Routes, statuses, errors and users by the hour.
    pub hours: Option<u32>,
    /// The same by the day, totals by the hour, who was seen when, and the names of users that were seen no later.
    pub days: Option<u32>,
}

impl Retention {
    pub(in crate::traffic) fn check(self) -> Result<(), ConfigError> {
        let Self { raw, minutes, hours, days } = self;
        let wrong = |reason: &str| Err(ConfigError::new("retention", reason));
        if ![raw, minutes, hours, days].iter().flatten().all(|days| (1..=LONGEST).contains(days)) {
            return wrong("keeps something for less than 1 day or more than 365,000: left out, it is kept");
        }
        let forever = |kept: Option<u32>| kept.unwrap_or(u32::MAX);
        if forever(raw) > forever(hours) || forever(hours) > forever(days) {
            return wrong("keeps rows longer than hours, or hours longer than days: the rollups would outlive neither");
        }
        Ok(())
    }
}

/// In days. Much more than that before now, no calendar of PostgreSQL knows.
const LONGEST: u32 = 365_000;

/// What is dropped with each horizon.
const KEPT: [(&str, &[&str]); 3] = [
    ("minute_from", &["total_1m"]),
    ("hour_from", &["route_1h", "status_1h", "error_1h", "user_1h"]),
    ("day_from", &["total_1h", "route_1d", "status_1d", "error_1d", "user_1d", "user_hours", "user_days"]),
];

/// Whoever holds a lock on a day for longer than that, such as a long read, is not pushed: the next pass tries again.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2 s'";

/// Days to come, and days to go.
pub(super) async fn tend(work: &Work<'_>, pass: &mut Pass) -> Result<(), Error> {
    let missing = "SELECT to_char(day, 'YYYY-MM-DD') FROM generate_series(0, 7) AS ahead, \
                   LATERAL (SELECT (now() AT TIME ZONE 'UTC')::date + ahead AS day) AS one \
                   WHERE to_regclass(format('\"traffic_logs_p%s\"', to_char(day, 'YYYYMMDD'))) IS NULL";
    for row in work.rows(missing, &[]).await? {
        let day: String = work.get(&row)?;
        work.begin().await?;
        work.run(LOCK_TIMEOUT).await?;
        work.run(&format!("SELECT \"traffic_logs_make_day\"(date '{day}')")).await?;
        work.run("COMMIT").await?;
        pass.partitions_made += 1;
    }
    let Retention { raw, minutes, hours, days } = work.roller.retention;
    if let Some(days) = raw {
        pass.partitions_dropped += drop_days(work, days).await?;
    }
    for ((horizon, tables), kept) in KEPT.iter().zip([minutes, hours, days]) {
        if let Some(kept) = kept {
            delete(work, horizon, tables, kept).await?;
        }
    }
    Ok(())
}

fn cut(days: u32) -> String {
    format!("(date_trunc('day', now(), 'UTC') - {days} * interval '24 hours')")
}

/// Only what is rolled up: a mark before the horizon holds it back.
async fn drop_days(work: &Work<'_>, days: u32) -> Result<u64, Error> {
    let cut = cut(days);
    let due = format!(
        "SELECT EXISTS (SELECT FROM \"traffic_logs_state\" WHERE raw_from < {cut}) \
         AND NOT EXISTS (SELECT FROM \"traffic_logs_marks\" WHERE at < {cut})"
    );
    let old_rows = format!("SELECT EXISTS (SELECT FROM \"traffic_logs_default\" WHERE started_at < {cut})");
    let (due, old_rows): (bool, bool) = (work.one(&due, &[]).await?, work.one(&old_rows, &[]).await?);
    if !due && !old_rows {
        return Ok(0);
    }
    work.begin().await?;
    work.run(LOCK_TIMEOUT).await?;
    let parts = format!(
        "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid \
         WHERE inhparent = '\"traffic_logs\"'::regclass AND relname ~ '_p[0-9]{{8}}$' \
         AND right(relname, 8) < to_char({cut} AT TIME ZONE 'UTC', 'YYYYMMDD') AND {due}"
    );
    let parts = work.rows(&parts, &[]).await?;
    for part in &parts {
        let part: String = work.get(part)?;
        work.run(&format!("DROP TABLE {part}")).await?;
    }
    let from = if due { cut.as_str() } else { "(SELECT raw_from FROM \"traffic_logs_state\")" };
    // Late ones of days that are dropped already.
    work.run(&format!("DELETE FROM \"traffic_logs_default\" WHERE started_at < {from}")).await?;
    if due {
        work.run(&format!("UPDATE \"traffic_logs_state\" SET raw_from = greatest(raw_from, {cut})")).await?;
    }
    work.run("COMMIT").await?;
    Ok(parts.len() as u64)
}

async fn delete(work: &Work<'_>, horizon: &str, tables: &[&str], days: u32) -> Result<(), Error> {
    let mut cut = cut(days);
    if horizon != "minute_from" {
        // A day is recomputed from its hours for as long as a row of it may still change.
        cut = format!("least({cut}, (SELECT raw_from FROM \"traffic_logs_state\"))");
    }
    let due = format!("SELECT EXISTS (SELECT FROM \"traffic_logs_state\" WHERE {horizon} < {cut})");
    if !work.one::<bool>(&due, &[]).await? {
        return Ok(());
    }
    work.begin().await?;
    work.run(&format!("UPDATE \"traffic_logs_state\" SET {horizon} = {cut}")).await?;
    for table in tables {
        work.run(&format!("DELETE FROM \"traffic_logs_{table}\" WHERE at < {cut}")).await?;
    }
    if horizon == "day_from" {
        // Nobody is left whose names these are.
        work.run(&format!("DELETE FROM \"traffic_logs_users\" WHERE last_at < {cut}")).await?;
    }
    work.run("COMMIT").await
}
