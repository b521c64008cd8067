//! The ways from an event to a row that are compared, each giving events a second.

use std::time::Instant;

use futures_util::future::try_join_all;
use tokio_postgres::types::Json;
use tracevault::{Error, Event, Mode, Scope, ScopeOverrides, uuid::Uuid};

use crate::{
    bench::{Bench, Outcome},
    order::Order,
};

/// The event that every way stores.
fn event(order: &Order) -> Event<'_> {
    Event::new("order.paid").actor("customer_8412", "customer").target("order_9", "order").data(order)
}

impl Bench {
    /// What one would write by hand: a prepared INSERT, one row a statement.
    pub async fn baseline(&self) -> Outcome<f64> {
        self.empty().await?;
        let insert = format!(
            "INSERT INTO \"{}\" (id, event, actor_id, actor_type, target_id, target_type, data, mode, occurred_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'sync', now())",
            self.table
        );
        let insert = self.sql.prepare(&insert).await?;
        let order = Order::sample();
        let (began, mut stored) = (Instant::now(), 0_u32);
        while began.elapsed() < self.window {
            let (who, what) = ("customer_8412", "order_9");
            let id = Uuid::now_v7();
            self.sql.execute(&insert, &[&id, &"order.paid", &who, &"customer", &what, &"order", &Json(&order)]).await?;
            stored += 1;
        }
        Ok(f64::from(stored) / began.elapsed().as_secs_f64())
    }

    /// So many callers, each waiting for its commit before its next event.
    pub async fn sync(&self, callers: usize) -> Outcome<f64> {
        let scope = self.audit.scope(ScopeOverrides::new())?;
        self.emit(&scope, callers).await
    }

    /// Four tasks that emit without waiting, until the last event is stored.
    pub async fn async_stored(&self) -> Outcome<f64> {
        let scope = self.audit.scope(ScopeOverrides::new().default_mode(Mode::Async).async_batch_size(1_000))?;
        self.emit(&scope, 4).await
    }

    async fn emit(&self, scope: &Scope, callers: usize) -> Outcome<f64> {
        self.empty().await?;
        let began = Instant::now();
        let tasks = (0..callers).map(|_| {
            let (scope, window) = (scope.clone(), self.window);
            tokio::spawn(async move {
                let order = Order::sample();
                let mut emitted = 0_u32;
                while began.elapsed() < window {
                    scope.emit(event(&order)).await?;
                    emitted += 1;
                }
                Ok::<_, Error>(emitted)
            })
        });
        let emitted: u32 = try_join_all(tasks).await?.into_iter().sum::<Result<_, _>>()?;
        let drained = scope.close().await?;
        let elapsed = began.elapsed().as_secs_f64();
        assert_eq!((drained.failed, drained.left), (0, 0));
        self.check(emitted).await?;
        Ok(f64::from(emitted) / elapsed)
    }
}
