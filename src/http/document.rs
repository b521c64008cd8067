//! What is told of an exchange: the payload of its event.

use std::{borrow::Cow, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    exchange::Exchange,
    kind::{Kind, is_retryable},
    text::fit,
};

/// The payload. What is `None` or false, but for `queryParams` and the status, is left out.
#[derive(Serialize)]
pub(super) struct Document<'e> {
    pub(super) id: Uuid,
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) timestamp: String,
    context: Context<'e>,
    request: Asked<'e>,
    metrics: Metrics,
    severity: &'static str,
    pub(super) outcome: &'static str,
    #[serde(skip_serializing_if = "is_false")]
    aborted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Failure<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    success: Option<Success>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Info>,
    /// The handler's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<&'e Map<String, Value>>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) truncated: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'e> {
    ip: Cow<'e, str>,
    user_agent: Cow<'e, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'e> {
    request_id: &'e str,
    method: Cow<'e, str>,
    path: Cow<'e, str>,
    query_params: Option<&'e Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    latency_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttfb_ms: Option<u64>,
    status_code: Option<u16>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Failure<'e> {
    status_code: Option<u16>,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<Cow<'e, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exception_message: Option<Cow<'e, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_body_hash: Option<&'e str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Success {
    status_code: Option<u16>,
    result: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    status_code: Option<u16>,
    action: String,
}

impl<'e> Document<'e> {
    /// `at` is when the exchange ended.
    pub(super) fn of(exchange: &'e Exchange, id: Uuid, at: OffsetDateTime) -> Self {
        let kind = exchange.kind();
        let status_code = exchange.status_told();
        let method = fit(&exchange.method, 64);
        let path = fit(&exchange.path, 2_000);
        Self {
            id,
            kind: kind.as_str(),
            message: message(exchange, kind, &method, &path),
            timestamp: timestamp(at),
            context: Context {
                ip: exchange.client_ip.map_or("unknown".into(), |ip| ip.to_string().into()),
                user_agent: exchange.user_agent.as_deref().map_or("unknown".into(), |agent| fit(agent, 512)),
            },
            severity: kind.severity(),
            outcome: kind.outcome(),
            aborted: exchange.is_aborted(),
            error: (kind == Kind::Error).then(|| Failure::of(exchange, status_code)),
            success: (kind == Kind::Success)
                .then(|| Success { status_code, result: if status_code == Some(200) { "ok" } else { "processed" } }),
            info: (kind == Kind::Info).then(|| Info { status_code, action: method.to_lowercase() }),
            data: (!exchange.data.is_empty()).then_some(&exchange.data),
            truncated: false,
            request: Asked {
                request_id: exchange.request_id.as_str(),
                method,
                path,
                query_params: exchange.query.as_ref(),
            },
            metrics: Metrics { latency_ms: millis(exchange.latency), ttfb_ms: exchange.ttfb.map(millis), status_code },
        }
    }
}

impl<'e> Failure<'e> {
    fn of(exchange: &'e Exchange, status_code: Option<u16>) -> Self {
        let fault = exchange.fault();
        Self {
            status_code,
            retryable: is_retryable(status_code),
            code: status_code.map(|status| format!("HTTP_{status}")),
            exception: fault.map(|fault| fit(&fault.name, 255)),
            exception_message: fault.map(|fault| fit(&fault.message, 2_000)),
            request_body_hash: exchange.request_body_hash.as_deref(),
        }
    }
}

fn message(exchange: &Exchange, kind: Kind, method: &str, path: &str) -> String {
    let mut number = itoa::Buffer::new();
    let (words, more) = match (exchange.fault(), kind, exchange.status_told()) {
        (Some(fault), ..) => (" failed: ", fit(&fault.name, 255)),
        // `processed`, as it was said elsewhere, is no word for it.
        (None, Kind::Error, Some(status)) => (" failed with ", number.format(status).into()),
        (None, Kind::Success, _) => (" completed successfully", "".into()),
        (None, ..) => (" processed", "".into()),
    };
    // Not by `format!`, which takes several times as long.
    [method, " ", path, words, &*more].concat()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// RFC 3339 in UTC to the millisecond.
pub(super) fn timestamp(at: OffsetDateTime) -> String {
    let at = at.checked_to_offset(time::UtcOffset::UTC).unwrap_or(at);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, millisecond) = at.to_hms_milli();
    let month = u8::from(month);
    let Some(year) = u16::try_from(year).ok().filter(|year| *year <= 9_999) else {
        return format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z");
    };
    // Not by `format!`, which takes ten times as long.
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let (century, year) = (year / 100, year % 100);
    let two_digits = [
        (0, century),
        (2, year),
        (5, month.into()),
        (8, day.into()),
        (11, hour.into()),
        (14, minute.into()),
        (17, second.into()),
        (21, millisecond % 100),
    ];
    for (place, number) in two_digits {
        text[place..place + 2].copy_from_slice(&[digit(number / 10), digit(number % 10)]);
    }
    text[20] = digit(millisecond / 100);
    // Digits, and what was between them.
    std::str::from_utf8(&text).unwrap_or_default().to_owned()
}

fn digit(number: u16) -> u8 {
    b"0123456789"[usize::from(number % 10)]
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(yes: &bool) -> bool {
    !yes
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_timestamp_is_in_utc_to_the_millisecond() {
        for (at, text) in [
            (datetime!(2026-11-20 21:44:42.123_999 UTC), "2026-11-20T21:44:42.123Z"),
            (datetime!(2026-01-02 03:04:05.006 UTC), "2026-01-02T03:04:05.006Z"),
            (datetime!(2026-01-01 00:30 +1), "2025-12-31T23:30:00.000Z"),
            (datetime!(0000-01-01 0:00 UTC), "0000-01-01T00:00:00.000Z"),
            (datetime!(9999-12-31 23:59:59.999 UTC), "9999-12-31T23:59:59.999Z"),
            (datetime!(-0044-03-15 12:00 UTC), "-044-03-15T12:00:00.000Z"),
        ] {
            assert_eq!(timestamp(at), text);
        }
    }
}
