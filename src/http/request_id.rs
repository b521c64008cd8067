//! The id of a request.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::{Uuid, fmt::Hyphenated};

/// It comes by this, and goes.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

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
#[derive(Clone)]
pub struct RequestId(Form);

/// Neither is copied to the heap.
#[derive(Clone)]
enum Form {
    /// Well-formed, which is ASCII.
    Inherited(HeaderValue),
    Made([u8; Hyphenated::LENGTH]),
}

impl RequestId {
    /// A new one.
    #[expect(clippy::new_without_default, reason = "a default that differs each time would surprise")]
    pub fn new() -> Self {
        Self::made(Uuid::now_v7())
    }

    fn made(id: Uuid) -> Self {
        let mut text = [0; Hyphenated::LENGTH];
        id.hyphenated().encode_lower(&mut text);
        Self(Form::Made(text))
    }

    /// The one in the headers, else a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        Self::inherited(headers).unwrap_or_else(Self::new)
    }

    /// The one in the headers, else this.
    pub(super) fn inherited_or(headers: &HeaderMap, id: Uuid) -> Self {
        Self::inherited(headers).unwrap_or_else(|| Self::made(id))
    }

    fn inherited(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(&HEADER).iter();
        let id = lines.next().filter(|id| is_well_formed(id))?;
        lines.next().is_none().then(|| Self(Form::Inherited(id.clone())))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        let text = match &self.0 {
            Form::Inherited(value) => value.as_bytes(),
            Form::Made(text) => text,
        };
        // Both are ASCII.
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// For the response's head.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        match &self.0 {
            Form::Inherited(value) => Some(value.clone()),
            Form::Made(text) => HeaderValue::from_bytes(text).ok(),
        }
    }
}

fn is_well_formed(value: &HeaderValue) -> bool {
    let id = value.as_bytes();
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:/+=-".contains(byte);
    (1..=LONGEST).contains(&id.len()) && id.iter().all(allowed)
}

impl PartialEq for RequestId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for RequestId {}

impl Hash for RequestId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestId").field(&self.as_str()).finish()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AsRef<str> for RequestId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn one_that_came_is_the_same_as_the_one_that_was_made() -> Result<(), http::header::InvalidHeaderValue> {
        let made = RequestId::new();
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_str(made.as_str())?);
        let inherited = RequestId::of(&headers);
        assert_eq!((&made, made.header()), (&inherited, inherited.header()));
        assert_eq!(HashSet::from([made.clone(), inherited]).len(), 1);
        assert_ne!(made, RequestId::new());
        Ok(())
    }
}
