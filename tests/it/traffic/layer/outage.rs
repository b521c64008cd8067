//! PostgreSQL goes away, and returns.

use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, Pool};
use tokio_postgres::NoTls;
use tracevault::{
    deadpool_postgres, tokio_postgres,
    traffic::{Traffic, TrafficStats},
};

use super::*;
use crate::{
    kit,
    support::{Cluster, Options, Purpose, server_binaries},
};

/// Asks until it is so. Each request is answered at once.
async fn until(app: &Router, traffic: &Traffic, is: impl Fn(&TrafficStats) -> bool) -> TrafficStats {
    let begun = Instant::now();
    loop {
        let asked = Instant::now();
        assert_eq!(ask(app, request("/products")).await.status(), 200);
        assert!(asked.elapsed() < Duration::from_secs(2), "a request waited for {:?}", asked.elapsed());
        let stats = traffic.stats();
        if is(&stats) {
            return stats;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{stats:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn without_postgresql_the_app_serves_on_and_losses_are_counted_until_it_returns() {
    kit::url();
    let mut cluster = Cluster::start(Options::new(server_binaries(Purpose::Tests).unwrap())).unwrap();
    let manager = Manager::new(cluster.connection_string().parse().unwrap(), NoTls);
    let pool = Pool::builder(manager).max_size(2).build().unwrap();
    let builder = Traffic::builder(pool).queue_capacity(100).linger(Duration::ZERO).roll_up(false);
    let traffic = builder.build().unwrap();
    traffic.ensure_schema().await.unwrap();
    let app = api().layer(traffic.layer());
    until(&app, &traffic, |stats| stats.stored > 0).await;

    cluster.stop().unwrap();
    let away = until(&app, &traffic, |stats| stats.failed > 0 && stats.dropped > 0).await;
    cluster.start_again().unwrap();
    until(&app, &traffic, |stats| stats.stored > away.stored).await;
    let stats = traffic.close(Duration::from_secs(20)).await;
    assert_eq!(stats.accepted, stats.stored + stats.failed + stats.unknown);
    let sql = kit::connect(&cluster.connection_string()).await;
    let rows: i64 = sql.query_one("SELECT count(*) FROM traffic_logs", &[]).await.unwrap().get(0);
    assert_eq!(u64::try_from(rows).unwrap(), stats.stored, "{stats:?}");
}
