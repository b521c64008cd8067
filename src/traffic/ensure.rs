//! Makes what is missing of a traffic table, and refuses what is not one.

use super::{names::Names, schema};
use crate::{
    error::{Error, Task},
    pool::Connections,
};

/// Two processes that boot together must not both create: "tracetrf" as a number.
const ADVISORY_LOCK: i64 = i64::from_be_bytes(*b"tracetrf");

pub(super) async fn ensure(connections: &Connections, names: &Names) -> Result<(), Error> {
    let task = Task::Traffic("preparing", names.table());
    let found = look(connections, names).await?;
    if let Some((kind, comment, whole)) = &found {
        if kind != "p" {
            let advice =
                "there is something of that name already, and it is not partitioned: choose another `table_name`";
            return Err(task.unprepared(advice.to_owned()));
        }
        let version = comment.strip_prefix(schema::COMMENT).and_then(|version| version.trim().parse::<u32>().ok());
        if version.is_some_and(|version| version > schema::VERSION) {
            let advice = "the traffic tables were made by a later version of this crate: use that one";
            return Err(task.unprepared(advice.to_owned()));
        }
        // The script takes locks that every reader and writer would wait for.
        if version == Some(schema::VERSION) && *whole {
            return Ok(());
        }
    }
    let lease = connections.lease(task).await?;
    // Sent as one query, the statements are one transaction, and the lock ends with it.
    let script = format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK});\n{}", schema::render(names));
    let answer = lease.within(lease.batch_execute(&script)).await;
    lease.settle(task, answer)
}

/// The kind of what has the name, its comment, and whether it has what came last to this version.
async fn look(connections: &Connections, names: &Names) -> Result<Option<(String, String, bool)>, Error> {
    let task = Task::Traffic("preparing", names.table());
    let sql = names.sql(
        "SELECT relkind::text, coalesce(obj_description(oid, 'pg_class'), ''), \
         to_regclass('\"traffic_logs_viewers\"') IS NOT NULL FROM pg_class \
         WHERE oid = to_regclass('\"traffic_logs\"')",
    );
    let lease = connections.lease(task).await?;
    let answer = lease.within(async {
        let rows = lease.query_typed(&sql, &[]).await?;
        rows.first().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).transpose()
    });
    let answer = answer.await;
    lease.settle(task, answer)
}
