//! The durable spool.

mod config;
mod delivery;
mod dir;

pub use self::dir::Dir;
