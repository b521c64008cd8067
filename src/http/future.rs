//! From the request to the response's head.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

use super::{
    body::ResponseBody,
    committing::Committing,
    guard::{Behind, Guard},
    request_id,
};

pin_project! {
    /// The future of a captured exchange's head. Dropped before it is ready, the exchange is recorded as aborted.
    pub struct ResponseFuture<F, B, E> {
        #[pin]
        state: State<F, B, E>,
        // None: it was given.
        request_id: Option<HeaderValue>,
    }
}

pin_project! {
    #[project = Stage]
    enum State<F, B, E> {
        Running { #[pin] inner: F, guard: Option<Guard> },
        // The handler is through; its answer waits.
        Committing { commit: Committing, answer: Option<Result<Response<B>, E>> },
        Busy,
    }
}

impl<F, B, E> ResponseFuture<F, B, E> {
    pub(super) fn running(inner: F, guard: Option<Guard>, request_id: Option<HeaderValue>) -> Self {
        Self { state: State::Running { inner, guard }, request_id }
    }

    pub(super) fn busy(request_id: Option<HeaderValue>) -> Self {
        Self { state: State::Busy, request_id }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: std::fmt::Display,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let answered = loop {
            match this.state.as_mut().project() {
                Stage::Running { inner, guard } => {
                    let polled = catch_unwind(AssertUnwindSafe(|| inner.poll(context)));
                    let answer = match polled {
                        Ok(polled) => ready!(polled),
                        Err(payload) => {
                            if let Some(guard) = guard.take() {
                                guard.panicked(&*payload);
                            }
                            resume_unwind(payload);
                        }
                    };
                    let Some(guard) = guard.take() else {
                        break answer.map(|response| response.map(|body| ResponseBody::new(body, None)));
                    };
                    let behind = match &answer {
                        Ok(response) => guard.head(response),
                        Err(error) => guard.service_failed(error).map_or(Behind::Nothing, Behind::Commit),
                    };
                    let guard = match behind {
                        Behind::Body(guard) => Some(guard),
                        Behind::Nothing => None,
                        Behind::Commit(commit) => {
                            this.state.set(State::Committing { commit, answer: Some(answer) });
                            continue;
                        }
                    };
                    break answer.map(|response| response.map(|body| ResponseBody::new(body, guard)));
                }
                Stage::Committing { commit, answer } => {
                    let stored = ready!(commit.poll(context));
                    break match answer.take() {
                        Some(Ok(response)) if stored => Ok(response.map(|body| ResponseBody::new(body, None))),
                        Some(Err(error)) => Err(error),
                        Some(Ok(_)) | None => Ok(unavailable()),
                    };
                }
                Stage::Busy => break Ok(unavailable()),
            }
        };
        Poll::Ready(answered.map(|mut response| {
            if let Some(id) = this.request_id.take() {
                response.headers_mut().insert(request_id::HEADER, id);
            }
            response
        }))
    }
}

fn unavailable<B>() -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}
