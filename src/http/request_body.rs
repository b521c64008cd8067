//! The request's body on its way to the handler: counted and hashed as it is read, never kept.

use std::{
    io::IoSlice,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::hash::Hasher;

/// What is known of a request's body so far.
#[derive(Default)]
pub(super) struct Tally {
    bytes: AtomicU64,
    /// Of the whole body; empty until it was read to its end.
    hash: OnceLock<String>,
}

impl Tally {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn hash(&self) -> Option<String> {
        self.hash.get().cloned()
    }
}

pin_project! {
    /// A request body that is counted and hashed while the handler reads it. Frames, trailers and size hints pass
    /// unchanged.
    pub struct RequestBody<B> {
        #[pin]
        inner: B,
        watch: Option<Watch>,
    }
}

struct Watch {
    tally: Arc<Tally>,
    hasher: Option<Hasher>,
}

impl<B> RequestBody<B> {
    /// One that nobody watches.
    pub(super) fn unwatched(inner: B) -> Self {
        Self { inner, watch: None }
    }

    pub(super) fn watched(inner: B, tally: Arc<Tally>, hasher: Option<Hasher>) -> Self {
        Self { inner, watch: Some(Watch { tally, hasher }) }
    }

    /// The body itself.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl Watch {
    fn saw(&mut self, data: &impl Buf) {
        self.tally.bytes.fetch_add(data.remaining() as u64, Ordering::Relaxed);
        let Some(hasher) = &mut self.hasher else { return };
        if data.chunk().len() == data.remaining() {
            return hasher.update(data.chunk());
        }
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = data.chunks_vectored(&mut slices);
        if slices[..filled].iter().map(|slice| slice.len()).sum::<usize>() == data.remaining() {
            slices[..filled].iter().for_each(|slice| hasher.update(slice));
        } else {
            // It cannot be read without taking it from the handler: no hash is better than a wrong one.
            self.hasher = None;
        }
    }

    fn ended(self) {
        if let Some(hasher) = self.hasher.filter(|_| self.tally.bytes() > 0) {
            let _ = self.tally.hash.set(hasher.finish());
        }
    }
}

impl<B: Body> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let frame = std::task::ready!(this.inner.as_mut().poll_frame(context));
        if let Some(watch) = this.watch {
            if let Some(Ok(Some(data))) = frame.as_ref().map(|frame| frame.as_ref().map(Frame::data_ref)) {
                watch.saw(data);
            }
            match &frame {
                // Cut off: what was hashed so far is not the body.
                Some(Err(_)) => *this.watch = None,
                Some(Ok(frame)) if !frame.is_trailers() && !this.inner.is_end_stream() => {}
                _ => {
                    if let Some(watch) = this.watch.take() {
                        watch.ended();
                    }
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Default> Default for RequestBody<B> {
    fn default() -> Self {
        Self::unwatched(B::default())
    }
}
