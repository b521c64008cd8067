//! What a user sees of the spool of a running root.

use std::{fmt, sync::Arc};

use super::{Recovery, SpoolStats, spooling::Core};
use crate::{error::Error, table::TableName};

/// The spool of a root: its numbers, what was found at the start, and its dead letters. Given by
/// [`Tracevault::spool`](crate::Tracevault::spool); clones share it.
///
/// ```
/// # #[path = "../../tests/support/mod.rs"] mod support;
/// use tracevault::{Config, Durability, Event, Mode, SpoolConfig, Tracevault};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let database = support::database(support::Purpose::Tests)?;
/// # let url = database.url();
/// # let dir = std::env::temp_dir().join(format!("tracevault-doc-spool-{}", std::process::id()));
/// let config = Config::new(url).table_name("doc_spool").ensure_schema(true).spool(SpoolConfig::new(&dir));
/// let audit = Tracevault::connect(config).await?;
///
/// let receipt = audit.emit(Event::new("order.paid").mode(Mode::Async)).await?;
/// assert_eq!(receipt.durability, Durability::Spooled); // on disk, whatever happens to this process or to PostgreSQL
///
/// audit.flush().await?;
/// let spool = audit.spool().expect("the configuration asks for one");
/// assert_eq!((spool.stats().records, spool.stats().dead_letters), (0, 0));
/// # audit.close().await?;
/// # std::fs::remove_dir_all(dir)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Spool(Arc<Core>);

impl Spool {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    /// Its numbers now.
    pub fn stats(&self) -> SpoolStats {
        self.0.stats()
    }

    /// What was found when it was opened.
    pub fn recovery(&self) -> &Recovery {
        &self.0.recovery
    }

    /// Puts the dead letters of a table, or of all, back into the spool, behind what is there: once what they were refused
    /// for is mended. Those that are refused again are dead letters again. Answers how many there were.
    ///
    /// # Errors
    /// `Spool` when the disk fails; `Closed`. Nothing is lost by either: what was put back already is stored once.
    ///
    /// # Cancel safety
    /// Dropped, some may be back in the spool and dead letters too; done again, all of it is, and each is stored once.
    pub async fn redrive(&self, table: Option<&TableName>) -> Result<u64, Error> {
        let mut driven = 0;
        for stream in self.0.all() {
            if table.is_none_or(|table| *table == *stream.table()) {
                driven += stream.redrive().await?;
            }
        }
        Ok(driven)
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
