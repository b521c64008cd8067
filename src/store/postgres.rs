//! Records into a PostgreSQL table, a batch being one statement.

use std::{collections::HashSet, error::Error as StdError, fmt, fmt::Write as _};

use bytes::BytesMut;
use tokio_postgres::{
    GenericClient,
    types::{IsNull, ToSql, Type, to_sql_checked},
};
use uuid::Uuid;

use super::{BoxFuture, Store};
use crate::{
    error::{Error, Task},
    pool::Connections,
    record::{COLUMNS, Record},
    table::TableName,
};

/// The types of [`COLUMNS`].
const TYPES: [Type; 13] = [
    Type::UUID,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::JSONB,
    Type::JSONB,
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
];

/// The same, as arrays.
const ARRAY_TYPES: [Type; 13] = [
    Type::UUID_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::JSONB_ARRAY,
    Type::JSONB_ARRAY,
    Type::TEXT_ARRAY,
    Type::TIMESTAMPTZ_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
];

/// A store on a pool.
pub(crate) struct PgStore {
    connections: Connections,
}

impl PgStore {
    pub(crate) fn new(connections: Connections) -> Self {
        Self { connections }
    }

    async fn insert(&self, table: &TableName, batch: &[Record]) -> Result<Vec<usize>, Error> {
        let insert = Insert::of(table, batch);
        let task = Task::Store(table);
        let lease = self.connections.lease(task).await?;
        let answer = lease.within(insert.run(&*lease)).await;
        let stored = lease.settle(task, answer)?;
        Ok(stored.map(|stored| duplicates(batch, stored)).unwrap_or_default())
    }
}

impl Store for PgStore {
    fn write<'s>(&'s self, table: &'s TableName, batch: &'s [Record]) -> BoxFuture<'s, Result<Vec<usize>, Error>> {
        Box::pin(self.insert(table, batch))
    }

    fn answers(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.connections.answers())
    }
}

/// The records whose id was there already: those that were not stored, and what repeats an id within the batch.
fn duplicates(batch: &[Record], mut stored: HashSet<Uuid>) -> Vec<usize> {
    batch.iter().enumerate().filter(|(_, record)| !stored.remove(&record.id())).map(|(index, _)| index).collect()
}

/// One statement that stores some records, with its parameters.
///
/// It is never prepared by name, so that it works behind a pooler in transaction mode.
pub(crate) struct Insert<'r> {
    sql: String,
    columns: Vec<Column<'r>>,
    many: bool,
    /// Some id was chosen by a caller, and may be there already. Only then is the right to read the column `id` needed.
    may_repeat: bool,
}

impl<'r> Insert<'r> {
    /// `batch` must not be empty.
    pub(crate) fn of(table: &TableName, batch: &'r [Record]) -> Self {
        let many = batch.len() != 1;
        let may_repeat = batch.iter().any(Record::own_id);
        let mut sql = format!("INSERT INTO {table} ({}) ", COLUMNS.join(", "));
        sql.push_str(if many { "SELECT * FROM unnest(" } else { "VALUES (" });
        for (index, _) in COLUMNS.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(sql, "{}${}", if index == 0 { "" } else { ", " }, index + 1);
        }
        sql.push(')');
        if may_repeat {
            sql.push_str(" ON CONFLICT (id) DO NOTHING RETURNING id");
        }
        let column = |index| Column(batch.iter().map(|record| record.field(index).map(Field)).collect());
        Self { sql, columns: (0..COLUMNS.len()).map(column).collect(), many, may_repeat }
    }

    /// Runs it; answers the ids that were stored where some may have been there already, else nothing.
    pub(crate) async fn run(
        &self,
        client: &(impl GenericClient + Sync),
    ) -> Result<Option<HashSet<Uuid>>, tokio_postgres::Error> {
        let params: Vec<(&(dyn ToSql + Sync), Type)> = if self.many {
            self.columns.iter().zip(ARRAY_TYPES).map(|(column, kind)| (column as _, kind)).collect()
        } else {
            self.columns.iter().zip(TYPES).map(|(column, kind)| (&column.0[0] as _, kind)).collect()
        };
        if !self.may_repeat {
            client.execute_typed(&self.sql, &params).await?;
            return Ok(None);
        }
        let rows = client.query_typed(&self.sql, &params).await?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map(Some)
    }
}

/// A field as PostgreSQL takes it; its Debug, which the driver logs, shows its size only.
struct Field<'r>(&'r [u8]);

impl ToSql for Field<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.extend_from_slice(self.0);
        Ok(IsNull::No)
    }

    /// Records keep their fields in the binary form of their columns, and statements name the types themselves.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// The same field of every record of a batch.
struct Column<'r>(Vec<Option<Field<'r>>>);

impl ToSql for Column<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.0.to_sql(kind, out)
    }

    fn accepts(kind: &Type) -> bool {
        <Vec<Option<Field<'_>>>>::accepts(kind)
    }

    to_sql_checked!();
}

impl fmt::Debug for Column<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values", self.0.len())
    }
}
