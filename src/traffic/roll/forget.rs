//! A user is taken out of everything.

use tokio_postgres::types::Type;

use super::{
    super::{quiet::Quiet, snapshot::Param},
    pass::{Roller, Work},
};
use crate::error::Error;

/// Rows stay, as of nobody. Their hours are marked by it, and recomputed; what has no rows any more is moved here.
const ROWS: &str = r#"WITH gone AS (UPDATE "traffic_logs" SET user_id = NULL, user_name = NULL, user_email = NULL,
    session_id = NULL, ip = NULL, user_agent = NULL WHERE user_id = $1 RETURNING 1)
SELECT count(*) FROM gone"#;

const COUNTED: [&str; 2] = ["user_1h", "user_1d"];

const KNOWN: [&str; 3] = ["user_hours", "user_days", "users"];

/// In one transaction. Answers of how many rows it was.
pub(in crate::traffic) async fn forget(roller: &Roller, user_id: &str) -> Result<u64, Error> {
    let lease = roller.connections.lease(roller.task()).await?;
    let work = Work::new(roller, &lease);
    let id = Quiet(user_id);
    let params: [Param<'_>; 1] = [(&id, Type::TEXT)];
    work.begin().await?;
    let rows: i64 = work.one(ROWS, &params).await?;
    for table in COUNTED {
        let moved = format!(
            "WITH gone AS (DELETE FROM \"traffic_logs_{table}\" WHERE user_id = $1 RETURNING *) \
             INSERT INTO \"traffic_logs_{table}\" AS old (at, user_id, n, error_n, slow_n, last_at) \
             SELECT at, '', n, error_n, slow_n, last_at FROM gone ON CONFLICT (at, user_id) DO UPDATE SET \
             n = old.n + excluded.n, error_n = old.error_n + excluded.error_n, slow_n = old.slow_n + excluded.slow_n, \
             last_at = greatest(old.last_at, excluded.last_at)"
        );
        work.execute(&moved, &params).await?;
    }
    for table in KNOWN {
        work.execute(&format!("DELETE FROM \"traffic_logs_{table}\" WHERE user_id = $1"), &params).await?;
    }
    work.run("COMMIT").await?;
    lease.settle(roller.task(), Ok(Ok(())))?;
    Ok(rows.unsigned_abs())
}
