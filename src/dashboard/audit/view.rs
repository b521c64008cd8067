//! The ways of looking at audit events.

/// What is looked at, as the event says that tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    List,
    Actor,
    Target,
    Detail,
    Csv,
    Ndjson,
    ApiList,
    ApiRecord,
}

impl View {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Actor => "actor",
            Self::Target => "target",
            Self::Detail => "record",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::ApiList => "api.list",
            Self::ApiRecord => "api.record",
        }
    }

    pub(super) fn event(self) -> &'static str {
        match self {
            Self::Csv | Self::Ndjson => "tracevault.dashboard.exported",
            _ => "tracevault.dashboard.viewed",
        }
    }
}
