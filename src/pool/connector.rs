//! How a connection of our own pool is opened and kept going.

use std::{future::poll_fn, pin::Pin};

use deadpool_postgres::Connect;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls, error::SqlState};

/// Opens connections whose notices are dropped: the driver's own way would log them, and what a trigger says by
/// `RAISE NOTICE` may quote the row.
pub(super) struct Connector;

type Opening<'c> = Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'c>>;

impl Connect for Connector {
    fn connect(&self, config: &Config) -> Opening<'_> {
        let config = config.clone();
        Box::pin(async move {
            let (client, mut connection) = config.connect(NoTls).await?;
            let messages = async move {
                while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                    match message {
                        Ok(AsyncMessage::Notice(notice)) => {
                            tracing::trace!(code = notice.code().code(), "a notice of PostgreSQL was dropped");
                        }
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
        })
    }
}
