//! What the free functions read from.

use tokio_postgres::{Error, GenericClient, Row};

use super::sql::Select;

mod sealed {
    pub trait Sealed {}
}

/// A connection or a transaction of `tokio_postgres` or `deadpool_postgres`. Sealed: it has no others.
pub trait Client: sealed::Sealed + Sync {
    /// Runs one statement.
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "nobody outside can call or implement it")]
    fn rows(&self, select: &Select) -> impl Future<Output = Result<Vec<Row>, Error>> + Send;
}

/// Unnamed and typed, so that it works behind a pooler in transaction mode.
async fn rows(client: &(impl GenericClient + Sync), select: &Select) -> Result<Vec<Row>, Error> {
    client.query_typed(select.text(), &select.params()).await
}

macro_rules! client {
    ($type:ty, $this:ident => $inner:expr) => {
        impl sealed::Sealed for $type {}

        impl Client for $type {
            #[expect(private_interfaces, reason = "nobody outside can call or implement it")]
            async fn rows(&self, select: &Select) -> Result<Vec<Row>, Error> {
                let $this = self;
                rows($inner, select).await
            }
        }
    };
}

client!(tokio_postgres::Client, this => this);
client!(tokio_postgres::Transaction<'_>, this => this);
client!(deadpool_postgres::Client, this => &***this);
client!(deadpool_postgres::ClientWrapper, this => &**this);
client!(deadpool_postgres::Transaction<'_>, this => &**this);
