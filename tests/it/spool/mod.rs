//! The durable spool, through its public face.

mod config;
mod delivery;
mod dir;
mod format;

pub use self::dir::Dir;
