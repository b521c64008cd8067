//! What reaches the log: nothing, unless `debug` is said.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing_subscriber::{Layer as _, filter::LevelFilter, layer::SubscriberExt as _};

use super::*;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn losses_are_told_if_asked_and_counted_always() {
    for debug in [false, true] {
        let log = Log::default();
        let writer = log.clone();
        let warnings = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(warnings.with_filter(LevelFilter::WARN));
        let _guard = tracing::subscriber::set_default(subscriber);
        let (site, app) = Site::serving("told", api(), |builder| {
            let panics = |_: &request::Parts| -> Option<String> { std::panic::resume_unwind(Box::new("no")) };
            builder.queue_capacity(2).linger(Duration::ZERO).user_id(panics).debug(debug)
        })
        .await;
        site.run("ALTER TABLE \"@\" ADD CONSTRAINT none CHECK (method <> 'PUT')").await;
        // Two runs of a full queue.
        for _ in 0..2 {
            get_all(&app, &["/"; 5]).await;
            site.traffic.flush().await;
        }
        ask(&app, request("/").method("PUT")).await;
        site.traffic.flush().await;
        let stats = site.traffic.stats();
        assert_eq!((stats.panics, stats.dropped, stats.stored, stats.failed), (11, 6, 4, 1));
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let told = |what: &str| text.lines().filter(|line| line.contains(what)).count();
        let counts = [told("panicked"), told("the queue is full"), told("requests are not stored rows=1")];
        assert_eq!(counts, if debug { [11, 2, 1] } else { [0; 3] }, "{text}");
        assert_eq!(text.is_empty(), !debug, "{text}");
        site.drop().await;
    }
}
