//! Where streams get their rows from, and how many there may be.

use std::sync::Arc;

use http::StatusCode;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, broadcast},
};

use super::{bus::LiveBus, cluster::Cluster, mode::LiveMode};
use crate::{
    dashboard::problem::Problem,
    error::{ConfigError, Error},
    traffic::{LiveRow, Traffic},
};

/// The most streams of one process.
pub(super) const STREAMS: usize = 64;

#[derive(Debug)]
pub(in crate::dashboard) struct Hub {
    places: Arc<Semaphore>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Nothing,
    /// What this process stores.
    Here,
    Cluster(Arc<Cluster>),
    Bus(Arc<dyn LiveBus>),
}

impl Hub {
    pub(in crate::dashboard) fn new(mode: &LiveMode, traffic: &Traffic, listen: Option<&str>) -> Result<Self, Error> {
        let source = match (mode, listen) {
            (LiveMode::SsePg, Some(listen)) => Source::Cluster(Arc::new(Cluster::new(listen)?)),
            (LiveMode::SsePg, None) => {
                let reason = "is missing: `sse-pg` listens on a connection of its own, by this connection string";
                return Err(ConfigError::new("listen", reason).into());
            }
            (_, Some(_)) => return Err(ConfigError::new("listen", "is for the live mode `sse-pg` only").into()),
            (LiveMode::Poll, None) => Source::Nothing,
            (LiveMode::Sse, None) => Source::Here,
            (LiveMode::Custom(bus), None) => {
                let Ok(runtime) = Handle::try_current() else {
                    let reason = "is missing: build this inside a tokio runtime, which the bus is fed on";
                    return Err(ConfigError::new("runtime", reason).into());
                };
                runtime.spawn(publish(traffic.subscribe(), Arc::clone(bus)));
                Source::Bus(Arc::clone(bus))
            }
        };
        Ok(Self { places: Arc::new(Semaphore::new(STREAMS)), source })
    }

    /// A place for one more stream.
    pub(super) fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let reason = format!("there are {STREAMS} streams already: ask api/live now and then");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason)
        })
    }

    /// What is stored from now on.
    pub(super) async fn subscribe(&self, traffic: &Traffic) -> Result<broadcast::Receiver<Arc<[LiveRow]>>, Problem> {
        match &self.source {
            Source::Nothing => {
                Err(Problem::new(StatusCode::NOT_FOUND, "nothing is sent here: ask api/live now and then"))
            }
            Source::Here => Ok(traffic.subscribe()),
            Source::Cluster(cluster) => Ok(cluster.subscribe(traffic).await?),
            Source::Bus(bus) => Ok(bus.subscribe()),
        }
    }
}

/// Gives the bus what this process stores, for as long as it does.
async fn publish(mut stored: broadcast::Receiver<Arc<[LiveRow]>>, bus: Arc<dyn LiveBus>) {
    loop {
        match stored.recv().await {
            Ok(rows) => bus.publish(rows),
            Err(broadcast::error::RecvError::Lagged(batches)) => {
                tracing::warn!(batches, "the bus takes requests more slowly than they are stored; some are not sent");
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}
