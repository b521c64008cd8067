//! The task that rolls up now and then, for as long as its owner lives.

use std::time::Duration;

use tokio::sync::watch;

use super::pass::Roller;

/// Passes every `interval` until the other end of `open` is gone or says so.
pub(in crate::traffic) async fn run(roller: Roller, interval: Duration, mut open: watch::Receiver<bool>) {
    loop {
        let pass = async {
            if let Err(error) = roller.pass().await {
                tracing::warn!(table = %roller.names.table(), %error, "traffic is not rolled up; trying again");
            }
            tokio::time::sleep(interval).await;
        };
        tokio::select! {
            // A pass that is cut off leaves its marks, and its connection is closed.
            () = pass => {}
            _ = open.wait_for(|open| !open) => return,
        }
    }
}
