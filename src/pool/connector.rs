//! How a connection of our own pool is opened and kept going.

use std::{error::Error as _, future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use deadpool_postgres::Connect;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    task::JoinHandle,
    time::timeout,
};
use tokio_postgres::{
    AsyncMessage, Client, Config, Error, NoTls, Socket,
    config::{SslMode, TargetSessionAttrs},
    error::SqlState,
    tls::MakeTlsConnect,
};
use uuid::Uuid;

use super::{
    address::{Address, is_local},
    security::When,
    tls::Tls,
};

/// Opens connections whose notices are dropped: the driver's own way would log them, and what a trigger says by
/// `RAISE NOTICE` may quote the row.
pub(super) struct Connector {
    address: Address,
    tls: Option<Tls>,
    /// How long one server may take, if another is to be tried.
    share: Duration,
    /// Rung at each notification.
    bell: Option<Arc<Notify>>,
}

type Opened = (Client, JoinHandle<()>);
type Opening<'c> = Pin<Box<dyn Future<Output = Result<Opened, Error>> + Send + 'c>>;

impl Connector {
    pub(super) fn new(address: Address, tls: Option<Tls>, share: Duration) -> Self {
        Self { address, tls, share, bell: None }
    }

    /// The same, of connections that hear notifications.
    pub(super) fn ringing(self, bell: Arc<Notify>) -> Self {
        Self { bell: Some(bell), ..self }
    }

    /// Opens one at the first server that is what the session must be. The last one has all the time that is left.
    #[expect(clippy::expect_used, reason = "an address has a server and a session")]
    pub(super) async fn open(&self) -> Result<Opened, Error> {
        let servers = self.order();
        let sessions = self.address.sessions.iter();
        let tries: Vec<_> = sessions.flat_map(|session| servers.iter().map(|server| (*server, *session))).collect();
        let ((server, session), before) = tries.split_last().expect("there is something to try");
        for (server, session) in before {
            if let Ok(Ok(opened)) = timeout(self.share, self.reach(server, *session)).await {
                return Ok(opened);
            }
        }
        self.reach(server, *session).await
    }

    fn order(&self) -> Vec<&Config> {
        let mut servers: Vec<_> = self.address.servers.iter().collect();
        if self.address.shuffled {
            servers.sort_by_cached_key(|_| Uuid::new_v4());
        }
        servers
    }

    /// Opens one at this server, with or without TLS, or first so and then so. Of two failures, the one with TLS is told.
    async fn reach(&self, server: &Config, session: TargetSessionAttrs) -> Result<Opened, Error> {
        let with = |mode: SslMode| {
            let mut config = server.clone();
            config.ssl_mode(mode).target_session_attrs(session);
            config
        };
        let bell = self.bell.as_ref();
        let plain = || async { opened(&with(SslMode::Disable), NoTls, bell).await };
        let Some(tls) = self.tls.as_ref().filter(|_| !is_local(server)) else { return plain().await };
        match self.address.security.when {
            When::Never => plain().await,
            When::IfDemanded => match plain().await {
                Err(error) if is_about_encryption(&error) => {
                    opened(&with(SslMode::Prefer), tls.connector(), bell).await
                }
                done => done,
            },
            When::IfOffered => match opened(&with(SslMode::Prefer), tls.connector(), bell).await {
                Err(error) if is_handshake(&error) || is_about_encryption(&error) => plain().await.map_err(|_| error),
                done => done,
            },
            When::Always => opened(&with(SslMode::Require), tls.connector(), bell).await,
        }
    }
}

impl Connect for Connector {
    fn connect(&self, _: &Config) -> Opening<'_> {
        Box::pin(self.open())
    }
}

async fn opened<T>(config: &Config, tls: T, bell: Option<&Arc<Notify>>) -> Result<Opened, Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, mut connection) = config.connect(tls).await?;
    let bell = bell.cloned();
    let messages = async move {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            match message {
                Ok(AsyncMessage::Notice(notice)) => {
                    tracing::trace!(code = notice.code().code(), "a notice of PostgreSQL was dropped");
                }
                Ok(AsyncMessage::Notification(_)) => bell.iter().for_each(|bell| bell.notify_one()),
                Ok(_) => {}
                // Whoever waits for an answer on it hears of it.
                Err(error) => {
                    tracing::debug!(code = error.code().map(SqlState::code), "a connection ended");
                    return;
                }
            }
        }
    };
    Ok((client, tokio::spawn(messages)))
}

/// Whether a server that was reached refused the connection in a way that another with, or without, TLS may mend: by
/// its `pg_hba.conf`, or by the protocol, as poolers do.
fn is_about_encryption(error: &Error) -> bool {
    matches!(error.code().map(SqlState::code), Some("28000" | "08P01"))
}

/// Whether TLS did not come about. The driver keeps the kinds of its errors to itself; these are its words.
fn is_handshake(error: &Error) -> bool {
    error.source().is_some() && error.to_string() == "error performing TLS handshake"
}
