//! How long a record is tried again.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// How long after it was accepted a record of an async emit is tried again while the database fails. Then it goes to
/// `on_error`.
///
/// In a file, milliseconds or `"forever"`.
///
/// ```
/// use std::time::Duration;
/// use tracevault::{Config, RetryFor};
///
/// let short = Config::default().retry_for(Duration::from_secs(30));
/// let patient = Config::default().retry_for(RetryFor::Forever);
/// # let _ = (short, patient);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryFor {
    /// This long, at most 24 hours; zero: it is not tried again.
    For(Duration),
    /// Until the scope is closed.
    Forever,
}

impl Default for RetryFor {
    /// 10 minutes.
    fn default() -> Self {
        Self::For(Duration::from_secs(600))
    }
}

impl From<Duration> for RetryFor {
    fn from(duration: Duration) -> Self {
        Self::For(duration)
    }
}

impl<'de> Deserialize<'de> for RetryFor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = RetryFor;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("milliseconds or \"forever\"")
            }

            fn visit_u64<E: Error>(self, millis: u64) -> Result<RetryFor, E> {
                Ok(RetryFor::For(Duration::from_millis(millis)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RetryFor, E> {
                match text {
                    "forever" => Ok(RetryFor::Forever),
                    _ => Err(E::custom("must be milliseconds or \"forever\"")),
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}
