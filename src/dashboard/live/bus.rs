//! A way of one's own.

use std::{fmt, sync::Arc};

use tokio::sync::broadcast;

use crate::traffic::LiveRow;

/// Brings new requests from the processes that store them to those that have viewers.
///
/// A row is `Serialize` and `Deserialize`, so that it can be sent as JSON by what you have.
pub trait LiveBus: Send + Sync {
    /// A batch that this process has stored. It must not block: send it on from a task.
    fn publish(&self, rows: Arc<[LiveRow]>);

    /// What all processes have stored, from now on. A receiver that lags loses the oldest, and its viewer is told.
    fn subscribe(&self) -> broadcast::Receiver<Arc<[LiveRow]>>;
}

impl fmt::Debug for dyn LiveBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveBus")
    }
}
