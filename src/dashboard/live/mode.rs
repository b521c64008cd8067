//! The ways.

use std::{str::FromStr, sync::Arc};

use super::bus::LiveBus;
use crate::error::{ConfigError, Error};

/// How pages come to know of new requests. As text, the names of `GET api/config`, or `socket` and `socket-cluster`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum LiveMode {
    /// They ask, every [`poll_interval`](super::super::DashboardBuilder::poll_interval). Right for any number of processes.
    #[default]
    Poll,
    /// They are sent the requests of this process, as they are stored.
    #[doc(alias = "socket")]
    Sse,
    /// They are sent the requests of all processes: PostgreSQL tells by `NOTIFY` that there are some. Needs
    /// [`listen`](super::super::DashboardBuilder::listen).
    #[doc(alias = "socket-cluster")]
    SsePg,
    /// They are sent the requests that a bus of yours brings.
    Custom(Arc<dyn LiveBus>),
}

impl LiveMode {
    /// As the API tells it.
    pub(in crate::dashboard) fn name(&self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Sse => "sse",
            Self::SsePg => "sse-pg",
            Self::Custom(_) => "custom",
        }
    }

    /// Whether anything is sent.
    pub(in crate::dashboard) fn is_live(&self) -> bool {
        !matches!(self, Self::Poll)
    }
}

impl FromStr for LiveMode {
    type Err = Error;

    /// # Errors
    /// `Config` when it is none of the names.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "poll" => Ok(Self::Poll),
            "sse" | "socket" => Ok(Self::Sse),
            "sse-pg" | "socket-cluster" => Ok(Self::SsePg),
            _ => Err(ConfigError::new("live_mode", "must be `poll`, `sse` or `sse-pg`").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_names() {
        for (text, name) in
            [("poll", "poll"), ("sse", "sse"), ("socket", "sse"), ("sse-pg", "sse-pg"), ("socket-cluster", "sse-pg")]
        {
            assert_eq!(text.parse::<LiveMode>().unwrap().name(), name);
        }
        assert_eq!(LiveMode::default().name(), "poll");
        for text in ["", "Poll", "custom", "websocket"] {
            assert!(text.parse::<LiveMode>().is_err(), "{text}");
        }
    }
}
