//! Settings: what the user writes ([`Config`], [`ScopeOverrides`]), and what it comes to ([`Settings`]), checked in
//! one place each.

mod builder;
mod overrides;
mod retry_for;
mod setters;
mod settings;
mod spool;
mod statement_mode;
mod when_full;
mod wire;

pub use self::{
    builder::Config,
    overrides::ScopeOverrides,
    retry_for::RetryFor,
    spool::{SpoolConfig, SpoolSync},
    statement_mode::StatementMode,
    when_full::WhenFull,
};
pub(crate) use self::{
    settings::{Leftovers, OnError, PoolSettings, Resolved, Settings},
    spool::{SpoolSettings, Sync},
};
