//! Whether a transaction was committed: by PostgreSQL's own record of it, not by the answer to COMMIT.
//!
//! The driver reports a COMMIT that rolled back as a success, and one whose answer was lost as a failure. What really
//! happened stands under the transaction's id, which is read beforehand and looked up afterwards on another connection.
//!
//! An id means something on one server only. A crash leaves ids as they are, so that a server is known by its system
//! identifier, not by its start. A promoted standby has the same one, but may give anew an id that the old primary gave
//! and never sent: so the timeline counts too.

use std::{fmt, time::Duration};

use tokio_postgres::{
    Transaction,
    types::{ToSql, Type},
};

use crate::{
    error::{ClosedError, Error, Outcome, Task},
    lifecycle::Lifecycle,
    pool::Connections,
};

/// The pauses between asking and asking again.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The id, of the outermost transaction, and whose it is. Right after a promotion the new timeline stands in the second
/// place, until a checkpoint ends.
const IDENTIFY: &str = "\
    SELECT pg_current_xact_id()::text, concat(system_identifier, '/', greatest(timeline_id, min_recovery_end_timeline)) \
    FROM pg_control_system(), pg_control_checkpoint(), pg_control_recovery()";

const ASK: &str = "\
    SELECT CASE \
        WHEN pg_is_in_recovery() THEN 'standby' \
        WHEN concat(system_identifier, '/', greatest(timeline_id, min_recovery_end_timeline)) <> $2 THEN 'elsewhere' \
        ELSE coalesce(pg_xact_status($1::xid8), 'forgotten') END \
    FROM pg_control_system(), pg_control_checkpoint(), pg_control_recovery()";

/// Tells whether a transaction of yours was committed; made by
/// [`Scope::commit_probe`](crate::Scope::commit_probe) while the transaction is open.
#[must_use = "it tells nothing until it is resolved"]
pub struct CommitProbe {
    connections: Connections,
    lifecycle: Lifecycle,
    transaction: String,
    server: String,
    patience: Duration,
}

/// What PostgreSQL says of a transaction.
enum Status {
    Committed,
    RolledBack,
    /// Nothing yet, and why.
    Open(&'static str),
    /// Nothing, however often it is asked.
    Lost(&'static str),
}

/// Why nothing is known.
struct Doubt {
    advice: &'static str,
    cause: Option<Error>,
}

impl CommitProbe {
    pub(crate) async fn of(
        transaction: &Transaction<'_>,
        connections: Connections,
        lifecycle: Lifecycle,
        patience: Duration,
    ) -> Result<Self, Error> {
        let identity = async {
            let row = transaction.query_typed_one(IDENTIFY, &[]).await?;
            Ok((row.try_get(0)?, row.try_get(1)?))
        };
        let (transaction, server) = identity.await.map_err(|error| Task::Probe.failed(error))?;
        Ok(Self { connections, lifecycle, transaction, server, patience })
    }

    /// What became of the transaction, given what its `commit` answered. `Ok`: it is committed.
    ///
    /// PostgreSQL is asked on a connection of the root, for up to `emit_timeout`: a server may take a while to notice that
    /// it lost a client. An ERROR that PostgreSQL itself answered to COMMIT needs no asking.
    ///
    /// The connection is another than the transaction's: from a borrowed pool that has none left, no answer can come.
    ///
    /// # Errors
    /// [`outcome`](Error::outcome) says what is known.
    /// - `Rejected`: the transaction was rolled back, and nothing of it is stored. The error is that of `commit` where
    ///   there was one, with its `sqlstate`; else it tells of a rollback that `commit` did not report.
    /// - `Unknown`: nobody could tell in time, or the root was closed (then it is `Closed`). An `Ok` of `commit` does not
    ///   change that: by itself it does not tell a commit from a rollback.
    ///
    /// # Cancel safety
    /// Dropping it stops the asking only.
    pub async fn resolve(self, commit: Result<(), tokio_postgres::Error>) -> Result<(), Error> {
        let failure = match commit.map_err(|error| Task::Commit.failed(error)) {
            Err(error) if error.outcome() == Outcome::Rejected => return Err(error),
            commit => commit.err(),
        };
        let _pass = self.lifecycle.enter().map_err(ClosedError::unknown)?;
        let mut doubt = Doubt { advice: "PostgreSQL did not tell in time whether it is committed", cause: None };
        match tokio::time::timeout(self.patience, self.settled(&mut doubt)).await.ok().flatten() {
            Some(true) => Ok(()),
            Some(false) => Err(failure.map_or_else(|| Task::Commit.rolled_back(), Error::rejected)),
            None => Err(Task::Commit.unresolved(doubt.advice, doubt.cause.or(failure))),
        }
    }

    /// Asks until it is known whether it is committed, or will not be: then `None`.
    async fn settled(&self, doubt: &mut Doubt) -> Option<bool> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.ask().await {
                Ok(Status::Committed) => return Some(true),
                Ok(Status::RolledBack) => return Some(false),
                Ok(Status::Open(advice)) => *doubt = Doubt { advice, cause: None },
                Ok(Status::Lost(advice)) => {
                    *doubt = Doubt { advice, cause: None };
                    return None;
                }
                Err(error) => {
                    let closed = error.is_closed();
                    *doubt =
                        Doubt { advice: "PostgreSQL could not be asked whether it is committed", cause: Some(error) };
                    if closed {
                        return None;
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn ask(&self) -> Result<Status, Error> {
        let lease = self.connections.lease(Task::Probe).await?;
        let call = async {
            let params: [(&(dyn ToSql + Sync), Type); 2] =
                [(&self.transaction, Type::TEXT), (&self.server, Type::TEXT)];
            let row = lease.query_typed_one(ASK, &params).await?;
            row.try_get(0).map(Status::of)
        };
        let answer = lease.within(call).await;
        lease.settle(Task::Probe, answer)
    }
}

impl Status {
    fn of(word: &str) -> Self {
        match word {
            "committed" => Self::Committed,
            "aborted" => Self::RolledBack,
            "in progress" => Self::Open("it is still open: PostgreSQL has not noticed yet that its client is gone"),
            "standby" => Self::Open("the root's connections lead to a standby: connect to the primary"),
            "elsewhere" => Self::Lost(
                "the root's connections lead to another server than the transaction's, or to a standby that was \
                 promoted meanwhile",
            ),
            _ => Self::Lost("it is so long ago that PostgreSQL has forgotten it"),
        }
    }
}

impl fmt::Debug for CommitProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitProbe").field("transaction", &self.transaction).finish_non_exhaustive()
    }
}
