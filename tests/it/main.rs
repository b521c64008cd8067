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

mod arbitrary;
mod classify;
#[cfg(feature = "cli")]
mod cli;
mod config;
mod connection;
#[cfg(feature = "dashboard")]
mod dashboard;
mod diff;
mod endurance;
mod errors;
mod events;
mod faults;
mod fidelity;
mod floors;
mod fuzzed;
#[cfg(feature = "http")]
mod http;
mod idle;
mod kit;
mod lifecycle;
mod limits;
mod masking;
#[cfg(feature = "metrics")]
mod metrics;
mod other_drivers;
mod payload;
mod probe;
mod query;
mod queue;
mod recorder;
mod review;
mod scopes;
mod spans;
#[cfg(feature = "spool")]
mod spool;
mod sql;
mod store;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "traffic")]
mod traffic;
mod trial;
mod values;
mod webhooks;
