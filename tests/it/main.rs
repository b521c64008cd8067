//! The integration tests: one binary, one file per theme, a table of its own per test, on a real PostgreSQL.
#![allow(
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "test code: nobody imports it, and a panic is how it fails"
)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "cli")]
mod cli;
mod kit;
mod smoke;
