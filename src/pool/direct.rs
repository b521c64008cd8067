//! Whether a connection leads straight to the server process that answers on it, or to a pooler.
//!
//! A pooler in transaction mode gives each transaction another server process, which knows other prepared statements,
//! and perhaps another one of the same name. PostgreSQL names its process when a connection is opened, for the sake of
//! cancelling; a pooler names one of its own invention. So the two are compared.

use std::{
    future::{Ready, ready},
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio_postgres::{
    Client, Error,
    tls::{ChannelBinding, TlsConnect, TlsStream},
};

/// Whether the process that answers is the one that was named when the connection was opened.
pub(super) async fn is_direct(client: &Client) -> Result<bool, Error> {
    let row = client.query_typed_one("SELECT pg_backend_pid()::int8", &[]).await?;
    let answers: i64 = row.try_get(0)?;
    Ok(named(client).await.is_some_and(|named| i64::from(named) == answers))
}

/// The process that was named. The driver tells it only to the server, in a request to cancel, so this takes such a
/// request down instead of sending it.
async fn named(client: &Client) -> Option<i32> {
    const TLS_REQUEST: u32 = 80_877_103;
    const CANCEL_REQUEST: u32 = 80_877_102;
    let (theirs, mut ours) = tokio::io::duplex(64);
    let token = client.cancel_token();
    let send = token.cancel_query_raw(theirs, Unencrypted);
    let read = async {
        loop {
            // Its length, its kind.
            let _ = ours.read_u32().await.ok()?;
            match ours.read_u32().await.ok()? {
                TLS_REQUEST => ours.write_all(b"S").await.ok()?,
                CANCEL_REQUEST => return ours.read_i32().await.ok(),
                _ => return None,
            }
        }
    };
    tokio::join!(send, read).1
}

/// TLS as the driver wants it on a connection that asked for it, between two ends in this function.
struct Unencrypted;

impl TlsConnect<DuplexStream> for Unencrypted {
    type Stream = Bare;
    type Error = io::Error;
    type Future = Ready<io::Result<Bare>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        ready(Ok(Bare(stream)))
    }
}

struct Bare(DuplexStream);

impl TlsStream for Bare {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Bare {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buf)
    }
}

impl AsyncWrite for Bare {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
