//! Somebody wants this to end.

use tokio::signal::unix::{SignalKind, signal};

/// Ready at Ctrl-C, or when the process is asked to go; never where signals cannot be heard.
pub(crate) async fn interruption() -> &'static str {
    let heard = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = heard(SignalKind::interrupt()) => "Ctrl-C",
        () = heard(SignalKind::terminate()) => "SIGTERM",
        () = heard(SignalKind::hangup()) => "SIGHUP",
    }
}
