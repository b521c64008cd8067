//! Whether a pool's connections keep prepared statements.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use tokio_postgres::{Client, Error, error::SqlState};

use super::direct::is_direct;
use crate::config::StatementMode;

/// What is known of a pool; clones share it.
#[derive(Clone)]
pub(super) struct Statements(Arc<AtomicU8>);

const UNKNOWN: u8 = 0;
const KEPT: u8 = 1;
const LOST: u8 = 2;

impl Statements {
    pub(super) fn new(mode: StatementMode) -> Self {
        Self(Arc::new(AtomicU8::new(match mode {
            StatementMode::Auto => UNKNOWN,
            StatementMode::Prepared => KEPT,
            StatementMode::Unnamed => LOST,
        })))
    }

    /// Whether statements may be prepared by name. The first time, the server is asked.
    pub(super) async fn are_kept(&self, client: &Client) -> Result<bool, Error> {
        let mut known = self.0.load(Ordering::Relaxed);
        if known == UNKNOWN {
            known = if is_direct(client).await? { KEPT } else { LOST };
            // Not where it was found to lose them meanwhile.
            let _ = self.0.compare_exchange(UNKNOWN, known, Ordering::Relaxed, Ordering::Relaxed);
        }
        Ok(known == KEPT)
    }

    /// Learns from an error: a statement that was prepared is not there, or one that was not is.
    pub(super) fn learn(&self, error: &Error) {
        let lost = [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT];
        if error.code().is_some_and(|code| lost.contains(code)) && self.0.swap(LOST, Ordering::Relaxed) != LOST {
            tracing::info!("a pooler was found between here and PostgreSQL: statements are no longer prepared by name");
        }
    }
}
