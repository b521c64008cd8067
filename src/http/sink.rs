//! What becomes of captured exchanges: the one seam of the capture.

use std::{fmt, pin::Pin};

use super::exchange::Exchange;
use crate::{Error, Scope};

/// Takes the exchanges that a [`CaptureLayer`](super::CaptureLayer) captures, each exactly once.
///
/// A panic inside of these is caught and counted.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use tracevault::{Error, http::{CaptureLayer, Exchange, Sink}};
///
/// #[derive(Default, Clone)]
/// struct Paths(Arc<Mutex<Vec<String>>>);
///
/// impl Sink for Paths {
///     fn capture(&self, exchange: Exchange) -> Result<(), Error> {
///         self.0.lock().unwrap().push(exchange.path);
///         Ok(())
///     }
/// }
///
/// let layer = CaptureLayer::with_sink(Paths::default());
/// ```
pub trait Sink: Send + Sync + 'static {
    /// Asked before the handler runs. `Ok(None)`: [`capture`](Self::capture) is called at the exchange's end.
    /// `Ok(Some(_))`: fail closed, the head waits for the admission's commit. It must not block.
    ///
    /// # Errors
    /// [`Busy`]: the handler does not run, and the answer is 503.
    fn admit(&self) -> Result<Option<Admission>, Busy> {
        Ok(None)
    }

    /// An exchange that has ended. It may be called from a `Drop`: it must not block.
    ///
    /// # Errors
    /// Why the exchange is lost. It is counted in [`CaptureStats::lost`](super::CaptureStats::lost).
    fn capture(&self, exchange: Exchange) -> Result<(), Error>;

    /// Where [`RequestAudit::emit`](super::RequestAudit::emit) emits to.
    fn scope(&self) -> Option<&Scope> {
        None
    }
}

/// What a commit promises: the exchange is stored.
pub type Commit = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A place that a sink holds for one exchange. Dropped, the place is given back.
pub struct Admission {
    commit: Box<dyn FnOnce(Exchange) -> Commit + Send>,
    answer_stands: bool,
}

impl Admission {
    /// `commit` is called with the exchange at its end. Where nobody waits any more, since the client is gone, its future
    /// goes on as a task of its own.
    pub fn new<C>(commit: impl FnOnce(Exchange) -> C + Send + 'static) -> Self
    where
        C: Future<Output = Result<(), Error>> + Send + 'static,
    {
        Self { commit: Box::new(move |exchange| Box::pin(commit(exchange))), answer_stands: false }
    }

    /// The head waits for the commit, but goes out where that fails too. Else the answer is then 503.
    #[must_use]
    pub fn answer_stands(mut self) -> Self {
        self.answer_stands = true;
        self
    }

    /// Whether [`answer_stands`](Self::answer_stands) was said.
    pub fn does_answer_stand(&self) -> bool {
        self.answer_stands
    }

    /// Stores the exchange in the place that was held.
    pub fn commit(self, exchange: Exchange) -> Commit {
        (self.commit)(exchange)
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admission")
    }
}

/// There is no room for one more exchange: answer 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no room for one more exchange")
    }
}

impl std::error::Error for Busy {}
