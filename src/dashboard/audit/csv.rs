//! Records as CSV (RFC 4180).

use std::borrow::Cow;

use crate::query::{AuditRecord, Json};

const COLUMNS: [&str; 17] = [
    "id",
    "occurredAt",
    "createdAt",
    "event",
    "actorId",
    "actorType",
    "targetId",
    "targetType",
    "environment",
    "mode",
    "requestId",
    "correlationId",
    "outcome",
    "errorCode",
    "severity",
    "data",
    "meta",
];

pub(super) fn head(out: &mut Vec<u8>) {
    line(out, COLUMNS);
}

/// Fields that PostgreSQL has no value for are empty.
pub(super) fn record(out: &mut Vec<u8>, record: &AuditRecord) {
    let (id, occurred_at) = (record.id.to_string(), super::row::rfc3339(record.occurred_at));
    let created_at = super::row::rfc3339(record.created_at);
    let fields: [Cow<'_, str>; COLUMNS.len()] = [
        id.into(),
        occurred_at.into(),
        created_at.into(),
        Cow::Borrowed(&record.event),
        text(record.actor_id.as_deref()),
        text(record.actor_type.as_deref()),
        text(record.target_id.as_deref()),
        text(record.target_type.as_deref()),
        text(record.environment.as_deref()),
        Cow::Borrowed(&record.mode),
        text(record.request_id.as_deref()),
        text(record.correlation_id.as_deref()),
        text(record.outcome.as_deref()),
        text(record.error_code.as_deref()),
        text(record.severity.as_deref()),
        text(record.data.as_ref().map(Json::as_str)),
        text(record.meta.as_ref().map(Json::as_str)),
    ];
    line(out, fields.iter().map(AsRef::as_ref));
}

fn text(field: Option<&str>) -> Cow<'_, str> {
    Cow::Borrowed(field.unwrap_or_default())
}

fn line<'f>(out: &mut Vec<u8>, fields: impl IntoIterator<Item = &'f str>) {
    for (at, field) in fields.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        cell(out, field);
    }
    out.extend_from_slice(b"\r\n");
}

/// What a spreadsheet would take for a formula begins with an apostrophe, as text does there.
fn cell(out: &mut Vec<u8>, text: &str) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if !formula && !text.contains([',', '"', '\r', '\n']) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    if formula {
        out.push(b'\'');
    }
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        for (text, written) in [
            ("", ""),
            ("plain text", "plain text"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\tx", "\"'\tx\""),
            ("\r=x", "\"'\r=x\""),
            ("a=b", "a=b"),
            ("=\"a\"", "\"'=\"\"a\"\"\""),
        ] {
            let mut out = Vec::new();
            cell(&mut out, text);
            assert_eq!(String::from_utf8(out).unwrap(), written);
        }
    }
}
