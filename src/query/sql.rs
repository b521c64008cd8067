//! Filters to SQL. Text from outside reaches PostgreSQL as bound parameters only.

use std::{error::Error as StdError, fmt, fmt::Write as _};

use bytes::BytesMut;
use time::{OffsetDateTime, macros::datetime};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::{
    filter::{Conditions, CountFilters, Filters, Order},
    page::Position,
};
use crate::{
    error::{Error, ValidationError},
    moment::to_microseconds,
    schema::GENERATED,
    table::TableName,
};

/// The most records in one page, and how many unless the filters say.
const LARGEST_PAGE: u32 = 500;
const USUAL_PAGE: u32 = 50;

/// The first moment that PostgreSQL has.
const FIRST: OffsetDateTime = datetime!(-4713-11-24 00:00 UTC);

/// What is read, in the order that rows are taken apart in. JSON comes as text: exactly as PostgreSQL keeps it.
const COLUMNS: &str = "id, event, actor_id, actor_type, target_id, target_type, data::text, meta::text, mode, \
     occurred_at, created_at, correlation_id, request_id, environment, \
     derived.outcome, derived.error_code, derived.severity";

/// The table, and its three generated columns as `derived`.
///
/// A table made by Tracevault for Node 0.3 lacks them. PostgreSQL looks for a name in the innermost FROM first: where
/// the row, `own`, has no such column, it finds the one of `computed`. One statement thus reads tables of either shape,
/// in a transaction too. The planner flattens all of it: columns and their indexes serve as if they stood here plainly.
fn source(table: &TableName) -> String {
    let computed = GENERATED.map(|(column, expression)| format!("{expression} AS {column}")).join(", ");
    let columns = GENERATED.map(|(column, _)| column).join(", ");
    format!(
        "FROM {table} AS stored CROSS JOIN LATERAL (SELECT {computed}) AS computed \
         CROSS JOIN LATERAL (SELECT {columns} FROM (SELECT stored.*) AS own) AS derived"
    )
}

/// A statement and its parameters.
pub(crate) struct Select {
    text: String,
    params: Vec<Param>,
}

impl Select {
    fn new(text: String) -> Self {
        Self { text, params: Vec::new() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn params(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.params.iter().map(|param| (param as _, param.kind())).collect()
    }

    /// Binds a value and gives its placeholder.
    fn bind(&mut self, param: Param) -> String {
        self.params.push(param);
        format!("${}", self.params.len())
    }

    fn push(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.text.write_fmt(text);
    }

    fn conditions(&mut self, conditions: &Conditions) -> Result<(), Error> {
        if let (Some(from), Some(to)) = (conditions.from, conditions.to)
            && from > to
        {
            return Err(ValidationError::new("from", "is later than `to`: nothing could be found").into());
        }
        for (column, value) in conditions.texts() {
            let Some(value) = value else { continue };
            let placeholder = self.bind(Param::text(column, value)?);
            let from = if GENERATED.iter().any(|(generated, _)| *generated == column) { "derived" } else { "stored" };
            self.push(format_args!(" AND {from}.{column} = {placeholder}"));
        }
        if let Some(severities) = &conditions.severities {
            for severity in severities {
                Param::text("severities", severity)?;
            }
            let placeholder = self.bind(Param::Texts(severities.clone()));
            self.push(format_args!(" AND derived.severity = ANY({placeholder})"));
        }
        if conditions.errors_only {
            // To the letter the condition of the index on errors.
            self.push(format_args!(
                " AND (derived.outcome = 'failure' OR derived.severity IN ('error', 'critical', 'fatal'))"
            ));
        }
        for (path, operator, bound) in [("from", ">=", conditions.from), ("to", "<=", conditions.to)] {
            let Some(at) = bound else { continue };
            let placeholder = self.bind(Param::time(path, at)?);
            self.push(format_args!(" AND occurred_at {operator} {placeholder}"));
        }
        Ok(())
    }

    fn order(&mut self, order: Order) {
        let direction = match order {
            Order::Desc => "DESC",
            Order::Asc => "ASC",
        };
        self.push(format_args!(" ORDER BY occurred_at {direction}, id {direction}"));
    }
}

pub(super) fn find_by_id(table: &TableName, id: Uuid) -> Select {
    let mut select = Select::new(format!("SELECT {COLUMNS} {}", source(table)));
    let placeholder = select.bind(Param::Id(id));
    select.push(format_args!(" WHERE id = {placeholder}"));
    select
}

pub(super) fn count(table: &TableName, filters: &CountFilters) -> Result<Select, Error> {
    let mut select = Select::new(format!("SELECT count(*) {} WHERE TRUE", source(table)));
    select.conditions(&filters.conditions)?;
    Ok(select)
}

pub(super) fn find_many(table: &TableName, filters: &Filters) -> Result<Select, Error> {
    let mut select = after(table, filters, None, page_size(filters)?)?;
    if let Some(offset) = filters.offset {
        let offset = i64::try_from(offset).map_err(|_| ValidationError::new("offset", "is too large"))?;
        let placeholder = select.bind(Param::Number(offset));
        select.push(format_args!(" OFFSET {placeholder}"));
    }
    Ok(select)
}

/// The records behind a position, at most `limit` of them.
pub(super) fn after(
    table: &TableName,
    filters: &Filters,
    position: Option<&Position>,
    limit: u32,
) -> Result<Select, Error> {
    let mut select = Select::new(format!("SELECT {COLUMNS} {} WHERE TRUE", source(table)));
    select.conditions(&filters.conditions)?;
    if let Some(position) = position {
        let operator = match filters.order {
            Order::Desc => "<",
            Order::Asc => ">",
        };
        let (at, id) = (select.bind(Param::time("cursor", position.occurred_at)?), select.bind(Param::Id(position.id)));
        select.push(format_args!(" AND (occurred_at, id) {operator} ({at}, {id})"));
    }
    select.order(filters.order);
    let placeholder = select.bind(Param::Number(i64::from(limit)));
    select.push(format_args!(" LIMIT {placeholder}"));
    Ok(select)
}

pub(super) fn page_size(filters: &Filters) -> Result<u32, ValidationError> {
    match filters.limit.unwrap_or(USUAL_PAGE) {
        limit @ 1..=LARGEST_PAGE => Ok(limit),
        _ => Err(ValidationError::new("limit", format!("must be from 1 to {LARGEST_PAGE}"))),
    }
}

/// A bound value; its Debug, which the driver logs, shows its kind only.
enum Param {
    Text(String),
    Texts(Vec<String>),
    Time(OffsetDateTime),
    Id(Uuid),
    Number(i64),
}

impl Param {
    fn text(column: &'static str, value: &str) -> Result<Self, ValidationError> {
        if value.contains('\0') {
            return Err(ValidationError::new(column, "contains NUL (U+0000), which no record can"));
        }
        Ok(Self::Text(value.to_owned()))
    }

    /// Cut to the microsecond, as records are.
    fn time(path: &'static str, at: OffsetDateTime) -> Result<Self, ValidationError> {
        match to_microseconds(at).filter(|at| *at >= FIRST) {
            Some(at) => Ok(Self::Time(at)),
            None => Err(ValidationError::new(path, "is beyond the times that PostgreSQL has")),
        }
    }

    fn kind(&self) -> Type {
        match self {
            Self::Text(_) => Type::TEXT,
            Self::Texts(_) => Type::TEXT_ARRAY,
            Self::Time(_) => Type::TIMESTAMPTZ,
            Self::Id(_) => Type::UUID,
            Self::Number(_) => Type::INT8,
        }
    }
}

impl ToSql for Param {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Self::Text(value) => value.to_sql(kind, out),
            Self::Texts(value) => value.to_sql(kind, out),
            Self::Time(value) => value.to_sql(kind, out),
            Self::Id(value) => value.to_sql(kind, out),
            Self::Number(value) => value.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // Each is sent with the type that it names itself.
        true
    }

    to_sql_checked!();
}

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind())
    }
}
