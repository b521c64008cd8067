//! The ways.

/// How pages come to know of new requests.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum LiveMode {
    /// They ask, every [`poll_interval`](super::super::DashboardBuilder::poll_interval). Right for any number of processes.
    #[default]
    Poll,
}

impl LiveMode {
    /// As the API tells it.
    pub(in crate::dashboard) fn name(&self) -> &'static str {
        match self {
            Self::Poll => "poll",
        }
    }
}
