//! What must hold through crashes, outages, poison, a broken environment and a pooler: each on a server of its own.
//! `TRACEVAULT_LONG=1` makes the long ones longer.

mod crash;
pub mod environment;
mod outage;
mod poison;
mod pooler;

use std::{
    collections::HashMap,
    env,
    io::{self, Write as _},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio_postgres::Client;
use tracevault::{Config, ErrorClass, Outcome, Stats, Tracevault, generate_init_sql};
use uuid::Uuid;

use crate::{
    kit,
    support::{Cluster, Options, Purpose, server_binaries},
};

/// Far more than anything here takes, for machines under load.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether there is time for the long tests.
pub fn long() -> bool {
    env::var_os("TRACEVAULT_LONG").is_some_and(|value| value == "1")
}

/// A line of figures, which the test runner would hide if it were printed.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A private server, and plain SQL on it.
pub struct Server {
    pub cluster: Cluster,
    pub sql: Client,
}

impl Server {
    /// With the table `audit`.
    pub async fn start(fsync: bool) -> Self {
        let options = Options { fsync, ..Options::new(server_binaries(Purpose::Tests).unwrap()) };
        let cluster = Cluster::start(options).unwrap();
        let sql = kit::connect(&cluster.connection_string()).await;
        let server = Self { cluster, sql };
        server.run(&generate_init_sql("audit").unwrap()).await;
        server
    }

    /// Writes to the table `audit`.
    pub fn config(&self) -> Config {
        Config::new(self.cluster.connection_string()).table_name("audit")
    }

    pub async fn run(&self, sql: &str) {
        self.sql.batch_execute(sql).await.unwrap();
    }

    /// The only value of the only row.
    pub async fn number(&self, sql: &str) -> i64 {
        self.sql.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// After a restart.
    pub async fn reconnect(&mut self) {
        self.sql = kit::connect(&self.cluster.connection_string()).await;
    }
}

/// What `on_error` was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub sqlstate: Option<String>,
    pub class: Option<ErrorClass>,
    pub outcome: Outcome,
}

/// Keeps what `on_error` is told, by record.
#[derive(Clone, Default)]
pub struct Ear(Arc<Mutex<HashMap<Uuid, Vec<Told>>>>);

impl Ear {
    pub fn hears(&self, config: Config) -> Config {
        let ear = self.clone();
        config.on_error(move |error, record| {
            assert_eq!(error.record_id(), Some(record.id()));
            let sqlstate = error.sqlstate().map(ToOwned::to_owned);
            let told = Told { sqlstate, class: error.class(), outcome: error.outcome() };
            ear.0.lock().unwrap().entry(record.id()).or_default().push(told);
        })
    }

    /// Of how many records it was told.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Forgets it. No record was told of twice.
    pub fn take(&self) -> HashMap<Uuid, Told> {
        let told = std::mem::take(&mut *self.0.lock().unwrap());
        let once = |(id, mut told): (Uuid, Vec<Told>)| {
            assert_eq!(told.len(), 1, "{id} is told of once: {told:?}");
            (id, told.remove(0))
        };
        told.into_iter().map(once).collect()
    }
}

/// Waits until the numbers are so.
pub async fn until(audit: &Tracevault, what: &str, is: impl Fn(&Stats) -> bool) -> Stats {
    let begun = Instant::now();
    loop {
        let stats = audit.stats();
        if is(&stats) {
            return stats;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: {stats:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Numbers that look random and are the same for the same seed (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn seeded() -> Self {
        let seed = env::var("TRACEVAULT_SEED").ok().and_then(|seed| seed.parse().ok());
        Self(seed.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().1))
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    /// Up to this long.
    pub fn pause(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.below(usize::try_from(most.as_micros()).unwrap()) as u64)
    }
}
