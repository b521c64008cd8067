//! The durable spool.

mod config;
mod crash;
mod delivery;
mod dir;
mod emitter;
mod power;
mod stored;

pub use self::dir::Dir;
