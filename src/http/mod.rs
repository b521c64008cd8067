//! HTTP capture: every exchange becomes one audit event, however it ends.
#![allow(dead_code, reason = "the layer, which is to come, calls these")]

mod audit_sink;
mod clamp;
mod client;
mod document;
mod exchange;
mod hash;
mod kind;
mod masking;
mod matcher;
mod name;
mod query;
mod request_id;
mod sink;
mod text;

pub use self::{
    audit_sink::AuditSink,
    client::TrustedProxies,
    exchange::{CapturedError, Ending, Exchange, Party},
    hash::{BodyHash, HmacKey},
    kind::Kind,
    matcher::Matcher,
    request_id::RequestId,
    sink::{Admission, Busy, Commit, Sink},
};
