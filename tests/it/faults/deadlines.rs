//! Calls end in time whatever the server does, and work again soon after it does.

use futures_util::future::join_all;
use tokio::time::Instant;
use tracevault::{
    Config, Mode, Tracevault,
    deadpool_postgres::{Manager, Pool},
    query::CountFilters,
    tokio_postgres::NoTls,
};

use super::{
    load::{Load, Reported, Seen, Told, emit, reporting},
    proxy::Proxy,
    *,
};

const EMIT: Duration = ms(1_000);
const STATEMENT: Duration = ms(700);
const ACQUIRE: Duration = ms(500);
const CONNECT: Duration = ms(500);
/// A flush and a close one after the other are longer than an emit may take, which is not to be told by them.
const CLOSE: Duration = ms(3_000);

/// How much later than its deadline a call may end: 100 ms, and what a loaded machine takes to run a thread that is due,
/// with a hundred other tests on it and compilers beside them; less in the long run, which has the machine for itself.
fn late() -> Duration {
    if long() { ms(100 + 400) } else { ms(100 + 4_000) }
}

/// How long a fault lasts: longer than any call may take, so that none ends in time because the fault is over.
const FAULT: Duration = ms(1_000 + 100 + 4_000 + 400);
/// Two seconds between two attempts, some of which may be in vain; and again what a loaded machine takes.
fn serves_again() -> Duration {
    if long() { ms(5_000) } else { ms(5_000 + 10_000) }
}
/// So many that each of them, waited for in turn, would be too late.
const FORGOTTEN: usize = 32;

fn limits(config: Config) -> (Config, Reported) {
    let config = config.emit_timeout(EMIT).statement_timeout(STATEMENT).close_timeout(CLOSE);
    reporting(config.acquire_timeout(ACQUIRE).connect_timeout(CONNECT))
}

struct Site {
    table: Table,
    audit: Tracevault,
    reported: Reported,
}

impl Site {
    async fn new(cluster: &Cluster, url: String) -> Self {
        let table = table(cluster).await;
        let url = format!("{url} application_name={}", table.name);
        Self::configured(table, Config::new(url))
    }

    async fn behind(proxy: &Proxy) -> Self {
        Self::new(shared_cluster(), proxy.url()).await
    }

    fn configured(table: Table, config: Config) -> Self {
        let (config, reported) = limits(config.table_name(&table.name));
        Self { table, audit: Tracevault::new(config).unwrap(), reported }
    }

    async fn with_pool(pool: &Pool) -> Self {
        let table = table(shared_cluster()).await;
        let (config, reported) = limits(Config::default().table_name(&table.name));
        Self { table, audit: Tracevault::with_pools(pool.clone(), None, config).unwrap(), reported }
    }

    /// Opens all connections of the pool.
    async fn fill_the_pool(&self, proxy: &Proxy, size: usize) {
        let query = self.audit.query();
        let fill = async {
            // A loaded machine may not open all of them within `connect_timeout`.
            let mut filled = false;
            while !filled || proxy.connections() < size as u64 {
                let counts = join_all((0..size).map(|_| query.count(CountFilters::new()))).await;
                filled = counts.iter().all(Result::is_ok);
            }
        };
        ends("the filling of the pool", fill).await;
    }

    /// The fault is over: somebody is served soon. What came of the others.
    async fn serves_again(&self) -> Vec<Told> {
        let (over, mut told) = (Instant::now(), Vec::new());
        while told.last().is_none_or(|told: &Told| told.answer.is_err()) {
            told.push(emit(&self.audit).await);
            assert!(over.elapsed() < serves_again(), "no service after {:?}", over.elapsed());
        }
        told
    }

    /// Waits until nothing is left; a flush alone waits for `close_timeout` at most.
    async fn drained(&self) {
        ends("a flush", async { while self.audit.flush().await.unwrap().left > 0 {} }).await;
    }

    /// The fault is over: somebody is served soon, and then all is as everybody was told.
    async fn recovers(&self, load: Load) -> Seen {
        self.serves_again().await;
        let seen = load.end().await;
        in_time(&seen.told);
        self.drained().await;
        self.audit.healthcheck().await;
        seen.agrees(&self.table, &self.audit, &self.reported).await;
        assert!(self.reported.lock().unwrap().is_empty(), "every async record was stored");
        assert!(seen.failed() > 0, "the fault was one");
        seen
    }

    /// Whatever may be called while nothing answers ends in time.
    async fn calls_end(&self) {
        ends("the wait for a queue", async {
            while self.audit.stats().queued < 10 {
                tokio::time::sleep(ms(1)).await;
            }
        })
        .await;
        let query = self.audit.query();
        let reading = || async { query.count(CountFilters::new()).await.map(drop) };
        let reads = timed(join_all((0..12).map(|_| reading())));
        let calls = async { tokio::join!(timed(self.audit.flush()), timed(self.audit.healthcheck()), reads) };
        let (flush, health, reads) = ends("a call", calls).await;
        assert!(flush.0.unwrap().left > 0 && flush.1 < CLOSE + late(), "flush took {:?}", flush.1);
        assert!(!health.0, "nobody answers");
        assert!(health.1 < ACQUIRE + CONNECT + STATEMENT + late(), "healthcheck took {:?}", health.1);
        assert!(reads.0.iter().all(Result::is_err), "nobody answers");
        assert!(reads.1 < ACQUIRE + CONNECT + STATEMENT + late(), "reading took {:?}", reads.1);
        let close = ends("a close", timed(self.audit.close())).await;
        assert!(close.0.unwrap().left > 0 && close.1 < CLOSE + late(), "close took {:?}", close.1);
    }
}

fn in_time(told: &[Told]) {
    for told in told {
        assert!(told.took < EMIT + late(), "{told:?}");
    }
}

async fn timed<T>(call: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    (call.await, began.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server() {
    let mut cluster = cluster();
    let url = cluster.tcp_connection_string().unwrap();
    let site = Site::new(&cluster, url).await;
    let load = Load::start(&site.audit).await;
    cluster.pause().unwrap();
    tokio::time::sleep(FAULT).await;
    cluster.resume().unwrap();
    site.recovers(load).await;
}

async fn away(end: fn(&mut Cluster) -> Result<(), String>) {
    let mut cluster = cluster();
    let url = cluster.tcp_connection_string().unwrap();
    let site = Site::new(&cluster, url).await;
    let load = Load::start(&site.audit).await;
    end(&mut cluster).unwrap();
    tokio::time::sleep(FAULT).await;
    cluster.start_again().unwrap();
    let table = Table { sql: kit::connect(&cluster.connection_string()).await, name: site.table.name.clone() };
    Site { table, ..site }.recovers(load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_comes_back() {
    away(Cluster::kill_9).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_stopped_and_comes_back() {
    away(Cluster::stop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_lost_in_mid_call_and_sent_again() {
    let proxy = Proxy::start(shared_cluster().port()).await;
    let table = table(shared_cluster()).await;
    let site = Site::configured(table, Config::new(proxy.url()).writers(2));
    let load = Load::start(&site.audit).await;
    proxy.stall();
    tokio::time::sleep(FAULT).await;
    proxy.resume();
    site.recovers(load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_a_router_forgot_in_mid_call() {
    let proxy = Proxy::start(shared_cluster().port()).await;
    let site = Site::behind(&proxy).await;
    site.fill_the_pool(&proxy, 8).await;
    let load = Load::start(&site.audit).await;
    proxy.stall();
    tokio::time::sleep(FAULT).await;
    proxy.resume_for_new_ones();
    site.recovers(load).await;
}

/// The pool is full of connections that look well, and on which nothing will ever be answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_that_a_router_forgot() {
    let proxy = Proxy::start(shared_cluster().port()).await;
    let config = Config::new(proxy.url()).pool_size(FORGOTTEN);
    let site = Site::configured(table(shared_cluster()).await, config);
    site.fill_the_pool(&proxy, FORGOTTEN).await;
    site.serves_again().await;
    proxy.stall();
    proxy.resume_for_new_ones();
    let told = site.serves_again().await;
    in_time(&told);
    site.drained().await;
    Seen { told, ..Seen::default() }.agrees(&site.table, &site.audit, &site.reported).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_of_which_others_hold_everything() {
    let manager = Manager::new(shared_cluster().connection_string().parse().unwrap(), NoTls);
    let pool = Pool::builder(manager).max_size(1).build().unwrap();
    let site = Site::with_pool(&pool).await;
    let load = Load::start(&site.audit).await;
    let held = pool.get().await.unwrap();
    tokio::time::sleep(FAULT).await;
    drop(held);
    site.recovers(load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_somebody_locked() {
    let site = Site::new(shared_cluster(), shared_cluster().connection_string()).await;
    let load = Load::start(&site.audit).await;
    let lock = format!("BEGIN; LOCK TABLE \"{}\" IN ACCESS EXCLUSIVE MODE", site.table.name);
    site.table.sql.batch_execute(&lock).await.unwrap();
    tokio::time::sleep(FAULT).await;
    site.table.sql.batch_execute("COMMIT").await.unwrap();
    site.recovers(load).await;
}

/// An emit that waits for room is no longer than others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_full_because_packets_are_lost() {
    let proxy = Proxy::start(shared_cluster().port()).await;
    let table = table(shared_cluster()).await;
    let site = Site::configured(table, Config::new(proxy.url()).queue_capacity(5));
    site.serves_again().await;
    proxy.stall();
    // Async, so that they keep their places for as long as the packets are lost.
    let queued = names(5);
    for name in &queued {
        site.audit.try_emit(named(name).mode(Mode::Async)).unwrap();
    }
    let told = join_all((0..50).map(|_| emit(&site.audit))).await;
    in_time(&told);
    assert!(told.iter().all(|told| matches!(told.answer, Err(Error::QueueFull(_)))), "{told:?}");
    assert!(told.iter().all(|told| told.took >= EMIT), "they wait for room: {told:?}");
    let seen = Seen { told, queued };
    proxy.resume();
    site.serves_again().await;
    site.drained().await;
    seen.agrees(&site.table, &site.audit, &site.reported).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_ends_in_time_while_packets_are_lost() {
    let proxy = Proxy::start(shared_cluster().port()).await;
    let site = Site::behind(&proxy).await;
    site.fill_the_pool(&proxy, 8).await;
    let load = Load::start(&site.audit).await;
    proxy.stall();
    site.calls_end().await;
    let seen = load.end().await;
    in_time(&seen.told);
    proxy.resume();
    // What is still under way at the server comes to its end.
    until_gone(&site.table, &site.table.name).await;
    seen.agrees(&site.table, &site.audit, &site.reported).await;
    assert!(!site.reported.lock().unwrap().is_empty(), "what was queued at the close is reported");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_ends_in_time_while_the_server_is_frozen() {
    let mut cluster = cluster();
    let site = Site::new(&cluster, cluster.tcp_connection_string().unwrap()).await;
    let load = Load::start(&site.audit).await;
    cluster.pause().unwrap();
    site.calls_end().await;
    let seen = load.end().await;
    in_time(&seen.told);
    cluster.resume().unwrap();
    until_gone(&site.table, &site.table.name).await;
    seen.agrees(&site.table, &site.audit, &site.reported).await;
    assert!(!site.reported.lock().unwrap().is_empty(), "what was queued at the close is reported");
}
