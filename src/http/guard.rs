//! The one place where an exchange ends, exactly once, however it ends.

use std::{
    any::Any,
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use http::{Extensions, HeaderMap, Method, Response, StatusCode, header};
use http_body::Body;

use super::{
    committing::Committing,
    exchange::{CapturedError, Ending},
    facts::Facts,
    fault::{of_panic, of_type},
    handle::RequestAudit,
    layer::Shared,
    options::keep,
    request_body::Tally,
    sink::{Admission, Commit},
    stats::{Running, count},
};

/// An exchange that runs. Dropped, it has ended there: the client is gone.
pub(super) struct Guard(Option<(Box<Open>, Running)>);

struct Open {
    shared: Arc<Shared>,
    facts: Facts,
    handle: RequestAudit,
    /// None: the request has no body.
    tally: Option<Arc<Tally>>,
    admission: Option<Admission>,
    head: Option<Head>,
    response_bytes: u64,
}

/// The response's.
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) ttfb: Duration,
    pub(super) error: Option<CapturedError>,
    kept: Extensions,
    /// How long the body is to be, where that is known.
    length: Option<u64>,
}

/// How it goes on behind a head.
pub(super) enum Behind {
    /// The exchange ends with its body.
    Body(Guard),
    /// It has ended.
    Nothing,
    /// It has ended, and the head waits.
    Commit(Committing),
}

impl Guard {
    pub(super) fn new(
        shared: Arc<Shared>,
        facts: Facts,
        handle: RequestAudit,
        tally: Option<Arc<Tally>>,
        admission: Option<Admission>,
    ) -> Self {
        let running = Running::new(&shared.counters);
        let open = Open { shared, facts, handle, tally, admission, head: None, response_bytes: 0 };
        Self(Some((Box::new(open), running)))
    }

    /// The response's head was made.
    pub(super) fn head<B: Body>(mut self, response: &Response<B>) -> Behind {
        let Some((open, _)) = &mut self.0 else { return Behind::Nothing };
        let ttfb = open.facts.start.elapsed();
        let status = response.status();
        let length = length(response.headers()).or_else(|| response.body().size_hint().exact());
        let error = response.extensions().get().cloned();
        let mut kept = Extensions::new();
        let Shared { options, counters, .. } = &*open.shared;
        keep(&options.keep_answered, &mut kept, counters, |copy, kept| copy(response.extensions(), kept));
        open.head = Some(Head { status, ttfb, error, kept, length });
        let method = &open.facts.method;
        let ending = if open.admission.is_some() || has_no_end(method, response) {
            Ending::AtHead
        } else if has_no_body(method, status) || response.body().is_end_stream() {
            Ending::Complete
        } else {
            return Behind::Body(self);
        };
        self.end(|| ending).map_or(Behind::Nothing, Behind::Commit)
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        if let Some((open, _)) = &mut self.0 {
            open.response_bytes += bytes as u64;
        }
    }

    pub(super) fn complete(mut self) {
        self.end(|| Ending::Complete);
    }

    pub(super) fn body_failed<E: Display>(mut self, error: &E) {
        self.end(|| Ending::BodyError(of_type(error)));
    }

    /// `Some`: the error, which is the answer, waits for it.
    pub(super) fn service_failed<E: Display>(mut self, error: &E) -> Option<Committing> {
        self.end(|| Ending::ServiceError(of_type(error)))
    }

    pub(super) fn panicked(mut self, payload: &(dyn Any + Send)) {
        self.end(|| Ending::Panic(of_panic(payload)));
    }

    /// Hands the exchange to the sink, or to its admission. What is foreign here may panic, and this may be a `Drop`.
    fn end(&mut self, ending: impl FnOnce() -> Ending) -> Option<Committing> {
        let (open, running) = self.0.take()?;
        let answer_stands = open.admission.as_ref().map(Admission::does_answer_stand);
        let Ok(commit) = catch_unwind(AssertUnwindSafe(|| open.end(ending))) else {
            count(&running.counters().panics);
            count(&running.counters().lost);
            return answer_stands.map(Committing::failed);
        };
        Some(Committing::new(commit?, answer_stands?, running))
    }
}

impl Open {
    fn end(self, ending: impl FnOnce() -> Ending) -> Option<Commit> {
        let Self { shared, facts, handle, tally, admission, head, response_bytes } = self;
        let latency = facts.start.elapsed();
        let said = handle.heard();
        if said.skip {
            count(&shared.counters.skipped);
            return None;
        }
        let mut exchange = facts.exchange(&shared, &handle, said, ending(), latency);
        exchange.response_bytes = response_bytes;
        if let Some(tally) = tally {
            exchange.request_bytes = tally.bytes();
            exchange.request_body_hash = tally.hash();
        }
        if let Some(head) = head {
            exchange.status = Some(head.status.as_u16());
            exchange.ttfb = Some(head.ttfb);
            exchange.error = exchange.error.or(head.error);
            exchange.kept.extend(head.kept);
        }
        shared.masking.faults(&mut exchange);
        if let Some(admission) = admission {
            return Some(admission.commit(exchange));
        }
        match shared.sink.capture(exchange) {
            Ok(()) => count(&shared.counters.captured),
            Err(error) => {
                count(&shared.counters.lost);
                tracing::debug!(%error, "an exchange was not captured");
            }
        }
        None
    }

    /// A server stops asking for more once it has sent what it announced, without looking for the end.
    fn was_sent(&self) -> bool {
        self.head.as_ref().and_then(|head| head.length).is_some_and(|length| self.response_bytes >= length)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some((open, _)) = &self.0 else { return };
        let ending = match &open.head {
            None => Ending::AbortedBeforeHead,
            Some(_) if open.was_sent() => Ending::Complete,
            Some(_) => Ending::AbortedInBody,
        };
        self.end(|| ending);
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Whether the connection goes on as something else, or as events for as long as both like.
fn has_no_end<B>(method: &Method, response: &Response<B>) -> bool {
    let events = |kind: &[u8]| kind.get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"));
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        || (method == Method::CONNECT && response.status().is_success())
        || response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| events(kind.as_bytes()))
}

/// Whether a server sends none, whatever the handler made.
fn has_no_body(method: &Method, status: StatusCode) -> bool {
    method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}
