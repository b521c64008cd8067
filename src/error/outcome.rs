//! What became of a record.

/// What became of the record of a failed emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing was stored.
    Rejected,
    /// The record may or may not be stored: the answer was lost. Emitting it again with the same
    /// [`id`](crate::Event::id) is safe.
    Unknown,
}
