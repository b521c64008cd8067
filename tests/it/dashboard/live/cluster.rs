//! Two processes on one database: what one stores shows on the streams of the other.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, NoTls};
use tracevault::{
    dashboard::{DashboardBuilder, LiveMode},
    tokio_postgres,
    traffic::Traffic,
};

use super::{App, seen};
use crate::{
    kit,
    support::{Cluster, Options, PgBouncer, Purpose, needs, pgbouncer, server_binaries},
    traffic::{Site, pool_at},
};

fn sse_pg(builder: DashboardBuilder) -> DashboardBuilder {
    builder.live_mode(LiveMode::SsePg).listen(kit::url())
}

/// The same table by another pool.
fn other(site: &Site) -> Traffic {
    let pool = pool_at(&kit::url(), &format!("{}_2", site.name));
    Traffic::builder(pool).table_name(&site.name).roll_up(false).build().unwrap()
}

fn second(start: Instant, what: &str) {
    assert!(start.elapsed() < Duration::from_secs(1), "{what} took {:?}", start.elapsed());
}

/// The connections that listen for this table.
async fn listening(site: &Site) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE query = format('LISTEN \"%s_rows\"', $1::text)";
    site.sql.query(sql, &[&site.name]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn what_one_process_stores_shows_on_the_stream_of_the_other_within_a_second() {
    let site = Site::new("pair").await;
    let here = App::start(&site.traffic, sse_pg).await;
    let there = App::start(&other(&site), sse_pg).await;
    let mut events = there.stream("/stream", None).await;
    // From before writers know of the viewer until long after.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(8) {
        let start = Instant::now();
        let id = here.request("/1").await;
        assert_eq!(events.id().await, id);
        second(start, "a request of another process");
        let start = Instant::now();
        let id = there.request("/2").await;
        assert_eq!(events.id().await, id);
        second(start, "one of this process");
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert_eq!(listening(&site).await.len(), 1, "one connection, and only where somebody looks on");
    // Without viewers there is no connection.
    drop(events);
    while !listening(&site).await.is_empty() {
        here.request("/3").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // And with a new one all begins anew.
    let mut events = there.stream("/stream", None).await;
    let start = Instant::now();
    let id = here.request("/4").await;
    assert_eq!(events.id().await, id);
    second(start, "a request after a pause");
    site.drop().await;
}

#[tokio::test]
async fn a_connection_that_listens_may_be_cut_and_no_row_is_lost() {
    let site = Site::new("pair_cut").await;
    let here = App::start(&site.traffic, sse_pg).await;
    let there = App::start(&other(&site), sse_pg).await;
    let mut events = there.stream("/stream", None).await;
    for round in 0..4 {
        let pid = loop {
            if let [pid] = listening(&site).await[..] {
                break pid;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let before = here.request("/before").await;
        site.sql.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
        let after = here.request("/after").await;
        assert_eq!([events.id().await, events.id().await], [before, after], "{round}");
    }
    // What a stream was sent as past is not sent again as new. No writer tells of these.
    let mut begun = Vec::new();
    for _ in 0..5 {
        let insert = "INSERT INTO \"@\" (started_at, ended_at, duration_us, is_slow, method, route, original_url, status_code) \
                      VALUES (now(), now(), 1, false, 'GET', '/sql', '/sql', 200)";
        site.run(insert).await;
        let id = site.one::<i64>("SELECT max(id) FROM \"@\"").await;
        let mut past = there.stream("/stream", Some(id - 1)).await;
        while past.id().await != id {}
        begun.push((id, past));
        assert_eq!(events.id().await, id);
    }
    let next = here.request("/next").await;
    assert_eq!(events.id().await, next);
    for (id, mut past) in begun {
        let mut told = 0;
        while told != next {
            told = past.id().await;
            assert!(told > id, "{told} again");
        }
    }
    // An id that is committed late is told late, and once.
    let late = kit::client().await;
    let insert = format!(
        "INSERT INTO \"{}\" (started_at, ended_at, duration_us, is_slow, method, route, original_url, status_code) \
         VALUES (now(), now(), 1, false, 'GET', '/late', '/late', 200) RETURNING id",
        site.name
    );
    late.batch_execute("BEGIN").await.unwrap();
    let id: i64 = late.query_one(&insert, &[]).await.unwrap().get(0);
    let next = here.request("/next").await;
    assert_eq!(events.id().await, next);
    late.batch_execute("COMMIT").await.unwrap();
    let last = here.request("/last").await;
    let mut told = [events.id().await, events.id().await];
    told.sort_unstable();
    assert_eq!(told, [id, last]);
    site.drop().await;
}

#[tokio::test]
async fn a_stream_outlives_the_server_that_it_reads() {
    kit::url();
    let mut server =
        Cluster::start(Options { tcp: true, ..Options::new(server_binaries(Purpose::Tests).unwrap()) }).unwrap();
    let traffic = Traffic::builder(pool_at(&server.connection_string(), "outlives")).build().unwrap();
    traffic.ensure_schema().await.unwrap();
    let by = |builder: DashboardBuilder| builder.live_mode(LiveMode::SsePg).listen(server.connection_string());
    let app = App::start(&traffic, by).await;
    let mut events = app.stream("/stream", None).await;
    let before = app.request("/1").await;
    assert_eq!(events.id().await, before);
    server.stop().unwrap();
    assert_eq!(app.get("/stream", Some(before)).await.status(), 503);
    server.start_again().unwrap();
    let after = app.request("/2").await;
    assert_eq!(events.id().await, after);
    let mut again = app.stream("/stream", Some(after - 1)).await;
    while again.id().await != after {}
}

/// What is notified of a table.
async fn notifications(site: &Site) -> (tokio_postgres::Client, mpsc::UnboundedReceiver<String>) {
    let (client, mut connection) = tokio_postgres::connect(&kit::url(), NoTls).await.unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(told) = message {
                let _ = sender.send(told.payload().to_owned());
            }
        }
    });
    client.batch_execute(&format!("LISTEN \"{}_rows\"", site.name)).await.unwrap();
    (client, receiver)
}

#[tokio::test]
async fn nothing_is_notified_without_viewers_and_seldom_with_them() {
    let site = Site::new("pair_told").await;
    let (client, mut told) = notifications(&site).await;
    let lease = format!("SELECT pg_notify('{}_rows', 'end')", site.name);
    let asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = '@' AND query LIKE 'SELECT pg_notify%'";
    site.traffic.record(seen("/x"));
    site.traffic.flush().await;
    while site.one::<i64>(asked).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.batch_execute(&lease).await.unwrap();
    assert_eq!(told.recv().await.unwrap(), "end", "there is no viewer");

    site.run("UPDATE \"@_viewers\" SET until = now() + interval '1 hour'").await;
    let start = Instant::now();
    let mut rows = 1;
    while start.elapsed() < Duration::from_secs(5) {
        site.traffic.record(seen("/x"));
        site.traffic.record(seen("/y"));
        site.traffic.flush().await;
        rows += 2;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let newest = site.one::<i64>("SELECT max(id) FROM \"@\"").await;
    let (mut count, mut sum, mut last) = (0, 1, 0);
    while last < newest {
        let payload: serde_json::Value = serde_json::from_str(&told.recv().await.unwrap()).unwrap();
        assert_eq!(payload.as_object().unwrap().len(), 2);
        (count, sum) = (count + 1, sum + payload["n"].as_i64().unwrap());
        last = payload["maxId"].as_i64().unwrap();
    }
    let most = 1 + start.elapsed().as_millis() / 250;
    assert!(count <= most && count >= 4, "{count} notifications, of at most {most}");
    assert_eq!(sum, rows);
    site.drop().await;
}

#[tokio::test]
async fn an_older_table_gets_what_it_lacks_and_lives_without() {
    let site = Site::new("pair_old").await;
    site.run("DROP TABLE \"@_viewers\"").await;
    let app = App::start(&site.traffic, sse_pg).await;
    let mut events = app.stream("/stream", None).await;
    let id = app.request("/1").await;
    assert_eq!(events.id().await, id, "the table is looked at all the same");
    site.traffic.ensure_schema().await.unwrap();
    site.traffic.ensure_schema().await.unwrap();
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@_viewers\"").await, 1);
    site.drop().await;
}

#[tokio::test]
async fn behind_a_pooler_the_table_is_looked_at() {
    let program = pgbouncer::program();
    if !needs("pgbouncer", program.is_some(), pgbouncer::INSTALL) {
        return;
    }
    kit::url();
    let server =
        Cluster::start(Options { tcp: true, ..Options::new(server_binaries(Purpose::Tests).unwrap()) }).unwrap();
    let pooler = PgBouncer::start(&program.unwrap(), &server).unwrap();
    let pool = || pool_at(&server.connection_string(), "pooled");
    let traffic = Traffic::builder(pool()).build().unwrap();
    traffic.ensure_schema().await.unwrap();
    let by = |builder: DashboardBuilder| builder.live_mode(LiveMode::SsePg).listen(pooler.connection_string());
    let app = App::start(&traffic, by).await;
    let mut events = app.stream("/stream", None).await;
    // Beyond the time in which it would look often anyhow.
    tokio::time::sleep(Duration::from_secs(6)).await;
    for _ in 0..3 {
        let start = Instant::now();
        let id = app.request("/1").await;
        assert_eq!(events.id().await, id);
        assert!(start.elapsed() < Duration::from_millis(1_500), "{:?}", start.elapsed());
    }
}
