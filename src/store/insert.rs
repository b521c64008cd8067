//! Records by one INSERT: of one row, or of one array a column.

use std::{collections::HashSet, error::Error as StdError, fmt};

use bytes::BytesMut;
use tokio_postgres::{
    Error, GenericClient, Statement,
    types::{IsNull, ToSql, Type, to_sql_checked},
};
use uuid::Uuid;

use super::sql;
use crate::{
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

/// Some records as the parameters of one statement.
pub(crate) struct Insert<'r> {
    columns: Vec<Column<'r>>,
    many: bool,
}

impl<'r> Insert<'r> {
    /// `batch` must not be empty.
    pub(crate) fn of(batch: &'r [Record]) -> Self {
        let column = |index| Column(batch.iter().map(|record| record.field(index).map(Field)).collect());
        Self { columns: (0..COLUMNS.len()).map(column).collect(), many: batch.len() != 1 }
    }

    /// The types of the parameters.
    pub(super) fn types(&self) -> &'static [Type; 13] {
        if self.many { &ARRAY_TYPES } else { &TYPES }
    }

    fn params(&self) -> impl ExactSizeIterator<Item = &(dyn ToSql + Sync)> {
        self.columns.iter().map(|column| if self.many { column as &(dyn ToSql + Sync) } else { &column.0[0] })
    }

    fn typed(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.params().zip(self.types().iter().cloned()).collect()
    }

    /// Runs a prepared statement of these parameters.
    pub(super) async fn run_prepared(
        &self,
        client: &(impl GenericClient + Sync),
        statement: &Statement,
    ) -> Result<(), Error> {
        client.execute_raw(statement, self.params()).await.map(drop)
    }

    /// Stores what is not there yet, and answers the ids that were stored. Nothing is prepared by name, so that it works
    /// behind any pooler. It asks for the right to read the column `id`.
    pub(crate) async fn run_if_new(
        &self,
        client: &(impl GenericClient + Sync),
        table: &TableName,
    ) -> Result<HashSet<Uuid>, Error> {
        let rows = client.query_typed(&sql::insert(table, self.many, true), &self.typed()).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    /// Stores all of it. Nothing is prepared by name either.
    pub(crate) async fn run_new(&self, client: &(impl GenericClient + Sync), table: &TableName) -> Result<(), Error> {
        self.run_unnamed(client, &sql::insert(table, self.many, false)).await
    }

    /// Runs this text, which is not prepared by name either.
    pub(super) async fn run_unnamed(&self, client: &(impl GenericClient + Sync), sql: &str) -> Result<(), Error> {
        client.execute_typed(sql, &self.typed()).await.map(drop)
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
