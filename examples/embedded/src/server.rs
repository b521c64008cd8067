//! The thread that PostgreSQL runs on.

use std::{
    io,
    os::unix::net::UnixListener,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use pglite_oxide::PgliteProxy;

/// Serves one connection after the other, until it is told to stop.
pub(crate) struct Server {
    stop: Arc<AtomicBool>,
    stopped: mpsc::Receiver<()>,
}

impl Server {
    pub(crate) fn start(listener: UnixListener, data: PathBuf) -> io::Result<Self> {
        // `PgliteServer`, the documented way, ends for good at the first client that goes away in the middle of an
        // answer. So the loop is our own. `PgliteProxy` is public but hidden from the documentation, one more reason for
        // the exact version in Cargo.toml.
        let proxy = PgliteProxy::new(data);
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let (done, stopped) = mpsc::channel();
        thread::Builder::new().name("embedded-database".into()).spawn(move || {
            while !told.load(Ordering::SeqCst) {
                // An error is the end of one connection, and its client knows of it already.
                let _ = catch_unwind(AssertUnwindSafe(|| proxy.accept_unix_once(&listener)));
            }
            let _ = done.send(());
        })?;
        Ok(Self { stop, stopped })
    }

    /// It takes no further connection once the present one has ended.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    pub(crate) fn wait(&self, limit: Duration) {
        let _ = self.stopped.recv_timeout(limit);
    }
}
