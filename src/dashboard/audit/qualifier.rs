//! What audit events are searched by.

/// A condition's name, in the search box and as a parameter of the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Qualifier {
    Event,
    Actor,
    ActorType,
    Target,
    TargetType,
    Request,
    Correlation,
    Environment,
    Mode,
    Outcome,
    Severity,
    After,
    Before,
}

impl Qualifier {
    pub(super) const ALL: [Self; 13] = [
        Self::Event,
        Self::Actor,
        Self::ActorType,
        Self::Target,
        Self::TargetType,
        Self::Request,
        Self::Correlation,
        Self::Environment,
        Self::Mode,
        Self::Outcome,
        Self::Severity,
        Self::After,
        Self::Before,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Actor => "actor",
            Self::ActorType => "actor-type",
            Self::Target => "target",
            Self::TargetType => "target-type",
            Self::Request => "request",
            Self::Correlation => "correlation",
            Self::Environment => "environment",
            Self::Mode => "mode",
            Self::Outcome => "outcome",
            Self::Severity => "severity",
            Self::After => "after",
            Self::Before => "before",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// All of them, for whoever asked for another.
    pub(super) fn list() -> String {
        Self::ALL.map(|one| format!("{}:", one.name())).join(" ")
    }
}
