//! Numbers and times, as people read them.

use time::{OffsetDateTime, UtcOffset, macros::format_description};

use crate::moment;

/// `1,234`.
pub(in crate::dashboard) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.4 ms`, `12 ms`, `1.24 s`, `2 min 5 s`.
pub(in crate::dashboard) fn ms(ms: f64) -> String {
    match ms {
        ..9.95 => format!("{ms:.1} ms"),
        ..999.5 => format!("{ms:.0} ms"),
        ..9_995.0 => format!("{:.2} s", ms / 1_000.0),
        ..59_500.0 => format!("{:.1} s", ms / 1_000.0),
        _ => format!("{:.0} min {:.0} s", (ms / 60_000.0).floor(), (ms / 1_000.0).rem_euclid(60.0).floor()),
    }
}

/// `0.04 %`, `12.3 %`, of a share from 0 to 1.
pub(in crate::dashboard) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent != 0.0 && percent < 0.995 { format!("{percent:.2} %") } else { format!("{percent:.1} %") }
}

/// A share of a whole, 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "a share")]
pub(in crate::dashboard) fn share(part: i64, whole: i64) -> f64 {
    if whole > 0 { part as f64 / whole as f64 } else { 0.0 }
}

/// `Nov 20 23:58:12`, in UTC.
pub(in crate::dashboard) fn moment(at: OffsetDateTime) -> String {
    let format = format_description!("[month repr:short] [day] [hour]:[minute]:[second]");
    at.to_offset(UtcOffset::UTC).format(&format).unwrap_or_default()
}

/// RFC 3339.
pub(in crate::dashboard) fn exact(at: OffsetDateTime) -> String {
    moment::rfc3339(at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_durations_have_a_unit() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (duration, text) in [
            (0.04, "0.0 ms"),
            (9.96, "10 ms"),
            (999.0, "999 ms"),
            (1_240.0, "1.24 s"),
            (12_345.0, "12.3 s"),
            (125_900.0, "2 min 5 s"),
        ] {
            assert_eq!(ms(duration), text);
        }
        for (part, text) in [(0.0, "0.0 %"), (0.0004, "0.04 %"), (0.123, "12.3 %"), (1.0, "100.0 %")] {
            assert_eq!(percent(part), text);
        }
    }
}
