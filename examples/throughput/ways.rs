//! Our own ways from an event to a row, each giving events a second.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tracevault::{Error, Event, Mode, Scope, ScopeOverrides, uuid::Uuid};

use crate::{
    bench::{Bench, Outcome},
    order::{Meta, Order},
};

/// The event that every way stores.
fn event<'e>(order: &'e Order, meta: &'e Meta) -> Event<'e> {
    let id = Uuid::now_v7().to_string();
    let event = Event::new("order.paid").actor("customer_8412", "customer").target("order_9", "order");
    event.data(order).meta(meta).correlation_id(id.clone()).request_id(id)
}

/// What came of some emitters.
pub struct Emitted {
    /// Events a second until the last was accepted, and until the last was stored.
    pub accepted: f64,
    pub stored: f64,
    pub latencies: Vec<Duration>,
}

/// What async events are stored by.
pub fn asynchronous() -> ScopeOverrides {
    ScopeOverrides::new().default_mode(Mode::Async).async_batch_size(2_000)
}

impl Bench {
    /// So many callers, each waiting for its commit before its next event.
    pub async fn sync(&self, callers: usize) -> Outcome<(f64, Vec<Duration>)> {
        let scope = self.audit.scope(ScopeOverrides::new())?;
        let emitted = self.emit(&scope, callers).await?;
        Ok((emitted.stored, emitted.latencies))
    }

    /// Four tasks that emit without waiting, until the last event is stored by so many writers.
    pub async fn async_stored(&self, writers: usize) -> Outcome<f64> {
        let scope = self.audit.scope(asynchronous().writers(writers))?;
        Ok(self.emit(&scope, 4).await?.stored)
    }

    /// So many callers, each waiting for its receipt before its next event, while one writer stores.
    pub async fn async_accepted(&self, callers: usize) -> Outcome<Emitted> {
        let scope = self.audit.scope(asynchronous())?;
        self.emit(&scope, callers).await
    }

    pub async fn emit(&self, scope: &Scope, callers: usize) -> Outcome<Emitted> {
        self.empty().await?;
        let began = Instant::now();
        let tasks = (0..callers).map(|_| {
            let (scope, window) = (scope.clone(), self.window);
            tokio::spawn(async move {
                let (order, meta) = (Order::sample(), Meta::sample());
                let mut latencies = Vec::new();
                while began.elapsed() < window {
                    let called = Instant::now();
                    scope.emit(event(&order, &meta)).await?;
                    latencies.push(called.elapsed());
                }
                Ok::<_, Error>(latencies)
            })
        });
        let latencies: Vec<_> = try_join_all(tasks).await?.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        let accepted = began.elapsed().as_secs_f64();
        while scope.flush().await?.spooled > 0 {}
        let stored = began.elapsed().as_secs_f64();
        let drained = scope.close().await?;
        assert_eq!((drained.failed, drained.left), (0, 0));
        let emitted = u32::try_from(latencies.len())?;
        self.check(emitted).await?;
        let count = f64::from(emitted);
        Ok(Emitted { accepted: count / accepted, stored: count / stored, latencies })
    }
}
