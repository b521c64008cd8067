//! The order of two writes that are under way at once: the later is sent while the earlier is being stored, and is
//! committed after it.

use tokio::sync::oneshot;

/// When a write may commit, and whether another waits to be sent behind it.
pub(crate) struct Turn {
    comes: Option<oneshot::Receiver<()>>,
    next: Option<(NextGoes, oneshot::Sender<()>)>,
}

/// When the next write may be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextGoes {
    /// When all rows are sent: two server processes work, and the later may take a lock that the earlier wants.
    Sent,
    /// When the server has taken all rows, so that only the commit is left.
    Taken,
}

impl Turn {
    /// At once, with nothing behind it.
    pub(crate) fn alone() -> Self {
        Self { comes: None, next: None }
    }

    /// At once; `tell` is told when the next goes.
    pub(crate) fn first(next: NextGoes, tell: oneshot::Sender<()>) -> Self {
        Self { comes: None, next: Some((next, tell)) }
    }

    /// After `comes`.
    pub(crate) fn after(comes: oneshot::Receiver<()>, next: NextGoes, tell: oneshot::Sender<()>) -> Self {
        Self { comes: Some(comes), next: Some((next, tell)) }
    }

    /// Whether the end may be sent together with the rows.
    pub(super) fn is_alone(&self) -> bool {
        self.comes.is_none() && self.next.is_none()
    }

    /// The rows have come so far.
    pub(crate) fn is(&mut self, far: NextGoes) {
        if let Some((_, tell)) = self.next.take_if(|(next, _)| *next == far) {
            // Nobody may wait for it.
            let _ = tell.send(());
        }
    }

    /// Waits until the write before this one is committed; for ever, if that failed.
    pub(crate) async fn has_come(&mut self) {
        if let Some(comes) = self.comes.take()
            && comes.await.is_err()
        {
            std::future::pending::<()>().await;
        }
    }
}
