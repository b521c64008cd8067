//! Audit events for Rust services on PostgreSQL.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod config;
mod context;
mod correlation;
mod diff;
mod emit;
mod error;
mod event;
mod lifecycle;
mod mask;
mod payload;
mod pool;
pub mod query;
mod queue;
mod receipt;
mod record;
mod root;
mod schema;
mod scope;
mod store;
mod table;
#[cfg(feature = "testing")]
pub mod testing;

pub use deadpool_postgres;
pub use regex;
pub use time;
pub use tokio_postgres;
pub use uuid;

pub use self::{
    config::{Config, ScopeOverrides, WhenFull},
    correlation::{random_correlation_id, read_correlation_id_header, resolve_correlation_id},
    emit::{Emit, EmitIn},
    error::{ClosedError, ConfigError, DriverError, Error, Outcome, QueueFullError, ServerError, ValidationError},
    event::{Actor, DiffEvent, Event, Mode, Target},
    queue::{Drained, Stats},
    receipt::{Durability, Receipt},
    record::Record,
    root::Tracevault,
    schema::{Indexes, InitSql, generate_init_sql},
    scope::Scope,
    table::TableName,
};
