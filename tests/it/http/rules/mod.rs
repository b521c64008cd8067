//! The rules of a captured exchange, without a service around them.

mod clamp;
mod client;
mod hostile;
mod matcher;
mod payload;
mod request_id;
mod rows;

use serde_json::Value;
use tracevault::{
    Config, Scope, ScopeOverrides,
    http::{AuditSink, Exchange, RequestId, Sink},
    testing::{Recorder, recorder},
};

/// A sink whose events are kept in memory.
struct Kept {
    sink: AuditSink,
    scope: Scope,
    recorder: Recorder,
    _audit: tracevault::Tracevault,
}

impl Kept {
    fn new(config: Config) -> Self {
        let (audit, recorder) = recorder(config).unwrap();
        let scope = audit.scope(ScopeOverrides::new()).unwrap();
        Self { sink: AuditSink::new(scope.clone()), scope, recorder, _audit: audit }
    }

    /// The record that the exchange becomes.
    async fn record(&self, exchange: Exchange) -> tracevault::Record {
        self.recorder.clear();
        self.sink.capture(exchange).unwrap();
        self.scope.flush().await.unwrap();
        let mut records = self.recorder.records();
        assert_eq!(records.len(), 1);
        records.remove(0)
    }

    /// Its payload.
    async fn payload(&self, exchange: Exchange) -> Value {
        serde_json::from_str(self.record(exchange).await.data().unwrap()).unwrap()
    }
}

fn exchange(method: &str, path: &str, status: Option<u16>) -> Exchange {
    let mut exchange = Exchange::new(RequestId::new(), method, path);
    exchange.status = status;
    exchange
}
