//! A throwaway PostgreSQL, and ways to hurt it, for tests, examples and benches.
//!
//! [`database`] finds one or makes one; [`Cluster`] is a private server a test may crash, freeze and restart.
//! Standard library only, Unix only. A server made here dies with the process that made it, however that ends.
//!
//! Included by path: `#[path = "../tests/support/mod.rs"] mod support;`
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "each test, example and bench that includes this uses its own part of it"
)]
#![allow(clippy::doc_markdown, reason = "PostgreSQL and CPython are names, not code")]

pub mod account;
pub mod binaries;
pub mod cluster;
pub mod command;
pub mod container;
pub mod find;
pub mod folder;
pub mod needs;
pub mod options;
pub mod pgbouncer;
pub mod processes;
pub mod watchdog;
pub mod wheel;

pub use cluster::Cluster;
pub use find::{Database, NoDatabase, Origin, Purpose, database, server_binaries};
pub use needs::needs;
pub use options::Options;
pub use pgbouncer::PgBouncer;
pub use wheel::WheelVersion;
