//! How the pool reaches the server: through a socket that can be hung up from outside.

use std::{
    io, mem,
    net::Shutdown,
    os::unix::net::UnixStream as StdUnixStream,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{net::UnixStream, task::JoinHandle};
use tracevault::{
    deadpool_postgres::Connect,
    tokio_postgres::{Client, Config, Error, NoTls},
};

/// A second handle of the client's socket, to hang up from outside.
#[derive(Clone, Default)]
pub(crate) struct Line(Arc<Mutex<Option<StdUnixStream>>>);

impl Line {
    fn replace(&self, socket: Option<StdUnixStream>) -> Option<StdUnixStream> {
        mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), socket)
    }

    pub(crate) fn hang_up(&self) {
        if let Some(socket) = self.replace(None) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Connects through a socket that [`Line`] can hang up. It is better than the driver's own way for another reason, too:
/// a cancel request would wait for ever behind the one connection that the server takes; without an address to send it
/// to, it fails at once.
pub(crate) struct Connector {
    pub(crate) socket: PathBuf,
    pub(crate) line: Line,
}

impl Connector {
    fn dial(&self) -> io::Result<UnixStream> {
        let socket = StdUnixStream::connect(&self.socket)?;
        socket.set_nonblocking(true)?;
        self.line.replace(Some(socket.try_clone()?));
        UnixStream::from_std(socket)
    }
}

type Connecting<'a> = Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

impl Connect for Connector {
    fn connect(&self, config: &Config) -> Connecting<'_> {
        let config = config.clone();
        Box::pin(async move {
            let Ok(stream) = self.dial() else {
                // The driver's error cannot be made here: let it fail, in its own words, the same way.
                let (client, connection) = config.connect(NoTls).await?;
                return Ok((client, tokio::spawn(async move { drop(connection.await) })));
            };
            let (client, connection) = config.connect_raw(stream, NoTls).await?;
            Ok((client, tokio::spawn(async move { drop(connection.await) })))
        })
    }
}
