//! The order of two writes that are under way at once: the later is sent while the earlier is committed, and is
//! committed after it.

use tokio::sync::oneshot;

/// When a write may commit, and whether another waits to be sent behind it.
pub(crate) struct Turn {
    comes: Option<oneshot::Receiver<()>>,
    sent: Option<oneshot::Sender<()>>,
}

impl Turn {
    /// At once, with nothing behind it.
    pub(crate) fn alone() -> Self {
        Self { comes: None, sent: None }
    }

    /// At once; `sent` is told when the next may be sent.
    pub(crate) fn first(sent: oneshot::Sender<()>) -> Self {
        Self { comes: None, sent: Some(sent) }
    }

    /// After `comes`.
    pub(crate) fn after(comes: oneshot::Receiver<()>, sent: oneshot::Sender<()>) -> Self {
        Self { comes: Some(comes), sent: Some(sent) }
    }

    /// Whether the end may be sent together with the rows.
    pub(super) fn is_alone(&self) -> bool {
        self.comes.is_none() && self.sent.is_none()
    }

    /// All rows are at the server, and nothing is left to do but to commit them.
    pub(super) fn all_is_sent(&mut self) {
        // Nobody may wait for it.
        let _ = self.sent.take().map(|sent| sent.send(()));
    }

    /// Waits until the write before this one is committed; for ever, if that failed.
    pub(crate) async fn has_come(&mut self) {
        if let Some(comes) = self.comes.take()
            && comes.await.is_err()
        {
            std::future::pending().await
        }
    }
}
