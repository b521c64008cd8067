//! Servers that are away, that crash, that are others, and that were promoted.

use tracevault::generate_init_sql;

use super::*;
use crate::support::{Cluster, Options, Purpose, server_binaries};

/// Longer than a server takes to come back, on a loaded machine.
const LONG: Duration = Duration::from_secs(60);

fn cluster(settings: &[(&str, &str)]) -> Cluster {
    let options = Options::new(server_binaries(Purpose::Tests).unwrap());
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Cluster::start(Options { settings, ..options }).unwrap()
}

/// A root on it, and two transactions with a probe each: one that is committed, one that the end of the server will
/// roll back.
async fn committed_and_open(cluster: &Cluster) -> (CommitProbe, CommitProbe) {
    kit::url();
    let url = cluster.connection_string();
    let audit = Tracevault::new(Config::new(&url).table_name("probed").emit_timeout(LONG)).unwrap();
    let (mut one, mut other) = (kit::connect(&url).await, kit::connect(&url).await);
    one.batch_execute(&generate_init_sql("probed").unwrap()).await.unwrap();
    let (first, second) = (one.transaction().await.unwrap(), other.transaction().await.unwrap());
    let (committed, open) = (emitted(&audit, &first).await, emitted(&audit, &second).await);
    first.commit().await.unwrap();
    (committed, open)
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_leaves_it_unknown() {
    let table = Table::new("probe").await;
    // Takes connections, and never answers.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("host=127.0.0.1 port={port} user=nobody dbname=nothing");
    let away = Config::new(url)
        .table_name(&table.name)
        .connect_timeout(Duration::from_millis(100))
        .emit_timeout(Duration::from_secs(3));
    let audit = Tracevault::new(away).unwrap();
    let mut client = kit::client().await;
    let transaction = client.transaction().await.unwrap();
    let probe = emitted(&audit, &transaction).await;
    let commit = transaction.commit().await;
    let started = Instant::now();
    let error = assert_unknown(probe.resolve(commit).await, "connecting to PostgreSQL failed");
    assert!(error.is_retryable());
    assert!((3..3 + 15).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    table.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_between_changes_no_answer() {
    let mut cluster = cluster(&[]);
    let (committed, open) = committed_and_open(&cluster).await;
    cluster.kill_9().unwrap();
    // Asked while it is away, and answered once it is back.
    let (lost, ()) = tokio::join!(committed.resolve(Ok(())), async {
        tokio::task::yield_now().await;
        cluster.start_again().unwrap();
    });
    lost.unwrap();
    assert_rejected(open.resolve(Ok(())).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_server_is_not_believed() {
    let table = Table::new("probe").await;
    let audit = Tracevault::new(table.config().emit_timeout(LONG)).unwrap();
    let elsewhere = cluster(&[]);
    let mut client = kit::connect(&elsewhere.connection_string()).await;
    let transaction = client.transaction().await.unwrap();
    let probe = audit.commit_probe(&transaction).await.unwrap();
    let started = Instant::now();
    assert_unknown(probe.resolve(transaction.commit().await).await, "to another server than the transaction's");
    assert!(started.elapsed() < LONG / 3, "it will not become the same one");
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_server_is_not_believed() {
    // A standby without a primary: at the end of its WAL it promotes itself.
    let mut cluster = cluster(&[("restore_command", "false")]);
    let (committed, open) = committed_and_open(&cluster).await;
    cluster.stop().unwrap();
    std::fs::write(cluster.data().join("recovery.signal"), "").unwrap();
    cluster.start_again().unwrap();
    assert_unknown(committed.resolve(Ok(())).await, "promoted meanwhile");
    assert_unknown(open.resolve(Ok(())).await, "promoted meanwhile");
}
