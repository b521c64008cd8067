//! The handle of a queue.

use std::sync::{Arc, Weak};

use tokio::runtime::Handle;

use super::{Totals, shared::Shared, shift::Shift, worker};
use crate::{config::Settings, store::Store};

/// A queue that may be gone; what a root keeps of each of its scopes.
pub(crate) type WeakQueue = Weak<Shared>;
pub(crate) type StrongQueue = Arc<Shared>;

/// The handle of a queue. Dropping it lets the writer finish, for up to `close_timeout`.
pub(crate) struct Queue(Arc<Shared>);

impl Queue {
    /// Makes a queue and starts its writers on this runtime.
    pub(crate) fn start(settings: &Settings, store: &Arc<dyn Store>, runtime: &Handle, totals: Totals) -> Self {
        let shared = Arc::new(Shared::new(settings, runtime.clone(), totals));
        for writer in 0..settings.writers {
            runtime.spawn(worker::run(Shift::new(Arc::clone(&shared), Arc::clone(store), writer)));
        }
        Self(shared)
    }

    pub(crate) fn weak(&self) -> WeakQueue {
        Arc::downgrade(&self.0)
    }
}

impl std::ops::Deref for Queue {
    type Target = Arc<Shared>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.0.begin_close();
    }
}
