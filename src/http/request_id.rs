//! Stub.
#![allow(missing_docs)]
use http::HeaderMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    pub fn of(headers: &HeaderMap) -> Self {
        let given = headers.get("x-request-id").and_then(|id| id.to_str().ok());
        let given = given.filter(|id| !id.is_empty() && id.len() <= 128).map(ToOwned::to_owned);
        Self(given.unwrap_or_else(|| uuid::Uuid::now_v7().to_string()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
