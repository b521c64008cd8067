//! HTTP capture: every exchange becomes one audit event, however it ends.

mod audit_sink;
mod body;
mod clamp;
mod client;
mod committing;
mod document;
mod exchange;
#[cfg(feature = "axum")]
mod extract;
mod facts;
mod fault;
mod future;
mod guard;
mod handle;
mod hash;
mod kind;
mod layer;
mod masking;
mod matcher;
mod name;
mod options;
mod origin;
mod query;
mod request_body;
mod request_id;
mod service;
mod sink;
mod stats;
mod text;

#[cfg(feature = "axum")]
pub use self::extract::NotCaptured;
pub use self::{
    audit_sink::AuditSink,
    body::ResponseBody,
    client::TrustedProxies,
    exchange::{CapturedError, Ending, Exchange, Party},
    future::ResponseFuture,
    handle::{Emitting, RequestAudit},
    hash::{BodyHash, HmacKey},
    kind::Kind,
    layer::CaptureLayer,
    matcher::Matcher,
    request_body::RequestBody,
    request_id::RequestId,
    service::Capture,
    sink::{Admission, Busy, Commit, Sink},
    stats::CaptureStats,
};
