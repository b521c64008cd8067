//! The id of a request.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

/// In bytes, which are characters.
const LONGEST: usize = 128;

/// The id of a request: inherited from the header `x-request-id` where that is well-formed (1 to 128 of
/// `A-Z a-z 0-9 . _ : / + = -`, in one line), else a new version 7 UUID.
///
/// It is in the request's extensions, and with feature `axum` it is an extractor; the response says it in
/// `x-request-id`. A client chooses what is inherited: it ties events together, and proves nothing.
///
/// ```
/// use http::HeaderMap;
/// use tracevault::http::RequestId;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-request-id", "req_9:a/b".parse()?);
/// assert_eq!(RequestId::of(&headers).as_str(), "req_9:a/b");
/// headers.insert("x-request-id", "not one".parse()?);
/// assert_eq!(RequestId::of(&headers).as_str().len(), 36);
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A new one.
    #[expect(clippy::new_without_default, reason = "a default that differs each time would surprise")]
    pub fn new() -> Self {
        Self((*Uuid::now_v7().hyphenated().encode_lower(&mut Uuid::encode_buffer())).into())
    }

    /// The one in the headers, else a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all("x-request-id").iter();
        match (lines.next().and_then(well_formed), lines.next()) {
            (Some(id), None) => Self(id.into()),
            _ => Self::new(),
        }
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn well_formed(value: &HeaderValue) -> Option<&str> {
    let id = value.as_bytes();
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:/+=-".contains(byte);
    let well = (1..=LONGEST).contains(&id.len()) && id.iter().all(allowed);
    if well { std::str::from_utf8(id).ok() } else { None }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for RequestId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
