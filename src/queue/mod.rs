//! The queue of one scope: bounded by records and by bytes, first in first out, emptied by one writer task.
//!
//! A record is *accepted* when it has been pushed; from then on it is stored, or reported exactly once: to the sync
//! emit that waits for it, else to `on_error`. That holds however the writer ends, since its `Shift` (in `worker`) reports
//! what it still holds when it is dropped.

mod answer;
mod drained;
mod handle;
mod shared;
mod stats;
mod worker;

pub(crate) use self::{
    answer::{Answer, Refusal},
    handle::{Queue, StrongQueue, WeakQueue},
    stats::Totals,
};
pub use self::{drained::Drained, stats::Stats};
