//! What pages show, beside plain SQL.

mod hostile;
mod links;
mod lists;
mod numbers;
mod wrong;

use axum::Router;
use http::StatusCode;

use super::kit::{Answer, get};

/// A page that is there.
async fn page(app: &Router, path: &str) -> Answer {
    let answer = get(app, path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
    answer
}

/// The exact number of a named part.
fn number(page: &Answer, id: &str) -> f64 {
    let value = value(page, id);
    value.parse().unwrap_or_else(|_| panic!("{id} is {value}"))
}

fn value<'p>(page: &'p Answer, id: &str) -> &'p str {
    let mark = format!("data-testid=\"{id}\" data-value=\"");
    let (_, rest) = page.text.split_once(&mark).unwrap_or_else(|| panic!("no {id} in {}", page.text));
    rest.split('"').next().unwrap()
}

/// The table of a panel, as its rows of exact values, or else of texts.
fn rows(page: &Answer, id: &str) -> Vec<Vec<String>> {
    let mark = format!("data-testid=\"table-{id}\"");
    let Some((_, rest)) = page.text.split_once(&mark) else { return Vec::new() };
    let body = rest.split_once("<tbody>").unwrap().1.split_once("</tbody>").unwrap().0;
    body.split("<tr>").skip(1).map(|row| row.split("<td").skip(1).map(cell).collect()).collect()
}

fn cell(html: &str) -> String {
    let tag = html.split_once('>').unwrap();
    let text = plain(tag.1);
    match tag.0.split_once("data-value=\"") {
        // A method stands before the text; no value has it.
        Some((_, value)) => value.split('"').next().unwrap().to_owned(),
        None => text,
    }
}

/// Without tags.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for char in html.chars() {
        match char {
            '<' => inside = true,
            '>' => inside = false,
            char if !inside => text.push(char),
            _ => {}
        }
    }
    text.trim().replace("&#60;", "<").replace("&#62;", ">").replace("&#38;", "&")
}

/// Every link of a page.
fn hrefs(page: &Answer) -> Vec<String> {
    page.text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&")).collect()
}
