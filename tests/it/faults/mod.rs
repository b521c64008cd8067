//! Faults, made on purpose: connections cut at each byte, servers that stall, pools and tables that are taken. What
//! callers are told is compared with the table by plain SQL.

mod cuts;
mod deadlines;
mod dropped;
mod load;
mod proxy;

use std::{
    collections::HashMap,
    env,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tracevault::{Error, Event, Outcome, Receipt, generate_init_sql};

use crate::{
    kit::{self, Table},
    support::{Cluster, Options, Purpose, server_binaries},
};

/// Whether there is time for everything.
fn long() -> bool {
    env::var("TRACEVAULT_LONG").is_ok_and(|long| long == "1")
}

/// A server of one's own, with a port.
fn cluster() -> Cluster {
    let bin = server_binaries(Purpose::Tests).unwrap();
    // For all of this at once, however many threads the tests run on.
    let settings = vec![("max_connections".to_owned(), "800".to_owned())];
    Cluster::start(Options { tcp: true, settings, ..Options::new(bin) }).unwrap()
}

/// A server for faults that lie on the way to it only.
fn shared_cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(cluster)
}

/// An audit table on that server, and a connection to it that no fault is made on.
async fn table(cluster: &Cluster) -> Table {
    // It watches the log.
    kit::url();
    let sql = kit::connect(&cluster.connection_string()).await;
    let name = kit::unique("faults");
    sql.batch_execute(&generate_init_sql(&name).unwrap()).await.unwrap();
    Table { name, sql }
}

/// Names for records, each of 8 bytes, so that all exchanges have the same length.
fn names(count: usize) -> Vec<String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    (0..count).map(|_| format!("{:08}", NEXT.fetch_add(1, Ordering::Relaxed))).collect()
}

/// Waits until the server has ended what came by connections of that name.
async fn until_gone(table: &Table, application: &str) {
    let there = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    let gone = async {
        while table.sql.query_one(there, &[&application]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(ms(5)).await;
        }
    };
    ends(application, gone).await;
}

/// A record that is told by its name.
fn named(name: &str) -> Event<'_> {
    Event::new("named").correlation_id(name)
}

/// How many rows each of these has in the table; 0: none.
async fn rows(table: &Table, names: &[String]) -> HashMap<String, i64> {
    let mut rows: HashMap<_, _> = names.iter().map(|name| (name.clone(), 0)).collect();
    let rest = "WHERE correlation_id = ANY($1) GROUP BY correlation_id";
    for row in table.select("correlation_id, count(*)", rest, &[&names]).await {
        rows.insert(row.get(0), row.get(1));
    }
    rows
}

/// What a caller was told must be what the table says.
fn agree(name: &str, answer: &Result<Receipt, Error>, rows: i64) {
    match answer {
        Ok(_) => assert_eq!(rows, 1, "{name} is committed: {answer:?}"),
        Err(error) if error.outcome() == Outcome::Rejected => assert_eq!(rows, 0, "{name} is not stored: {error}"),
        Err(error) => assert!(rows <= 1, "{name} is there {rows} times: {error}"),
    }
}

/// What does not end by itself fails a test, and does not stop the others.
async fn ends<T>(what: &str, call: impl Future<Output = T>) -> T {
    tokio::time::timeout(ms(30_000), call).await.unwrap_or_else(|_| panic!("{what} does not end"))
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
