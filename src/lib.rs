//! Audit events for Rust services on PostgreSQL: validated, masked, normalised, and stored or reported, never lost in
//! silence.
//!
//! An application says what happened; the names of events and the shape of `data` and `meta` are its own.
//!
//! ```
//! # #[path = "../tests/support/mod.rs"] mod support;
//! use serde_json::json;
//! use tracevault::{Config, Durability, Event, Mode, Tracevault};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let database = support::database(support::Purpose::Tests)?;
//! # let url = database.url();
//! let config = Config::new(url).table_name("doc_lib").mask_fields(["password", "token"]).ensure_schema(true);
//! let audit = Tracevault::connect(config).await?;
//!
//! // Committed when it returns.
//! let receipt = audit
//!     .emit(
//!         Event::new("auth.login.succeeded")
//!             .actor("user_123", "user")
//!             .data(json!({ "method": "form", "password": "hunter2" })),
//!     )
//!     .await?;
//! assert_eq!(receipt.durability, Durability::Committed);
//!
//! // Queued when it returns; stored by the scope's writer.
//! audit.emit(Event::new("page.viewed").mode(Mode::Async)).await?;
//! audit.flush().await?;
//!
//! let login = audit.query().find_by_id(receipt.id).await?.expect("it was committed");
//! assert_eq!(login.data.unwrap().as_str(), r#"{"method": "form", "password": "[REDACTED]"}"#);
//!
//! let drained = audit.close().await?;
//! assert_eq!((drained.failed, drained.left), (0, 0));
//! # Ok(())
//! # }
//! ```
//!
//! - [`Tracevault`] is the root: it owns the connections and writes to the default table. [`Scope`]s write to others.
//! - [`Event`] and [`DiffEvent`] are what is said; [`Receipt`] and [`Error`] what became of it.
//! - [`query`] reads; [`generate_init_sql`] makes the table; [`docs`] is the manual.
//!
//! # Features
//! - `tls`, on by default: TLS to PostgreSQL as `sslmode` asks, by rustls.
//! - `cli`: the `tracevault` binary (`init-sql`, `emit`, `query`, with `dashboard` also `dashboard`, with `spool` also
//!   `spool`).
//! - `http`: [`http`](https://docs.rs/tracevault/latest/tracevault/http/), a tower layer that makes every HTTP exchange one
//!   audit event; `axum`: the same, with axum's route patterns, peers and extractors.
//! - `traffic`: [`traffic`](https://docs.rs/tracevault/latest/tracevault/traffic/), a row for each request, rolled up;
//!   `dashboard`: [`dashboard`](https://docs.rs/tracevault/latest/tracevault/dashboard/), pages and a REST API over these
//!   and over audit events, as an axum router.
//! - `spool`: [`spool`](https://docs.rs/tracevault/latest/tracevault/spool/), async emits that survive the process and the
//!   machine, on this machine's disk until PostgreSQL has them.
//! - `metrics`: what [`Stats`] says, through the [`metrics`](https://docs.rs/metrics) facade; see [`docs::operations`].
//! - `testing`: [`testing`](https://docs.rs/tracevault/latest/tracevault/testing/), an in-memory recorder for the tests of your own code.

mod clock;
#[cfg_attr(not(feature = "spool"), expect(unused_imports, reason = "only the spool asks for it"))]
mod config;
mod context;
mod correlation;
#[cfg(feature = "dashboard")]
pub mod dashboard;
mod diff;
pub mod docs;
mod emit;
mod encoded;
#[cfg_attr(not(feature = "spool"), expect(unused_imports, reason = "only the spool asks for it"))]
mod error;
mod event;
#[cfg(feature = "http")]
pub mod http;
mod ids;
mod lifecycle;
mod mask;
mod metrics;
mod moment;
mod object;
mod payload;
mod pool;
mod probe;
pub mod query;
#[cfg_attr(not(feature = "spool"), expect(dead_code, reason = "only the spool asks for it"))]
mod queue;
mod receipt;
mod record;
mod reservation;
mod root;
mod schema;
mod scope;
#[cfg(feature = "spool")]
pub mod spool;
#[cfg(not(feature = "spool"))]
#[path = "spool/nothing.rs"]
#[expect(dead_code, reason = "it is the face of what is not there")]
mod spool;
mod store;
mod table;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "traffic")]
pub mod traffic;
mod tuple;

pub use deadpool_postgres;
pub use regex;
pub use time;
pub use tokio_postgres;
pub use uuid;

pub use self::{
    config::{Config, RetryFor, ScopeOverrides, SpoolConfig, SpoolSync, StatementMode, WhenFull},
    correlation::{random_correlation_id, read_correlation_id_header, resolve_correlation_id},
    emit::{Emit, EmitIn},
    encoded::Encoded,
    error::{
        ClosedError, ConfigError, DriverError, Error, ErrorClass, Outcome, QueueFullError, ServerError, SpoolError,
        ValidationError,
    },
    event::{DiffEvent, Event, Mode},
    probe::CommitProbe,
    queue::{Drained, Failures, Stats},
    receipt::{Durability, Receipt},
    record::Record,
    reservation::Reservation,
    root::Tracevault,
    schema::{Indexes, InitSql, generate_init_sql},
    scope::Scope,
    table::TableName,
};
