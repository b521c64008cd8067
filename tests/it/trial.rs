//! One table and one root, and what most checks come to: an event is stored and looked at by SQL, or it is refused and
//! nothing is there.

use std::{
    error::Error as StdError,
    sync::atomic::{AtomicI64, Ordering},
};

use serde::Serialize;
use tokio_postgres::types::FromSql;
use tracevault::{Config, DiffEvent, Durability, Emit, Error, Event, Tracevault};
use uuid::Uuid;

use crate::kit::{Table, leaks};

pub struct Trial {
    pub table: Table,
    pub audit: Tracevault,
    stored: AtomicI64,
}

impl Trial {
    pub async fn new(theme: &str) -> Self {
        Self::with(theme, |config| config).await
    }

    pub async fn with(theme: &str, configure: impl FnOnce(Config) -> Config) -> Self {
        let table = Table::new(theme).await;
        let audit = Tracevault::new(configure(table.config())).unwrap();
        Self { table, audit, stored: AtomicI64::new(0) }
    }

    /// Emits what must be stored; gives its id.
    pub async fn stores<'a>(&self, event: impl Into<Event<'a>>) -> Uuid {
        self.commits(self.audit.emit(event)).await
    }

    pub async fn stores_diff(&self, event: DiffEvent<'_>) -> Uuid {
        self.commits(self.audit.emit_diff(event)).await
    }

    async fn commits(&self, emit: Emit) -> Uuid {
        let receipt = emit.await.unwrap();
        assert_eq!((receipt.durability, receipt.duplicate), (Durability::Committed, false));
        self.stored.fetch_add(1, Ordering::Relaxed);
        receipt.id
    }

    /// Emits what must be refused; gives the path and the reason.
    pub async fn refuses<'a>(&self, event: impl Into<Event<'a>>) -> (String, String) {
        refusal(&self.audit.emit(event).await.unwrap_err())
    }

    /// An expression over the row of an id.
    pub async fn column<T: for<'r> FromSql<'r>>(&self, expression: &str, id: Uuid) -> T {
        self.table.select(expression, "WHERE id = $1", &[&id]).await[0].get(0)
    }

    /// `data` as PostgreSQL spells it, once this value was stored as it.
    pub async fn data(&self, data: impl Serialize + Send + Sync) -> String {
        let id = self.stores(Event::new("e").data(data)).await;
        self.column("data::text", id).await
    }

    /// Checks that nothing is in the table but what [`stores`](Self::stores) put there.
    pub async fn end(self) {
        self.audit.close().await.unwrap();
        assert_eq!(self.table.count().await, self.stored.into_inner(), "rows");
        self.table.drop().await;
    }
}

/// The path and the reason of a validation error, which must be clean.
pub fn refusal(error: &Error) -> (String, String) {
    assert_clean(error);
    assert!(!error.is_retryable());
    match error {
        Error::Validation(error) => (error.path().to_owned(), error.reason().to_owned()),
        other => panic!("not a validation error: {other}"),
    }
}

/// The key and the reason of a configuration error, which must be clean.
pub fn misconfigured(error: &Error) -> (String, String) {
    assert_clean(error);
    match error {
        Error::Config(error) => (error.key().to_owned(), error.reason().to_owned()),
        other => panic!("not a configuration error: {other}"),
    }
}

/// No level of the error shows the canary, in any form.
pub fn assert_clean(error: &(dyn StdError + 'static)) {
    let mut level = Some(error);
    while let Some(error) = level {
        for shown in [error.to_string(), format!("{error:?}"), format!("{error:#?}")] {
            assert!(!leaks(shown.as_bytes()), "{shown}");
        }
        level = error.source();
    }
}
