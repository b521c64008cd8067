//! The sandbox's database for sqlx, which reads connection strings in the form of a URL only.

use std::time::Duration;

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tracevault::tokio_postgres::{Config, config::Host};

use crate::common::{Sandbox, Shown};

pub(crate) async fn pool(sandbox: &Sandbox) -> Shown<PgPool> {
    let config: Config = sandbox.url().parse()?;
    let user = config.get_user().ok_or("the connection string names no user")?;
    let mut options = PgConnectOptions::new_without_pgpass()
        .username(user)
        .database(config.get_dbname().unwrap_or(user))
        .port(config.get_ports().first().copied().unwrap_or(5432));
    if let Some(password) = config.get_password() {
        options = options.password(std::str::from_utf8(password)?);
    }
    options = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => options.host(name),
        Some(Host::Unix(folder)) => options.socket(folder),
        None => options.host("localhost"),
    };
    let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5));
    Ok(pool.connect_with(options).await?)
}
