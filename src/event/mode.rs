//! Whether an emit waits.

/// Whether an emit waits for its record to be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[doc(alias = "AuditMode")]
pub enum Mode {
    /// `emit` returns once the record is committed.
    #[default]
    Sync,
    /// `emit` returns once the record is queued in memory, or with a [spool](crate::Config::spool) on disk.
    Async,
}

impl Mode {
    /// `"sync"` or `"async"`, as the column `mode` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }
}
