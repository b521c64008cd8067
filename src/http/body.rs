//! The response's body on its way to the client: the exchange ends with it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::guard::Guard;

pin_project! {
    /// A response body that is watched to its end. Frames, trailers and size hints pass unchanged.
    pub struct ResponseBody<B> {
        // None: the layer's own answer, which is empty.
        #[pin]
        inner: Option<B>,
        guard: Option<Guard>,
    }
}

impl<B> ResponseBody<B> {
    /// The handler's body; nobody watches it without a guard.
    pub(super) fn new(inner: B, guard: Option<Guard>) -> Self {
        Self { inner: Some(inner), guard }
    }

    pub(super) fn empty() -> Self {
        Self { inner: None, guard: None }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body,
    B::Error: std::fmt::Display,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let Some(mut inner) = this.inner.as_pin_mut() else { return Poll::Ready(None) };
        let Some(guard) = this.guard else { return inner.poll_frame(context) };
        let frame = match catch_unwind(AssertUnwindSafe(|| inner.as_mut().poll_frame(context))) {
            Ok(frame) => ready!(frame),
            Err(payload) => {
                if let Some(guard) = this.guard.take() {
                    guard.panicked(&*payload);
                }
                resume_unwind(payload);
            }
        };
        match &frame {
            Some(Ok(frame)) => {
                guard.sent(frame.data_ref().map_or(0, bytes::Buf::remaining));
                // Who sees that nothing follows does not ask again, and nothing follows trailers.
                if (frame.is_trailers() || inner.is_end_stream())
                    && let Some(guard) = this.guard.take()
                {
                    guard.complete();
                }
            }
            Some(Err(error)) => {
                if let Some(guard) = this.guard.take() {
                    guard.body_failed(error);
                }
            }
            None => {
                if let Some(guard) = this.guard.take() {
                    guard.complete();
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
