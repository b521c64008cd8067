//! Tables before the first record: made if the user asked for it, and checked.

use tokio_postgres::types::Type;

use crate::{
    error::{Error, Task, create_table},
    pool::{Connections, Lease},
    schema::{self, Indexes},
    table::TableName,
};

/// Two processes that boot together must not both create: "tracevlt" as a number.
const ADVISORY_LOCK: i64 = i64::from_be_bytes(*b"tracevlt");

/// Makes what is missing, if `ensure` says so, and checks that every table can be used by this version.
pub(crate) async fn prepare(connections: &Connections, tables: &[TableName], ensure: bool) -> Result<(), Error> {
    for table in tables {
        let task = Task::Prepare(table);
        let mut found = look(connections, table).await?;
        // Not where it is of this version already: the script takes locks that every reader and writer would wait for.
        if ensure && found.as_deref().and_then(version).is_none_or(|version| version < schema::VERSION) {
            let lease = connections.lease(task).await?;
            let answer = lease.within(create(&lease, table)).await;
            lease.settle(task, answer)?;
            found = look(connections, table).await?;
        }
        match found {
            None => return Err(task.unprepared(format!("the table does not exist; {}", create_table(table)))),
            Some(comment) => check_version(task, table, &comment)?,
        }
    }
    Ok(())
}

async fn look(connections: &Connections, table: &TableName) -> Result<Option<String>, Error> {
    let task = Task::Prepare(table);
    let lease = connections.lease(task).await?;
    let answer = lease.within(comment(&lease, table)).await;
    lease.settle(task, answer)
}

fn version(comment: &str) -> Option<u32> {
    comment.strip_prefix(schema::COMMENT)?.trim().parse().ok()
}

async fn create(lease: &Lease, table: &TableName) -> Result<(), tokio_postgres::Error> {
    // Sent as one query, the statements are one transaction, and the lock ends with it.
    let script = schema::render(table, Indexes::Lean);
    lease.batch_execute(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK});\n{script}")).await
}

/// The table's comment; `None` when there is no table.
async fn comment(lease: &Lease, table: &TableName) -> Result<Option<String>, tokio_postgres::Error> {
    let sql = "SELECT coalesce(obj_description(found::oid, 'pg_class'), '') FROM to_regclass($1) AS found WHERE found IS NOT NULL";
    let rows = lease.query_typed(sql, &[(&table.to_string(), Type::TEXT)]).await?;
    rows.first().map(|row| row.try_get(0)).transpose()
}

/// A table without our comment was made by Tracevault for Node, or has its owner's own comment: it may be used.
fn check_version(task: Task<'_>, table: &TableName, comment: &str) -> Result<(), Error> {
    let Some(version) = version(comment) else { return Ok(()) };
    let advice = match version.cmp(&schema::VERSION) {
        std::cmp::Ordering::Equal => return Ok(()),
        std::cmp::Ordering::Less => format!(
            "it has schema version {version}, this tracevault needs {}; bring it up to date, or {}",
            schema::VERSION,
            create_table(table)
        ),
        std::cmp::Ordering::Greater => format!(
            "it has schema version {version}, made by a newer tracevault than this one (which knows {}); update the crate",
            schema::VERSION
        ),
    };
    Err(task.unprepared(advice))
}
