//! What goes wrong with a spool: the disk is full, refuses, or is somebody else's.

use std::{
    error::Error as StdError,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;

use super::outcome::Outcome;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "spool"), expect(dead_code, reason = "only the spool's"))]
pub(crate) enum SpoolFault {
    /// `max_bytes` are used.
    Full,
    /// The disk has no room.
    NoSpace,
    /// Another process has the directory.
    Locked,
    /// It is of a later version, or is none.
    Format,
    /// The system refuses.
    Io,
}

/// The spool on this machine's disk failed.
#[derive(Debug, Clone)]
pub struct SpoolError {
    fault: SpoolFault,
    doing: &'static str,
    path: PathBuf,
    outcome: Outcome,
    record_id: Option<Uuid>,
    source: Option<Arc<io::Error>>,
}

#[cfg_attr(not(feature = "spool"), expect(dead_code, reason = "only the spool's"))]
impl SpoolError {
    /// `doing`: "writing a segment".
    pub(crate) fn new(fault: SpoolFault, doing: &'static str, path: &Path) -> Self {
        Self { fault, doing, path: path.to_owned(), outcome: Outcome::Rejected, record_id: None, source: None }
    }

    /// The system's own words.
    pub(crate) fn io(doing: &'static str, path: &Path, error: io::Error) -> Self {
        let no_space = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let fault = if no_space { SpoolFault::NoSpace } else { SpoolFault::Io };
        Self { source: Some(Arc::new(error)), ..Self::new(fault, doing, path) }
    }
}

impl SpoolError {
    #[cfg(all(test, feature = "spool"))]
    pub(crate) fn fault(&self) -> SpoolFault {
        self.fault
    }

    /// The file or the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there was no room, on the disk or within `max_bytes`.
    pub fn is_full(&self) -> bool {
        matches!(self.fault, SpoolFault::Full | SpoolFault::NoSpace)
    }

    /// What became of the record, where the call was about one: `Unknown` where the disk failed, so that the next start
    /// may find it there.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The id of the record, where the call was about one.
    pub fn record_id(&self) -> Option<Uuid> {
        self.record_id
    }

    pub(super) fn is_retryable(&self) -> bool {
        self.fault != SpoolFault::Format
    }

    pub(super) fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    pub(super) fn set_record_id(&mut self, id: Uuid) {
        self.record_id = Some(id);
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (doing, path) = (self.doing, self.path.display());
        match self.fault {
            SpoolFault::Full => {
                write!(
                    f,
                    "{doing}: the spool {path} is full: try again later, or raise `spool.max_bytes` (`queue_bytes`, where many wait at once)"
                )
            }
            SpoolFault::NoSpace => write!(f, "{doing}: no space is left for the spool {path}: free some on its disk"),
            SpoolFault::Locked => write!(
                f,
                "{doing}: another process uses the spool {path}: give each process a directory of its own, or stop the other"
            ),
            SpoolFault::Format => {
                write!(
                    f,
                    "{doing}: {path} is of no spool that this version reads: give its directory, or take the version that wrote it"
                )
            }
            SpoolFault::Io => write!(f, "{doing}: the spool {path} failed"),
        }?;
        match (self.record_id, self.outcome) {
            (None, _) => Ok(()),
            (Some(_), Outcome::Rejected) => f.write_str("; the record was not kept"),
            (Some(_), Outcome::Unknown) => f.write_str("; the record may be kept"),
        }
    }
}

impl StdError for SpoolError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|error| error as _)
    }
}
