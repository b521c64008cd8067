//! A captured exchange: what a sink is given.

use std::{fmt, net::IpAddr, time::Duration};

use http::{Extensions, Version};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{kind::Kind, request_id::RequestId};

/// One request and its response, from the first line to the end of the body, however it ended.
///
/// What came from outside is masked and cut already: the path by the scope's `mask_patterns`, the query also by its
/// `mask_fields` and by the usual names of secrets. What handlers said (names, parties, `data`, errors) is as they said
/// it; an event of it is masked as every event is. `Debug` shows none of it.
///
/// ```
/// use tracevault::http::{Ending, Exchange, Kind, RequestId};
///
/// // For the tests of your own sink; the layer makes them otherwise.
/// let mut exchange = Exchange::new(RequestId::new(), "GET", "/orders/7");
/// exchange.status = Some(200);
/// assert_eq!((exchange.status_told(), exchange.kind()), (Some(200), Kind::Success));
/// exchange.ending = Ending::AbortedInBody;
/// assert_eq!((exchange.status_told(), exchange.kind()), (Some(499), Kind::Error));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// The request's id, inherited or new.
    pub request_id: RequestId,
    /// Of the header `x-correlation-id`.
    pub correlation_id: Option<String>,
    /// `GET`, ...
    pub method: String,
    /// Of the request.
    pub version: Version,
    /// As it was received, percent-encoded, without the query; at most 2,000 characters.
    pub path: String,
    /// The query's names, each with its value, or with all of its values. `None`: there was no query, or it is not kept.
    pub query: Option<Value>,
    /// The pattern of the route, such as `/orders/{id}`.
    pub route: Option<String>,
    /// The client's address, as far as proxies are trusted. `None`: unknown, or not kept.
    pub client_ip: Option<IpAddr>,
    /// At most 512 characters. `None`: there was none, or it is not kept.
    pub user_agent: Option<String>,
    /// Of the response's head. `None`: no head was made. See [`status_told`](Self::status_told).
    pub status: Option<u16>,
    /// How it ended.
    pub ending: Ending,
    /// When the request came.
    pub started_at: OffsetDateTime,
    /// From the request to the end of the response's body.
    pub latency: Duration,
    /// From the request to the response's head.
    pub ttfb: Option<Duration>,
    /// What was read of the request's body.
    pub request_bytes: u64,
    /// What was sent of the response's body.
    pub response_bytes: u64,
    /// In lower case hexadecimal. `None`: no body, not read to its end, or not kept.
    pub request_body_hash: Option<String>,
    /// What the handler said went wrong, by [`RequestAudit`](super::RequestAudit) or as an extension of the response.
    pub error: Option<CapturedError>,
    /// What the handler called it.
    pub event_name: Option<String>,
    /// Who did it.
    pub actor: Option<Party>,
    /// To what it was done.
    pub target: Option<Party>,
    /// The session's id.
    pub session_id: Option<String>,
    /// What the handler added.
    pub data: Map<String, Value>,
    /// What [`CaptureLayer::keep`](super::CaptureLayer::keep), [`RequestAudit::keep`](super::RequestAudit::keep) and
    /// [`CaptureLayer::keep_answered`](super::CaptureLayer::keep_answered) have put here, for a sink of one's own.
    pub kept: Extensions,
}

impl Exchange {
    /// One that begins now; complete, but for a status.
    pub fn new(request_id: RequestId, method: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            request_id,
            correlation_id: None,
            method: method.into(),
            version: Version::HTTP_11,
            path: path.into(),
            query: None,
            route: None,
            client_ip: None,
            user_agent: None,
            status: None,
            ending: Ending::Complete,
            started_at: OffsetDateTime::now_utc(),
            latency: Duration::ZERO,
            ttfb: None,
            request_bytes: 0,
            response_bytes: 0,
            request_body_hash: None,
            error: None,
            event_name: None,
            actor: None,
            target: None,
            session_id: None,
            data: Map::new(),
            kept: Extensions::new(),
        }
    }

    /// The status to tell: 499 if the client went away, 500 if the service or a body failed, else that of the head.
    pub fn status_told(&self) -> Option<u16> {
        match self.ending {
            Ending::Complete | Ending::AtHead => self.status,
            Ending::AbortedBeforeHead | Ending::AbortedInBody => Some(499),
            Ending::BodyError(_) | Ending::ServiceError(_) | Ending::Panic(_) => Some(500),
        }
    }

    /// What went wrong, where somebody said it: how it ended counts for more than what the handler said.
    pub fn fault(&self) -> Option<&CapturedError> {
        match &self.ending {
            Ending::BodyError(error) | Ending::ServiceError(error) | Ending::Panic(error) => Some(error),
            _ => self.error.as_ref(),
        }
    }

    /// Whether the client went away first.
    pub fn is_aborted(&self) -> bool {
        matches!(self.ending, Ending::AbortedBeforeHead | Ending::AbortedInBody)
    }

    /// What kind of event it is.
    pub fn kind(&self) -> Kind {
        Kind::of(self.status_told(), self.fault().is_some())
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("request_id", &self.request_id)
            .field("method", &self.method)
            .field("route", &self.route)
            .field("status", &self.status)
            .field("ending", &self.ending)
            .field("latency", &self.latency)
            .finish_non_exhaustive()
    }
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// With the end of the response's body.
    Complete,
    /// With the response's head, as what follows has no end of its own: an upgrade, server-sent events; or since the head
    /// waits for the commit.
    AtHead,
    /// The client went away before there was a head.
    AbortedBeforeHead,
    /// The client went away before the body was sent.
    AbortedInBody,
    /// The response's body failed.
    BodyError(CapturedError),
    /// The service answered with an error in place of a response.
    ServiceError(CapturedError),
    /// The service panicked.
    Panic(CapturedError),
}

/// What went wrong: the kind of error, and its words. As an extension of a response it says so to the layer. `Debug`
/// shows no words.
///
/// ```
/// use tracevault::http::CapturedError;
///
/// let mut response = http::Response::new("no stock");
/// *response.status_mut() = http::StatusCode::CONFLICT;
/// response.extensions_mut().insert(CapturedError::new("OutOfStock", "product_456 is sold out"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CapturedError {
    /// `OutOfStock`, ...
    pub name: String,
    /// What it says.
    pub message: String,
}

impl CapturedError {
    /// An error of this name and these words.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into() }
    }
}

impl fmt::Debug for CapturedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapturedError").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An actor or a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// `user_123`, ...
    pub id: String,
    /// `user`, ...
    pub kind: String,
}

impl Party {
    /// By id and type.
    pub fn new(id: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { id: id.into(), kind: kind.into() }
    }
}
