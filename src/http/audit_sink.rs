//! The first sink: every exchange becomes one audit event.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::Serialize;

use super::{
    clamp::{Written, clamp, smallest},
    document::Document,
    exchange::{Exchange, Party},
    name::event_name,
    sink::{Admission, Busy, Sink},
    text::fit,
};
use crate::{ConfigError, Error, Event, Mode, Scope, moment::Moment, payload::Rules, record::check_text};

/// In characters, as for every event.
const LONGEST_ID: usize = 512;

/// In bytes, with every character escaped: no `meta` is larger.
const LARGEST_META: usize = 16 << 10;

/// In bytes: what `meta` and the columns take at most, by the bounds of their texts, but for characters of several bytes.
const ROOM_BESIDE_DATA: usize = 8 << 10;

/// Makes each exchange one event of a scope. [`CaptureLayer::new`](super::CaptureLayer::new) makes one by itself.
///
/// | of the event | |
/// |---|---|
/// | name | what the handler said, else `http.METHOD.` and the route's pattern, else the path; at most 255 characters |
/// | `data` | `id kind message timestamp context{ip,userAgent} request{requestId,method,path,queryParams} metrics{latencyMs,ttfbMs,statusCode} severity outcome`, and one of `success{statusCode,result}`, `info{statusCode,action}`, `error{statusCode,retryable,code,exception,exceptionMessage,requestBodyHash}`; `data`, what the handler added; `aborted` and `truncated`, where true |
/// | `meta` | `type event_name service request_id env`, and `session_id` |
/// | columns | actor, target, request id, correlation id, environment; `occurred_at` is the end of the exchange |
///
/// `data.id` is the record's id. `severity` is `high` for errors, else `low`; `outcome` is `failure` or `success`;
/// `error.code` is `HTTP_404` and the like. What the event cannot have (a blank actor, NUL, text that is too long) is left
/// out, replaced or cut: no exchange is lost for what is in it.
///
/// ```
/// use tracevault::{Config, ScopeOverrides, http::{AuditSink, Exchange, RequestId, Sink}, testing};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tracevault::Error> {
/// let (audit, recorder) = testing::recorder(Config::default().environment("staging"))?;
/// let scope = audit.scope(ScopeOverrides::new())?;
/// let sink = AuditSink::new(scope.clone()).service_name("shop").max_payload_bytes(4_000)?;
///
/// let mut exchange = Exchange::new(RequestId::new(), "GET", "/orders/7");
/// (exchange.route, exchange.status) = (Some("/orders/{id}".into()), Some(404));
/// sink.capture(exchange)?;
/// scope.flush().await?;
///
/// let record = &recorder.records()[0];
/// assert_eq!((record.event(), record.environment()), ("http.GET./orders/{id}", Some("staging")));
/// assert!(record.data().unwrap().contains(r#""message":"GET /orders/7 failed with 404""#));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AuditSink {
    scope: Scope,
    service: Arc<str>,
    environment: Arc<str>,
    /// In bytes.
    limit: usize,
    mode: Mode,
    fail_closed: bool,
}

#[derive(Serialize)]
struct Meta<'e> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_name: Option<&'e str>,
    service: &'e str,
    request_id: &'e str,
    env: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Cow<'e, str>>,
}

impl Meta<'_> {
    /// Leaves out what its columns say as well, until it has room; `false`: not even so.
    fn shortened(&mut self, limit: usize) -> bool {
        let fits = |meta: &Self| serde_json::to_vec(meta).is_ok_and(|written| written.len() <= limit);
        if !fits(self) {
            self.session_id = None;
        }
        if !fits(self) {
            self.event_name = None;
        }
        fits(self)
    }
}

impl AuditSink {
    /// With the service `axum-service`, the scope's environment (`production` where it has none), 12,000 bytes, async.
    pub fn new(scope: Scope) -> Self {
        let settings = scope.settings();
        let environment = settings.environment.clone().unwrap_or_else(|| "production".into());
        let limit = settings.max_payload_bytes.min(12_000);
        Self { service: "axum-service".into(), environment, limit, mode: Mode::Async, fail_closed: false, scope }
    }

    /// What `meta.service` says; at most 255 characters.
    #[must_use]
    pub fn service_name(mut self, name: impl AsRef<str>) -> Self {
        self.service = fit(name.as_ref(), 255).into();
        self
    }

    /// What `meta.env` and the environment column say, in place of the scope's.
    ///
    /// # Errors
    /// `Config` where it is empty, longer than 128 characters, or holds NUL.
    pub fn environment(mut self, environment: impl Into<Arc<str>>) -> Result<Self, Error> {
        self.environment = environment.into();
        if self.environment.is_empty() {
            return Err(ConfigError::new("environment", "must not be empty").into());
        }
        let checked = check_text("environment", &self.environment, 128);
        checked.map_err(|error| ConfigError::new("environment", error.reason()))?;
        Ok(self)
    }

    /// The most bytes of JSON in `data`; 12,000 by default. What is larger is stored without what the handler added and
    /// without `error`, by `truncated`; what is too large even so, with nothing but `id`, `kind`, the first 500 characters
    /// of `message`, `timestamp` and `outcome`. The scope's `max_payload_bytes` counts where it is less.
    ///
    /// # Errors
    /// `Config` where not even that has room: about 150 bytes, without a message.
    pub fn max_payload_bytes(mut self, bytes: usize) -> Result<Self, Error> {
        let settings = self.scope.settings();
        let least = smallest(&settings.mask);
        if bytes < least {
            return Err(ConfigError::new("max_payload_bytes", format!("must be at least {least}")).into());
        }
        self.limit = bytes.min(settings.max_payload_bytes);
        Ok(self)
    }

    /// Sync: the head of the response waits until the exchange is committed, but an exchange that could not be committed
    /// is only logged. Its latency ends with the head. Async by default: nothing waits.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Whether a request is answered with 503 where its exchange cannot be stored: before the handler runs where the queue
    /// has no room, and behind it where the commit fails; what the handler did stands. The head waits for the commit,
    /// whatever the mode; latency ends with the head. False by default.
    #[must_use]
    pub fn fail_closed(mut self, yes: bool) -> Self {
        self.fail_closed = yes;
        self
    }

    /// Hands over the event, which borrows from here.
    fn emitted<T>(&self, exchange: &Exchange, emit: impl FnOnce(Event<'_>) -> T) -> T {
        let settings = self.scope.settings();
        let (id, _) = settings.stamp();
        let at = exchange.started_at.checked_add(exchange.latency.try_into().unwrap_or_default());
        let at = at.unwrap_or(exchange.started_at);
        let name = event_name(exchange);
        let kind = exchange.kind().as_str();
        let mut meta = Meta {
            r#type: kind,
            event_name: Some(&name),
            service: &self.service,
            request_id: exchange.request_id.as_str(),
            env: &self.environment,
            session_id: exchange.session_id.as_deref().map(|id| fit(id, LONGEST_ID)),
        };
        let has_meta = settings.max_payload_bytes >= LARGEST_META || meta.shortened(settings.max_payload_bytes);
        let rules = Rules { mask: &settings.mask, limit: self.limit };
        let data: Written = clamp(Document::of(exchange, id, at), rules);
        let mut event = Event::new(&*name).request_id(exchange.request_id.as_str());
        if has_meta {
            event = event.meta(meta);
        }
        event.data = Some(Box::new(data));
        let head = &mut event.head;
        head.minted = Some(id);
        head.occurred_at = Moment::of(at).is_ok().then_some(at);
        if settings.environment.as_deref() != Some(&self.environment) {
            head.environment = Some((&*self.environment).into());
        }
        let correlation_id = exchange.correlation_id.as_deref().filter(|id| !id.is_empty());
        head.correlation_id = correlation_id.map(|id| fit(id, LONGEST_ID));
        if let Some((id, kind)) = exchange.actor.as_ref().and_then(party) {
            event = event.actor(id, kind);
        }
        if let Some((id, kind)) = exchange.target.as_ref().and_then(party) {
            event = event.target(id, kind);
        }
        emit(event)
    }
}

/// Both parts, where neither is blank.
fn party(party: &Party) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    fn part(text: &str) -> Option<Cow<'_, str>> {
        (!text.trim().is_empty()).then(|| fit(text, LONGEST_ID))
    }
    part(&party.id).zip(part(&party.kind))
}

impl Sink for AuditSink {
    fn admit(&self) -> Result<Option<Admission>, Busy> {
        if !self.fail_closed && self.mode == Mode::Async {
            return Ok(None);
        }
        let room = if self.fail_closed {
            Some(self.scope.try_reserve(self.limit + ROOM_BESIDE_DATA).map_err(|_| Busy)?)
        } else {
            None
        };
        let (sink, fail_closed) = (self.clone(), self.fail_closed);
        let admission = Admission::new(move |exchange| {
            let emit = sink.emitted(&exchange, |event| match room {
                Some(room) => room.emit(event.mode(Mode::Sync)),
                None => sink.scope.emit(event.mode(Mode::Sync)),
            });
            async move { emit.await.map(drop) }
        });
        Ok(Some(if fail_closed { admission } else { admission.answer_stands() }))
    }

    fn capture(&self, exchange: Exchange) -> Result<(), Error> {
        self.emitted(&exchange, |event| self.scope.try_emit(event)).map(drop)
    }

    fn scope(&self) -> Option<&Scope> {
        Some(&self.scope)
    }
}

impl fmt::Debug for AuditSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditSink")
            .field("scope", &self.scope)
            .field("service", &self.service)
            .field("environment", &self.environment)
            .field("mode", &self.mode)
            .field("fail_closed", &self.fail_closed)
            .finish_non_exhaustive()
    }
}
