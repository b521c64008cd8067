//! A batch of rows by one INSERT of one array a column.

use time::OffsetDateTime;
use tokio_postgres::types::{ToSql, Type};

use super::{names::Names, quiet::Quiet, read::LiveRow, row::TrafficRow};
use crate::{
    error::{Error, Outcome, Task},
    pool::{Connections, Lease},
};

/// Why a batch is not stored.
pub(super) struct Failure {
    pub(super) error: Error,
    /// The commit was sent, and what became of it is not known.
    pub(super) unanswered: bool,
}

const SQL: &str = r#"INSERT INTO "traffic_logs" (started_at, ended_at, duration_us, is_slow, method, route, rollup_route,
    original_url, status_code, user_id, user_name, user_email, session_id, ip, user_agent, request_id, weight)
SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
RETURNING id, created_at"#;

/// Stores all of them, or none.
pub(super) async fn insert(
    connections: &Connections,
    names: &Names,
    rows: &[TrafficRow],
) -> Result<Vec<LiveRow>, Failure> {
    let task = Task::Traffic("storing in", names.table());
    let failed = |error| Failure { error, unanswered: false };
    let lease = connections.lease(task).await.map_err(failed)?;
    let stored = match lease.within(send(&lease, names, rows)).await {
        Ok(answer) => answer.map_err(|error| failed(task.failed(error)))?,
        // Nothing is committed: the connection is closed with the lease.
        Err(_) => return Err(failed(task.timed_out())),
    };
    let answer = lease.within(lease.batch_execute("COMMIT")).await;
    // Not every error says that it was rolled back: a pooler tells of a server that is gone.
    let failed = |error: Error| Failure { unanswered: error.outcome() == Outcome::Unknown, error };
    lease.settle(Task::Commit, answer).map_err(failed)?;
    let live = |(row, (id, created_at)): (&TrafficRow, (i64, OffsetDateTime))| LiveRow::of(row, id, created_at);
    Ok(rows.iter().zip(stored).map(live).collect())
}

async fn send(
    lease: &Lease,
    names: &Names,
    rows: &[TrafficRow],
) -> Result<Vec<(i64, OffsetDateTime)>, tokio_postgres::Error> {
    /// A parameter: a column of all rows.
    macro_rules! column {
        ($rows:ident, $field:ident, $kind:ident) => {
            (Box::new(Quiet($rows.iter().map(|row| &row.$field).collect::<Vec<_>>())) as Box<_>, Type::$kind)
        };
    }
    let columns: [(Box<dyn ToSql + Sync + Send>, Type); 17] = [
        column!(rows, started_at, TIMESTAMPTZ_ARRAY),
        column!(rows, ended_at, TIMESTAMPTZ_ARRAY),
        column!(rows, duration_us, INT8_ARRAY),
        column!(rows, is_slow, BOOL_ARRAY),
        column!(rows, method, TEXT_ARRAY),
        column!(rows, route, TEXT_ARRAY),
        column!(rows, rollup_route, TEXT_ARRAY),
        column!(rows, original_url, TEXT_ARRAY),
        column!(rows, status_code, INT2_ARRAY),
        column!(rows, user_id, TEXT_ARRAY),
        column!(rows, user_name, TEXT_ARRAY),
        column!(rows, user_email, TEXT_ARRAY),
        column!(rows, session_id, TEXT_ARRAY),
        column!(rows, ip, TEXT_ARRAY),
        column!(rows, user_agent, TEXT_ARRAY),
        column!(rows, request_id, TEXT_ARRAY),
        column!(rows, weight, INT4_ARRAY),
    ];
    let params: Vec<(&(dyn ToSql + Sync), Type)> =
        columns.iter().map(|(values, kind)| (&**values as &(dyn ToSql + Sync), kind.clone())).collect();
    lease.batch_execute("BEGIN").await?;
    let stored = lease.query_typed(&names.sql(SQL), &params).await?;
    stored.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
