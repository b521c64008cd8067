//! The durable spool, through its public face.

mod config;
mod crash;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod delivering;
mod delivery;
mod dir;
#[cfg(target_os = "linux")]
mod disk;
mod emitter;
mod format;
mod power;
mod stored;

pub use self::dir::Dir;
