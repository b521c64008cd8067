//! A layer whose exchanges are stored in a table of their own, and shown to the test as they end.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tracevault::{
    Error, Scope, ScopeOverrides, Tracevault,
    http::{Admission, AuditSink, Busy, CaptureLayer, CapturedError, Ending, Exchange, Sink},
};

use crate::kit::Table;

pub struct Stand {
    pub table: Table,
    pub audit: Tracevault,
    pub layer: CaptureLayer<Watched>,
    scope: Scope,
    ended: mpsc::UnboundedReceiver<Exchange>,
}

/// Shows every exchange to the test before the audit sink has it.
#[derive(Clone)]
pub struct Watched {
    pub sink: AuditSink,
    shown: mpsc::UnboundedSender<Exchange>,
}

impl Sink for Watched {
    fn admit(&self) -> Result<Option<Admission>, Busy> {
        let Some(admission) = self.sink.admit()? else { return Ok(None) };
        let shown = self.shown.clone();
        Ok(Some(Admission::new(move |exchange| {
            shown.send(exchange.clone()).unwrap();
            admission.commit(exchange)
        })))
    }

    fn capture(&self, exchange: Exchange) -> Result<(), Error> {
        shown_by(&self.shown, &exchange);
        self.sink.capture(exchange)
    }

    fn scope(&self) -> Option<&Scope> {
        self.sink.scope()
    }
}

fn shown_by(shown: &mpsc::UnboundedSender<Exchange>, exchange: &Exchange) {
    // A test that is over hears nothing more.
    let _ = shown.send(exchange.clone());
}

impl Stand {
    pub async fn new(theme: &str) -> Self {
        Self::with(theme, |sink| sink).await
    }

    /// One whose audit sink is told more.
    pub async fn with(theme: &str, told: impl FnOnce(AuditSink) -> AuditSink) -> Self {
        let table = Table::new(theme).await;
        let audit = table.audit();
        let scope = audit.scope(ScopeOverrides::new()).unwrap();
        let sink = told(AuditSink::new(scope.clone()));
        let (shown, ended) = mpsc::unbounded_channel();
        let layer = CaptureLayer::with_sink(Watched { sink, shown });
        Self { table, audit, layer, scope, ended }
    }

    /// The next exchange that ends.
    pub async fn next(&mut self) -> Exchange {
        self.ended.recv().await.unwrap()
    }

    /// How the only exchange since the last question ended, which must be over.
    pub fn ended(&mut self) -> Exchange {
        let ended = self.ended.try_recv().expect("an exchange has ended");
        assert!(self.ended.try_recv().is_err(), "it ended twice");
        ended
    }

    pub fn nothing_ended(&mut self) {
        assert!(self.ended.try_recv().is_err(), "nothing has ended yet");
    }

    /// Waits until all that ended is stored.
    pub async fn flush(&self) {
        self.scope.flush().await.unwrap();
    }

    /// Names and statuses of all that is stored.
    pub async fn rows(&self) -> Vec<(String, Option<i64>)> {
        self.audit.close().await.unwrap();
        let status = "(data #>> '{metrics,statusCode}')::bigint";
        let rows = self.table.select(&format!("event, {status}"), "ORDER BY occurred_at, id", &[]).await;
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// The table has these, and no more.
    pub async fn stored(self, expected: &[(&str, i64)]) {
        let rows = self.rows().await;
        let rows: Vec<_> = rows.iter().map(|(name, status)| (name.as_str(), status.unwrap())).collect();
        assert_eq!(rows, expected);
        self.table.drop().await;
    }
}

/// What an ending says of an error: `(name, message)`.
pub fn fault(ending: &Ending) -> (&str, &str) {
    match ending {
        Ending::BodyError(CapturedError { name, message, .. })
        | Ending::ServiceError(CapturedError { name, message, .. })
        | Ending::Panic(CapturedError { name, message, .. }) => (name, message),
        other => panic!("{other:?} is no fault"),
    }
}

/// A handler's.
#[cfg(feature = "axum")]
pub async fn panicking() -> &'static str {
    panic!("at work")
}

/// Remembers what it was given, in memory, and never fails.
#[derive(Clone, Default)]
pub struct Kept(pub Arc<Mutex<Vec<Exchange>>>);

impl Kept {
    pub fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for Kept {
    fn capture(&self, exchange: Exchange) -> Result<(), Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
        Ok(())
    }
}
