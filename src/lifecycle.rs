//! Open, then closed: one piece, used by the writing and by the reading side.
//!
//! Whatever uses the database outside the writers' tasks holds a [`Pass`] while it does. Closing refuses new passes,
//! and can wait until the last one is given back. A child is closed with its parent.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, sync::Notify, time::Timeout};

use crate::error::ClosedError;

/// The state of a root, a scope or a query; clones share it.
#[derive(Clone)]
pub(crate) struct Lifecycle(Arc<Shared>);

struct Shared {
    what: &'static str,
    parent: Option<Lifecycle>,
    state: Mutex<State>,
    idle: Notify,
}

#[derive(Default)]
struct State {
    closed: bool,
    passes: usize,
}

/// The right to use the database until it is dropped.
pub(crate) struct Pass(Lifecycle);

impl Lifecycle {
    /// `what` names it in errors.
    pub(crate) fn new(what: &'static str) -> Self {
        Self::with_parent(what, None)
    }

    /// A part of this one: closed with it, or alone.
    pub(crate) fn child(&self, what: &'static str) -> Self {
        Self::with_parent(what, Some(self.clone()))
    }

    fn with_parent(what: &'static str, parent: Option<Self>) -> Self {
        Self(Arc::new(Shared { what, parent, state: Mutex::default(), idle: Notify::new() }))
    }

    pub(crate) fn enter(&self) -> Result<Pass, ClosedError> {
        let mut entered = Vec::with_capacity(2);
        let mut level = Some(self);
        while let Some(lifecycle) = level {
            let mut state = lifecycle.state();
            if state.closed {
                drop(state);
                for lifecycle in entered {
                    Self::leave(lifecycle);
                }
                return Err(ClosedError::new(lifecycle.0.what));
            }
            state.passes += 1;
            entered.push(lifecycle);
            level = lifecycle.0.parent.as_ref();
        }
        Ok(Pass(self.clone()))
    }

    pub(crate) fn check(&self) -> Result<(), ClosedError> {
        self.enter().map(drop)
    }

    /// Refuses new passes from now on.
    pub(crate) fn close(&self) {
        self.state().closed = true;
    }

    /// Waits until every pass is given back.
    pub(crate) async fn idle(&self) {
        loop {
            let idle = self.0.idle.notified();
            if self.state().passes == 0 {
                return;
            }
            idle.await;
        }
    }

    fn leave(&self) {
        let mut state = self.state();
        state.passes -= 1;
        if state.passes == 0 {
            self.0.idle.notify_waiters();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain numbers: no panic leaves them half-written.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut level = Some(&self.0);
        while let Some(lifecycle) = level {
            lifecycle.leave();
            level = lifecycle.0.parent.as_ref();
        }
    }
}

/// A wait that ends in time, also where the caller has no tokio runtime: then on this one's timer.
pub(crate) fn within<F: Future>(runtime: &Handle, longest: Duration, wait: F) -> Timeout<F> {
    let _entered = Handle::try_current().is_err().then(|| runtime.enter());
    tokio::time::timeout(longest, wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_closes_alone_or_with_its_parent() {
        let root = Lifecycle::new("root");
        let (one, other) = (root.child("one"), root.child("other"));
        one.close();
        assert_eq!(one.check().unwrap_err().to_string(), "one is closed");
        assert!(other.check().is_ok() && root.check().is_ok());
        root.close();
        assert_eq!(other.check().unwrap_err().to_string(), "root is closed");
    }

    #[tokio::test]
    async fn idle_waits_for_the_passes_of_children() {
        let root = Lifecycle::new("root");
        let pass = root.child("child").enter().unwrap();
        root.close();
        let mut idle = std::pin::pin!(root.idle());
        assert!(futures_util::poll!(idle.as_mut()).is_pending());
        drop(pass);
        idle.await;
    }

    #[test]
    fn a_refused_pass_leaves_no_trace() {
        let root = Lifecycle::new("root");
        let child = root.child("child");
        root.close();
        assert!(child.enter().is_err());
        assert_eq!(child.state().passes, 0);
    }
}
