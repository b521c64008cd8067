//! What kind of event an exchange is, by its status.

/// The kind of event that an exchange becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A status of 200 to 299.
    Success,
    /// A status below 200, of 300 to 399, or none.
    Info,
    /// A status of 400 and above, or something that went wrong.
    Error,
}

impl Kind {
    /// `failed`: something went wrong, whatever the status says.
    pub fn of(status: Option<u16>, failed: bool) -> Self {
        match status {
            _ if failed => Self::Error,
            Some(400..) => Self::Error,
            Some(200..=299) => Self::Success,
            _ => Self::Info,
        }
    }

    /// `success`, `info` or `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Info => "info",
            Self::Error => "error",
        }
    }

    /// `high` for errors, else `low`.
    pub fn severity(self) -> &'static str {
        match self {
            Self::Error => "high",
            Self::Success | Self::Info => "low",
        }
    }

    /// `failure` for errors, else `success`.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Error => "failure",
            Self::Success | Self::Info => "success",
        }
    }
}

/// Whether the same request may succeed later.
pub(super) fn is_retryable(status: Option<u16>) -> bool {
    matches!(status, Some(408 | 429 | 500 | 502..=504))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_decides_unless_something_went_wrong() {
        use Kind::{Error, Info, Success};
        for (status, kind) in [
            (None, Info),
            (Some(0), Info),
            (Some(100), Info),
            (Some(199), Info),
            (Some(200), Success),
            (Some(299), Success),
            (Some(300), Info),
            (Some(399), Info),
            (Some(400), Error),
            (Some(599), Error),
            (Some(u16::MAX), Error),
        ] {
            assert_eq!(Kind::of(status, false), kind, "{status:?}");
            assert_eq!(Kind::of(status, true), Error, "{status:?}");
        }
        for (kind, said) in [
            (Success, ["success", "low", "success"]),
            (Info, ["info", "low", "success"]),
            (Error, ["error", "high", "failure"]),
        ] {
            assert_eq!([kind.as_str(), kind.severity(), kind.outcome()], said);
        }
    }

    #[test]
    fn six_statuses_are_worth_another_try() {
        let retryable: Vec<_> = (0..=999).filter(|status| is_retryable(Some(*status))).collect();
        assert_eq!(retryable, [408, 429, 500, 502, 503, 504]);
        assert!(!is_retryable(None));
    }
}
