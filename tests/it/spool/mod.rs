//! The durable spool, through its public face.

mod config;
mod delivery;
mod dir;
#[cfg(target_os = "linux")]
mod disk;
mod format;

pub use self::dir::Dir;
