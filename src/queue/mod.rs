//! The queue of one scope: bounded by records and by bytes, first in first out, emptied by its writers.
//!
//! A record is *accepted* when it has been pushed; from then on it is stored, or reported exactly once: to the sync
//! emit that waits for it, else to `on_error`. That holds however a writer ends, since its `Shift` reports what it still
//! holds when it is dropped.
//!
//! - `handle`, `shared`, `state`: what callers use, what they share with the writers, and what changes in it.
//! - `closing`: the end.
//! - `item`: a record and what was promised of it; `deadlines`: the promises to sync emits, kept beside all else.
//! - `worker`: when a batch is taken; `shift`: what becomes of it; `attempt`: one try to store it, and the next batch
//!   behind it; `flight`: one of these on its way; `backoff`: the pauses between attempts.

mod answer;
mod attempt;
mod backoff;
mod closing;
mod deadlines;
mod drained;
mod flight;
mod handle;
mod item;
mod shared;
mod shift;
mod state;
mod stats;
mod worker;

pub(crate) use self::{
    answer::{Answer, Refusal},
    handle::{Queue, StrongQueue, WeakQueue},
    shared::{Place, Waiter},
    stats::Totals,
};
pub use self::{
    drained::Drained,
    stats::{Failures, Stats},
};
