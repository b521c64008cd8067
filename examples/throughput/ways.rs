//! Our own ways from an event to a row, each giving events a second.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tracevault::{Error, Event, Mode, Scope, ScopeOverrides};

use crate::{
    bench::{Bench, Outcome},
    order::Order,
};

/// The event that every way stores.
fn event(order: &Order) -> Event<'_> {
    Event::new("order.paid").actor("customer_8412", "customer").target("order_9", "order").data(order)
}

impl Bench {
    /// So many callers, each waiting for its commit before its next event.
    pub async fn sync(&self, callers: usize) -> Outcome<(f64, Vec<Duration>)> {
        let scope = self.audit.scope(ScopeOverrides::new())?;
        self.emit(&scope, callers).await
    }

    /// Four tasks that emit without waiting, until the last event is stored by so many writers.
    pub async fn async_stored(&self, writers: usize) -> Outcome<f64> {
        let overrides = ScopeOverrides::new().default_mode(Mode::Async).async_batch_size(2_000).writers(writers);
        let scope = self.audit.scope(overrides)?;
        Ok(self.emit(&scope, 4).await?.0)
    }

    async fn emit(&self, scope: &Scope, callers: usize) -> Outcome<(f64, Vec<Duration>)> {
        self.empty().await?;
        let began = Instant::now();
        let tasks = (0..callers).map(|_| {
            let (scope, window) = (scope.clone(), self.window);
            tokio::spawn(async move {
                let order = Order::sample();
                let mut latencies = Vec::new();
                while began.elapsed() < window {
                    let called = Instant::now();
                    scope.emit(event(&order)).await?;
                    latencies.push(called.elapsed());
                }
                Ok::<_, Error>(latencies)
            })
        });
        let latencies: Vec<_> = try_join_all(tasks).await?.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        let drained = scope.close().await?;
        let elapsed = began.elapsed().as_secs_f64();
        assert_eq!((drained.failed, drained.left), (0, 0));
        let emitted = u32::try_from(latencies.len())?;
        self.check(emitted).await?;
        Ok((f64::from(emitted) / elapsed, latencies))
    }
}
