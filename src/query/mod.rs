//! Reading what was stored: narrow on purpose.
//!
//! Equality filters on columns, a window of time, and pages in one fixed order. Anything more (JSON probes,
//! aggregations, joins) is plain SQL, which this crate will never stand in the way of.
//!
//! ```
//! # #[path = "../../tests/support/mod.rs"] mod support;
//! use tracevault::{Config, Event, Tracevault, query::{CountFilters, Filters}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let database = support::database(support::Purpose::Tests)?;
//! # let url = database.url();
//! let audit = Tracevault::connect(Config::new(url).table_name("doc_query").ensure_schema(true)).await?;
//! audit.emit(Event::new("order.paid").actor("ann", "user").correlation_id("req_1")).await?;
//!
//! let query = audit.query();
//! let recent = query.find_many(Filters::new().event("order.paid").limit(100)).await?;
//! let total = query.count(CountFilters::new().actor_type("user")).await?;
//! let page = query.page(Filters::new().limit(50), None).await?;
//! # assert!(!recent.is_empty() && total >= 1 && !page.records.is_empty());
//! # audit.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Order is always `(occurred_at, id)`, the id breaking ties.

mod client;
mod config;
mod connected;
mod filter;
mod page;
mod records;
mod row;
mod sql;
mod wire;

use uuid::Uuid;

pub use self::{
    client::Client,
    config::QueryConfig,
    connected::Query,
    filter::{CountFilters, Filters, Order},
    page::{Cursor, Page},
    records::Records,
    row::{AuditRecord, Json},
};
use crate::{
    error::{Error, Task},
    table::TableName,
};

/// Finds records, on a connection or in a transaction of yours.
///
/// # Errors
/// `Validation` when the filters contradict themselves; `Driver`.
///
/// # Cancel safety
/// Dropping it abandons the query; the connection answers its next user only after the query has ended.
#[doc(alias = "findMany")]
pub async fn find_many(client: &impl Client, table: &TableName, filters: &Filters) -> Result<Vec<AuditRecord>, Error> {
    let select = sql::find_many(table, filters)?;
    let rows = client.rows(&select).await.map_err(|error| Task::Read(table).failed(error))?;
    row::records(table, &rows)
}

/// Finds one record, on a connection or in a transaction of yours.
///
/// # Errors
/// `Driver`.
///
/// # Cancel safety
/// As for [`find_many`].
#[doc(alias = "findById")]
pub async fn find_by_id(client: &impl Client, table: &TableName, id: Uuid) -> Result<Option<AuditRecord>, Error> {
    let select = sql::find_by_id(table, id);
    let rows = client.rows(&select).await.map_err(|error| Task::Read(table).failed(error))?;
    Ok(row::records(table, &rows)?.pop())
}

/// Counts records, on a connection or in a transaction of yours.
///
/// # Errors
/// `Validation` when the filters contradict themselves; `Driver`.
///
/// # Cancel safety
/// As for [`find_many`].
pub async fn count(client: &impl Client, table: &TableName, filters: &CountFilters) -> Result<u64, Error> {
    let select = sql::count(table, filters)?;
    let rows = client.rows(&select).await.map_err(|error| Task::Read(table).failed(error))?;
    row::total(table, &rows)
}
