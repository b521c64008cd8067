//! The REST API: its answers beside plain SQL, its refusals, its document, and what it says while PostgreSQL is away.

mod answers;
mod document;
mod outage;
mod refusals;

/// All that can be asked, with a user and a row that are there.
fn paths(id: i64) -> Vec<String> {
    ["config", "errors", "live", "openapi.json", "overview", "routes", "users", "users/u1"]
        .map(|path| format!("/board/api/{path}"))
        .into_iter()
        .chain([format!("/board/api/requests/{id}")])
        .collect()
}
