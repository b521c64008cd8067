//! Viewers in any process, and how writers tell them of new rows: by a lease, and `NOTIFY` while it lasts.
//!
//! `NOTIFY` takes a lock of the whole database when it commits, so it is never sent with rows, but behind a batch, in a
//! transaction of its own, at most four times a second, and only while the lease lasts. Without viewers, a process that
//! stores rows looks at the lease every three seconds at most; one that stores none asks nothing.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};
use tokio_postgres::types::Type;

use super::names::Names;
use crate::{
    error::{Error, Task},
    pool::Connections,
};

/// Between two notifications.
const OFTEN: Duration = Duration::from_millis(250);
/// Between two looks at the lease.
const SELDOM: Duration = Duration::from_secs(3);
/// Before another try.
const AGAIN: Duration = Duration::from_secs(1);

/// What was stored so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stored {
    max_id: i64,
    rows: i64,
}

impl Stored {
    pub(super) fn add(&mut self, ids: impl Iterator<Item = i64>) {
        for id in ids {
            self.max_id = self.max_id.max(id);
            self.rows += 1;
        }
    }
}

/// Tells viewers, until the other end of `stored` is gone.
pub(super) async fn tell(connections: Connections, names: Names, mut stored: watch::Receiver<Stored>) {
    let mut told = Stored::default();
    let mut next = Instant::now();
    while stored.changed().await.is_ok() {
        tokio::time::sleep_until(next).await;
        let now = *stored.borrow_and_update();
        let payload = format!("{{\"maxId\":{},\"n\":{}}}", now.max_id, now.rows - told.rows);
        let pause = match notify(&connections, &names, &payload).await {
            Ok(true) => OFTEN,
            Ok(false) => SELDOM,
            Err(error) => {
                tracing::debug!(%error, "viewers are not told of new requests; they find them a little later");
                // Rows come no more: nobody waits for the other end.
                if error.is_retryable() && stored.has_changed().is_ok() {
                    stored.mark_changed();
                }
                AGAIN
            }
        };
        if pause != AGAIN {
            told = now;
        }
        next = Instant::now() + pause;
    }
}

/// Whether there are viewers; they are told.
async fn notify(connections: &Connections, names: &Names, payload: &str) -> Result<bool, Error> {
    let sql = names.sql("SELECT pg_notify($1, $2) FROM \"traffic_logs_viewers\" WHERE until > now()");
    let channel = names.channel();
    let task = Task::Traffic("telling of rows of", names.table());
    let lease = connections.lease(task).await?;
    let answer = lease.within(lease.query_typed(&sql, &[(&channel, Type::TEXT), (&payload, Type::TEXT)])).await;
    Ok(!lease.settle(task, answer)?.is_empty())
}

#[cfg(feature = "dashboard")]
impl super::traffic::Traffic {
    /// Makes writers tell of new rows for the next 15 seconds. Whoever renews it while another does changes nothing.
    pub(crate) async fn announce_viewers(&self) -> Result<(), Error> {
        let names = &self.0.names;
        let sql = names.sql(
            "UPDATE \"traffic_logs_viewers\" SET until = now() + interval '15 s' WHERE until < now() + interval '11 s'",
        );
        let task = Task::Traffic("announcing viewers of", names.table());
        let lease = self.0.connections.lease(task).await?;
        let answer = lease.within(lease.query_typed(&sql, &[])).await;
        lease.settle(task, answer).map(|_| ())
    }

    /// The channel of its notifications.
    pub(crate) fn channel(&self) -> String {
        self.0.names.channel()
    }
}
