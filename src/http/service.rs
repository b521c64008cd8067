//! The service: it looks at the request, hands it on, and watches what follows.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use time::OffsetDateTime;
use tower_service::Service;

use super::{
    body::ResponseBody,
    facts::Facts,
    future::ResponseFuture,
    guard::Guard,
    handle::RequestAudit,
    layer::Shared,
    request_body::{RequestBody, Tally},
    sink::{Admission, Busy},
    stats::count,
};
use crate::{Scope, moment::Moment};

/// The service that a [`CaptureLayer`](super::CaptureLayer) makes of another.
#[derive(Clone)]
pub struct Capture<Svc> {
    inner: Svc,
    shared: Arc<Shared>,
}

impl<Svc> Capture<Svc> {
    pub(super) fn new(inner: Svc, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }
}

impl<Svc, ReqBody, ResBody> Service<Request<ReqBody>> for Capture<Svc>
where
    Svc: Service<Request<RequestBody<ReqBody>>, Response = Response<ResBody>>,
    Svc::Error: fmt::Display,
    ReqBody: Body,
    ResBody: Body,
    ResBody::Error: fmt::Display,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = Svc::Error;
    type Future = ResponseFuture<Svc::Future, ResBody, Svc::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let (id, now) = self.shared.clock.stamp();
        let started_at = now.map_or_else(|_| OffsetDateTime::now_utc(), Moment::to_utc);
        let facts = Facts::of(&parts, &self.shared, started_at);
        let handle = RequestAudit::of(&mut parts, self.scope(), id);
        let request_id = handle.request_id().header();

        let Some(facts) = facts else {
            count(&self.shared.counters.skipped);
            let request = Request::from_parts(parts, RequestBody::unwatched(body));
            return ResponseFuture::running(self.inner.call(request), None, request_id);
        };
        let Ok(admission) = self.admission() else {
            count(&self.shared.counters.busy);
            return ResponseFuture::busy(request_id);
        };
        let tally = (!body.is_end_stream()).then(Arc::<Tally>::default);
        let body = match &tally {
            None => RequestBody::unwatched(body),
            Some(tally) => RequestBody::watched(body, Arc::clone(tally), self.shared.options.body_hash.hasher()),
        };
        let guard = Guard::new(Arc::clone(&self.shared), facts, handle, tally, admission);
        let request = Request::from_parts(parts, body);
        match catch_unwind(AssertUnwindSafe(|| self.inner.call(request))) {
            Ok(inner) => ResponseFuture::running(inner, Some(guard), request_id),
            Err(payload) => {
                guard.panicked(&*payload);
                resume_unwind(payload);
            }
        }
    }
}

impl<Svc> Capture<Svc> {
    fn scope(&self) -> Option<&Scope> {
        catch_unwind(AssertUnwindSafe(|| self.shared.sink.scope())).unwrap_or_else(|_| {
            count(&self.shared.counters.panics);
            None
        })
    }

    fn admission(&self) -> Result<Option<Admission>, Busy> {
        catch_unwind(AssertUnwindSafe(|| self.shared.sink.admit())).unwrap_or_else(|_| {
            count(&self.shared.counters.panics);
            Err(Busy)
        })
    }
}

impl<Svc> fmt::Debug for Capture<Svc> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("stats", &self.shared.counters.get()).finish_non_exhaustive()
    }
}
