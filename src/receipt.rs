//! What an emit gives back.

use uuid::Uuid;

/// How safe a record is at the moment that its emit returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// Committed by PostgreSQL.
    Committed,
    /// In this process's memory, to be stored by the scope's writer; a failure goes to `on_error`.
    Queued,
    /// In the spool on this machine's disk, as safe as [`SpoolSync`](crate::SpoolSync) says; stored by this process or the
    /// next.
    Spooled,
    /// Written in the caller's transaction: stored if, and only if, the caller commits.
    InTransaction,
}

/// The answer to an emit.
///
/// ```
/// # use tracevault::{Durability, Receipt};
/// fn log(receipt: &Receipt) {
///     if receipt.durability == Durability::Committed && !receipt.duplicate {
///         println!("stored as {}", receipt.id);
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The record's id: its primary key in the table.
    pub id: Uuid,
    /// How safe the record is now.
    pub durability: Durability,
    /// A record with this id was in the table already, and was left as it is. Only an event with an
    /// [`id`](crate::Event::id) of its own can be one, and only a sync emit or `emit_in` can tell.
    pub duplicate: bool,
}
