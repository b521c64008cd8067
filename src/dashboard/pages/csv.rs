//! A list as a file, that a spreadsheet opens without running anything in it.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use super::panel::Panel;

pub(super) fn answer(panel: &Panel) -> Response {
    let mut text = String::new();
    line(&mut text, panel.columns.iter().map(|column| column.name.to_owned()));
    for row in &panel.rows {
        line(&mut text, row.iter().map(super::cell::Cell::plain));
    }
    let name = format!("attachment; filename=\"{}.csv\"", panel.id);
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

/// RFC 4180.
fn line(text: &mut String, fields: impl Iterator<Item = String>) {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push('"');
        // What would be a formula is not one.
        if field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            text.push('\'');
        }
        text.push_str(&field.replace('"', "\"\""));
        text.push('"');
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_is_a_formula_and_none_ends_early() {
        let mut text = String::new();
        let fields = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "a\"b,c\n", "a=b", ""];
        line(&mut text, fields.into_iter().map(str::to_owned));
        let told = "\"'=1+1\",\"'+1\",\"'-1\",\"'@x\",\"'\tx\",\"'\rx\",\"a\"\"b,c\n\",\"a=b\",\"\"\r\n";
        assert_eq!(text, told);
    }
}
