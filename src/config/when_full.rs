//! What an emit does when there is no room.

use serde::Deserialize;

/// What an emit does when its scope's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum WhenFull {
    /// It waits for room.
    #[default]
    Wait,
    /// It fails at once with [`Error::QueueFull`](crate::Error::QueueFull).
    Reject,
    /// An async emit goes on in the [spool](crate::Config::spool), also while the database is away; back to memory once that
    /// is empty. Where the spool is full too, and for sync emits, it waits. Only with a spool.
    Spill,
}
