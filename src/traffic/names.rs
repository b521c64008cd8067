//! What a traffic table and everything that belongs to it are called.

use uuid::Uuid;

use crate::table::TableName;

/// The longest name that stands whole in front of `_p20260507` and the suffixes of indexes.
const LONGEST: usize = 40;

/// The names of one traffic table. SQL is written for `traffic_logs`, as in `sql/002_init_traffic.sql`, and rendered.
#[derive(Debug, Clone)]
pub(super) struct Names {
    table: TableName,
    stem: String,
}

impl Names {
    pub(super) fn new(table: TableName) -> Self {
        let name = table.name();
        let stem = if name.len() <= LONGEST {
            name.to_owned()
        } else {
            // PostgreSQL would cut longer names, and two tables would then share their rollups.
            let digest = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).simple().to_string();
            format!("{}_{}", &name[..LONGEST - 9], &digest[..8])
        };
        Self { table, stem }
    }

    pub(super) fn table(&self) -> &TableName {
        &self.table
    }

    /// What the name of everything that belongs to the table begins with.
    #[cfg(test)]
    pub(super) fn stem(&self) -> &str {
        &self.stem
    }

    /// What is notified of new rows. Tables of other schemas share it, which costs a look at the table.
    pub(super) fn channel(&self) -> String {
        format!("{}_rows", self.stem)
    }

    /// This SQL, for this table.
    pub(super) fn sql(&self, text: &str) -> String {
        let schema = self.table.schema().map(|schema| format!("\"{schema}\".")).unwrap_or_default();
        text.replace("\"idx_traffic_logs_", &format!("\"idx_{}_", self.stem))
            .replace("\"traffic_logs_", &format!("{schema}\"{}_", self.stem))
            .replace("\"traffic_logs\"", &self.table.to_string())
    }
}
