//! A connection that hears what is told by `NOTIFY`.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, task::JoinHandle, time::timeout};
use tokio_postgres::Client;

use super::{connections::connector, connector::Connector, direct::is_direct};
use crate::{
    config::PoolSettings,
    error::{Error, Task},
};

/// Opens such connections, one at a time.
#[allow(dead_code, reason = "only the dashboard listens")]
pub(crate) struct Listener {
    connector: Connector,
    bell: Arc<Notify>,
    longest: Duration,
}

#[allow(dead_code, reason = "as above")]
impl Listener {
    /// `key` names the setting that the string comes from. At whatever is told, `bell` is rung.
    pub(crate) fn new(key: &'static str, connection_string: &str, bell: Arc<Notify>) -> Result<Self, Error> {
        let longest = PoolSettings::default().connect_timeout;
        let (connector, _) = connector(key, connection_string, longest)?;
        Ok(Self { connector: connector.ringing(Arc::clone(&bell)), bell, longest })
    }

    /// Listens on a channel, whose name needs no quotes in it.
    pub(crate) async fn open(&self, channel: &str) -> Result<Listening, Error> {
        let task = Task::Connect;
        let open = async {
            let (client, connection) = self.connector.open().await?;
            let direct = is_direct(&client).await?;
            if direct {
                client.batch_execute(&format!("LISTEN \"{channel}\"")).await?;
            }
            Ok((Listening { _client: client, connection }, direct))
        };
        match timeout(self.longest, open).await {
            Ok(Ok((listening, true))) => Ok(listening),
            Ok(Ok((_, false))) => {
                let advice = "a pooler answers, which hears no NOTIFY: name the server itself in `listen`";
                Err(task.unprepared(advice.to_owned()))
            }
            Ok(Err(error)) => Err(task.failed(error)),
            Err(_) => Err(task.timed_out()),
        }
    }

    /// What is rung.
    pub(crate) fn bell(&self) -> &Notify {
        &self.bell
    }
}

/// Hears for as long as it lives.
#[allow(dead_code, reason = "as above")]
pub(crate) struct Listening {
    _client: Client,
    connection: JoinHandle<()>,
}

#[allow(dead_code, reason = "as above")]
impl Listening {
    /// Returns once it hears no more.
    pub(crate) async fn end(&mut self) {
        let _ = (&mut self.connection).await;
    }
}
