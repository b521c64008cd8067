//! Points in time as people type them.

use tracevault::time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// An RFC 3339 date and time, or a time ago: `45s`, `30m`, `24h`, `7d`, `2w`.
pub(crate) fn parse(text: &str) -> Result<OffsetDateTime, &'static str> {
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(moment);
    }
    let refused =
        "must be an RFC 3339 date and time, such as 2026-01-31T09:30:00Z, or a time ago, such as 30m, 24h or 7d";
    let span = text.strip_suffix("ago").map_or(text, str::trim_end);
    let unit = span.chars().last().ok_or(refused)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(refused),
    };
    let digits = &span[..span.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused);
    }
    let ago = digits.parse::<i64>().ok().and_then(|count| count.checked_mul(seconds)).map(Duration::seconds);
    ago.and_then(|ago| OffsetDateTime::now_utc().checked_sub(ago)).ok_or("is too long ago")
}
