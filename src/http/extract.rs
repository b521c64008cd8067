//! The handle and the request's id as axum's extractors.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};

use super::{handle::RequestAudit, request_id::RequestId};

/// A handler asked for what only a [`CaptureLayer`](super::CaptureLayer) brings, and there is none outside of it: answers
/// with 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotCaptured;

impl IntoResponse for NotCaptured {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

impl std::fmt::Display for NotCaptured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no capture layer stands outside of this handler")
    }
}

impl std::error::Error for NotCaptured {}

macro_rules! extracted {
    ($($of_extensions:ty),*) => {$(
        impl<S: Sync> FromRequestParts<S> for $of_extensions {
            type Rejection = NotCaptured;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotCaptured> {
                parts.extensions.get().cloned().ok_or(NotCaptured)
            }
        }

        impl<S: Sync> OptionalFromRequestParts<S> for $of_extensions {
            type Rejection = std::convert::Infallible;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
                Ok(parts.extensions.get().cloned())
            }
        }
    )*};
}

extracted!(RequestAudit, RequestId);
