//! A way to the server that breaks at COMMIT, on one side of it or on the other.

use std::sync::Arc;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::Notify,
};
use tokio_postgres::config::Host;

use crate::kit;

/// Where the connection is cut.
pub enum Cut {
    /// COMMIT does not reach the server.
    Before,
    /// The server's answer does not come back.
    After,
    /// COMMIT does not reach the server, which learns of the cut only when it is told so.
    BeforeUnnoticed(Arc<Notify>),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The suite's server by way of a proxy for one connection.
pub async fn through(cut: Cut) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config: tokio_postgres::Config = kit::url().parse().unwrap();
    let there = config.get_ports().first().copied().unwrap_or(5432);
    let server: Box<dyn Stream> = match &config.get_hosts()[0] {
        Host::Tcp(name) => Box::new(TcpStream::connect((name.as_str(), there)).await.unwrap()),
        Host::Unix(folder) => Box::new(UnixStream::connect(folder.join(format!(".s.PGSQL.{there}"))).await.unwrap()),
    };
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        relay(client, server, cut).await;
    });
    let user = config.get_user().unwrap();
    let database = config.get_dbname().unwrap_or(user);
    format!("host=127.0.0.1 port={port} user={user} dbname={database} password='{}'", kit::CANARY)
}

async fn relay(mut client: TcpStream, mut server: Box<dyn Stream>, cut: Cut) {
    let (mut question, mut answer) = (vec![0; 8_192], vec![0; 8_192]);
    let mut committing = false;
    loop {
        tokio::select! {
            read = client.read(&mut question) => {
                let sent = &question[..read.unwrap_or(0)];
                committing |= sent.windows(6).any(|word| word == b"COMMIT");
                match &cut {
                    Cut::Before if committing => return,
                    Cut::BeforeUnnoticed(noticed) if committing => {
                        drop(client);
                        return noticed.notified().await;
                    }
                    _ if sent.is_empty() => return,
                    _ => server.write_all(sent).await.unwrap(),
                }
            }
            read = server.read(&mut answer) => {
                let said = &answer[..read.unwrap_or(0)];
                if committing || said.is_empty() {
                    return;
                }
                client.write_all(said).await.unwrap();
            }
        }
    }
}
