//! Settings: what the user writes ([`Config`], [`ScopeOverrides`]), and what it comes to ([`Settings`]), checked in
//! one place each.

mod builder;
mod overrides;
mod retry_for;
mod setters;
mod settings;
mod statement_mode;
mod when_full;
mod wire;

pub(crate) use self::settings::{OnError, PoolSettings, Resolved, Settings};
pub use self::{
    builder::Config, overrides::ScopeOverrides, retry_for::RetryFor, statement_mode::StatementMode, when_full::WhenFull,
};
