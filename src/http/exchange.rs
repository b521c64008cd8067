//! Stub.
#![allow(missing_docs)]
use std::{net::IpAddr, time::Duration};

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::request_id::RequestId;

#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exchange {
    pub request_id: RequestId,
    pub correlation_id: Option<String>,
    pub method: String,
    pub version: http::Version,
    pub path: String,
    pub query: Option<Value>,
    pub route: Option<String>,
    pub client_ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub status: Option<u16>,
    pub ending: Ending,
    pub started_at: OffsetDateTime,
    pub latency: Duration,
    pub ttfb: Option<Duration>,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub request_body_hash: Option<String>,
    pub error: Option<CapturedError>,
    pub event_name: Option<String>,
    pub actor: Option<Party>,
    pub target: Option<Party>,
    pub session_id: Option<String>,
    pub data: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    Complete,
    AtHead,
    AbortedBeforeHead,
    AbortedInBody,
    BodyError(CapturedError),
    ServiceError(CapturedError),
    Panic(CapturedError),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedError {
    pub name: String,
    pub message: String,
}

impl CapturedError {
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    pub id: String,
    pub kind: String,
}

impl Party {
    pub fn new(id: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { id: id.into(), kind: kind.into() }
    }
}
