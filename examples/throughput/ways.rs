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
        let drained = scope.close().await?;
        let elapsed = began.elapsed().as_secs_f64();
        assert_eq!((drained.failed, drained.left), (0, 0));
        let emitted = u32::try_from(latencies.len())?;
        self.check(emitted).await?;
        Ok((f64::from(emitted) / elapsed, latencies))
    }
}
