//! The manual, a page a topic: [`guarantees`], [`configuration`], [`operations`], [`errors`]; with the feature `spool` also
//! `spool`, with `http` also `http`, with `traffic` also `traffic`.

#[doc = include_str!("guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("configuration.md")]
pub mod configuration {}

#[doc = include_str!("operations.md")]
pub mod operations {}

#[doc = include_str!("errors.md")]
pub mod errors {}

#[cfg(feature = "spool")]
#[doc = include_str!("spool.md")]
pub mod spool {}

#[cfg(feature = "http")]
#[doc = include_str!("http.md")]
pub mod http {}

#[cfg(feature = "traffic")]
#[doc = include_str!("traffic.md")]
pub mod traffic {}

#[cfg(feature = "dashboard")]
#[doc = include_str!("dashboard.md")]
pub mod dashboard {}

/// The README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
