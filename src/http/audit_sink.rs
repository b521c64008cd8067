//! Stub.
#![allow(missing_docs)]
use serde_json::json;

use super::{
    exchange::{Ending, Exchange},
    sink::{Admission, Busy, Sink},
};
use crate::{Error, Event, Mode, Scope};

#[derive(Debug, Clone)]
pub struct AuditSink {
    scope: Scope,
    fail_closed: bool,
}

impl AuditSink {
    pub fn new(scope: Scope) -> Self {
        Self { scope, fail_closed: false }
    }
    pub fn fail_closed(mut self, yes: bool) -> Self {
        self.fail_closed = yes;
        self
    }
}

fn event(exchange: Exchange) -> Event<'static> {
    let name = exchange
        .event_name
        .clone()
        .unwrap_or_else(|| format!("http.{}.{}", exchange.method, exchange.route.as_ref().unwrap_or(&exchange.path)));
    let status = match &exchange.ending {
        Ending::AbortedBeforeHead | Ending::AbortedInBody => 499,
        Ending::BodyError(_) | Ending::ServiceError(_) | Ending::Panic(_) => 500,
        _ => exchange.status.unwrap_or(500),
    };
    let mut event = Event::new(name).request_id(exchange.request_id.as_str().to_owned());
    if let Some(id) = exchange.correlation_id {
        event = event.correlation_id(id);
    }
    event.data(json!({ "metrics": { "statusCode": status, "latencyMs": exchange.latency.as_millis() as u64 }, "ending": format!("{:?}", exchange.ending) }))
}

impl Sink for AuditSink {
    fn admit(&self) -> Result<Option<Admission>, Busy> {
        if !self.fail_closed {
            return Ok(None);
        }
        let scope = self.scope.clone();
        Ok(Some(Admission::new(move |exchange| {
            let emit = scope.emit(event(exchange).mode(Mode::Sync));
            async move { emit.await.map(drop) }
        })))
    }

    fn capture(&self, exchange: Exchange) -> Result<(), Error> {
        self.scope.try_emit(event(exchange)).map(drop)
    }

    fn scope(&self) -> Option<&Scope> {
        Some(&self.scope)
    }
}
