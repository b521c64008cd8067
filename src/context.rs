//! What a root and all of its scopes share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{runtime::Handle, time::Instant};

use crate::{
    config::Settings,
    error::{ClosedError, ConfigError, Error},
    lifecycle::Lifecycle,
    pool::Connections,
    queue::{Drained, Queue, Stats, StrongQueue, Totals, WeakQueue},
    spool::{Spooling, Stream},
    store::Store,
};

/// One store, one runtime and one lifecycle for a root and its scopes.
pub(crate) struct Context {
    store: Arc<dyn Store>,
    /// Those that write; `None`: an in-memory store, for tests.
    connections: Option<Connections>,
    /// Captured when the root was made: the writers live and die with it.
    pub(crate) runtime: Handle,
    pub(crate) lifecycle: Lifecycle,
    queues: Mutex<Queues>,
    /// The numbers of the queues that are gone.
    gone: Totals,
    spool: Option<Spooling>,
}

/// The queues whose writers still run, those of dropped scopes included.
enum Queues {
    Open(Vec<WeakQueue>),
    /// Held, so that a second close waits for the same end and gives the same numbers.
    Closed(Vec<StrongQueue>),
}

impl Context {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        connections: Option<Connections>,
        runtime: Handle,
        spool: Option<Spooling>,
    ) -> Self {
        let queues = Mutex::new(Queues::Open(Vec::new()));
        let lifecycle = Lifecycle::new("the root");
        Self { store, connections, runtime, lifecycle, queues, gone: Totals::default(), spool }
    }

    /// A queue for a new scope, to be closed with the root.
    pub(crate) fn start_queue(&self, settings: &Settings) -> Result<Queue, Error> {
        let mut queues = self.queues();
        let Queues::Open(live) = &mut *queues else { return Err(ClosedError::new("the root").into()) };
        let queue = Queue::start(settings, &self.store, &self.runtime, self.gone.clone());
        live.retain(|queue| queue.strong_count() > 0);
        live.push(queue.weak());
        Ok(queue)
    }

    /// The spool of a new scope, where there is one.
    pub(crate) fn stream(&self, settings: &Settings) -> Result<Option<Stream>, Error> {
        self.spool().map(|spool| spool.stream(settings)).transpose()
    }

    pub(crate) fn spool(&self) -> Option<&Spooling> {
        self.spool.as_ref()
    }

    /// The connections that write.
    pub(crate) fn connections(&self) -> Result<&Connections, ConfigError> {
        let reason = "is missing: there is no server to ask, since the records are kept in memory";
        self.connections.as_ref().ok_or_else(|| ConfigError::new("connection_string", reason))
    }

    pub(crate) async fn answers(&self) -> bool {
        self.store.answers().await
    }

    /// Closes every queue, all at once, then the spool, and sums what became of their records.
    pub(crate) async fn drain(&self, deadline: Instant) -> Drained {
        if let Some(spool) = &self.spool {
            spool.refuse();
        }
        let closed = {
            let mut queues = self.queues();
            let all = queues.alive();
            *queues = Queues::Closed(all.clone());
            all
        };
        for queue in &closed {
            queue.begin_close();
        }
        if let Some(spool) = &self.spool {
            // By itself, also where nobody waits for this any more: it waits for the queues.
            spool.begin_close(deadline);
        }
        let mut sum = Drained::default();
        for queue in closed {
            sum += queue.ended().await;
        }
        if let Some(spool) = &self.spool {
            // It knows what the queues left to it.
            sum.spooled = 0;
            sum += spool.close(deadline).await;
        }
        sum
    }

    /// The sum over every queue that there was.
    pub(crate) fn stats(&self) -> Stats {
        // Held while the gone ones are read, so that none is counted twice.
        let alive = self.queues().alive();
        let mut sum = self.gone.get();
        for queue in &alive {
            sum += queue.stats();
        }
        if let Some(spool) = &self.spool {
            sum += spool.stats();
        }
        sum
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        // What runs under the lock leaves the list whole at every step.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    fn alive(&self) -> Vec<StrongQueue> {
        match self {
            Self::Open(queues) => queues.iter().filter_map(WeakQueue::upgrade).collect(),
            Self::Closed(queues) => queues.clone(),
        }
    }
}
