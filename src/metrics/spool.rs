//! The meters of a spool's log.

use metrics::{Gauge, SharedString, Unit, describe_gauge, gauge};

use super::SpoolNumbers;
use crate::table::TableName;

/// Made once a log, for the recorder there is then.
pub(crate) struct SpoolMeters {
    records: Gauge,
    bytes: Gauge,
    dead_letters: Gauge,
}

impl SpoolMeters {
    /// Somebody may listen.
    pub(crate) const LISTENS: bool = true;

    pub(crate) fn new(table: &TableName) -> Self {
        describe_gauge!("tracevault_spool_records", "Audit events on disk that are not stored in PostgreSQL");
        describe_gauge!("tracevault_spool_bytes", Unit::Bytes, "What these take on disk");
        describe_gauge!("tracevault_spool_dead_letters", "Audit events that PostgreSQL refused, kept aside on disk");
        let schema = table.schema().map(|schema| format!("{schema}.")).unwrap_or_default();
        let table = SharedString::from_shared(format!("{schema}{}", table.name()).into());
        Self {
            records: gauge!("tracevault_spool_records", "table" => table.clone()),
            bytes: gauge!("tracevault_spool_bytes", "table" => table.clone()),
            dead_letters: gauge!("tracevault_spool_dead_letters", "table" => table),
        }
    }

    /// A table has one log in a process, so that these are set, not added up.
    #[expect(clippy::cast_precision_loss, reason = "nothing here comes near 2^53")]
    pub(crate) fn set(&self, numbers: SpoolNumbers) {
        let SpoolNumbers { records, bytes, dead_letters } = numbers;
        self.records.set(records as f64);
        self.bytes.set(bytes as f64);
        self.dead_letters.set(dead_letters as f64);
    }
}
