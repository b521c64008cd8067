//! The durable spool, through its public face.

mod config;
mod crash;
mod delivery;
mod dir;
mod emitter;
mod format;
mod model;
mod power;
mod stored;

pub use self::dir::Dir;
