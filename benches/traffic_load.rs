//! How long each question takes, by p95, beside the same question put to the rows alone.
//!
//!     cargo bench --bench traffic_load --features traffic -- --rows 1000000
//!
//! `--rows N` (1,000,000) over 30 days up to now: 603 routes, 20,000 users, 5 % errors; `--runs N` (40) questions each.
//! `--keep` leaves the tables, and takes those that are there. It exits with 1 where a question misses its target.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench: it prints a table"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use tracevault::{
    deadpool_postgres::{Manager, Pool},
    time::OffsetDateTime,
    tokio_postgres::{self, Client, NoTls},
    traffic::{ErrorsQuery, LiveQuery, OverviewQuery, Range, RoutesQuery, Traffic, UsersQuery},
};

const TABLE: &str = "traffic_load";

struct Options {
    rows: u64,
    runs: usize,
    keep: bool,
}

fn options() -> Options {
    let mut options = Options { rows: 1_000_000, runs: 40, keep: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).expect("a number");
        match argument.as_str() {
            "--rows" => options.rows = number(),
            "--runs" => options.runs = usize::try_from(number()).unwrap(),
            "--keep" => options.keep = true,
            // What cargo adds.
            "--bench" => {}
            other => panic!("{other} is not known: --rows N, --runs N, --keep"),
        }
    }
    options
}

#[tokio::main]
async fn main() {
    let options = options();
    let database = support::database(support::Purpose::Examples).unwrap();
    let (sql, connection) = tokio_postgres::connect(database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let pool = Pool::builder(Manager::new(database.url().parse().unwrap(), NoTls)).build().unwrap();
    let builder = Traffic::builder(pool).table_name(TABLE).roll_up(false).query_timeout(Duration::from_secs(30));
    let traffic = builder.build().unwrap();
    let there = sql.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&TABLE]).await.unwrap().get::<_, bool>(0);
    traffic.ensure_schema().await.unwrap();
    if !(options.keep && there) {
        load(&sql, &traffic, options.rows).await;
    }
    sizes(&sql).await;
    let missed = ask(&sql, &traffic, options.runs).await;
    if !options.keep {
        drop_all(&sql).await;
    }
    assert_eq!(missed, 0, "{missed} questions took longer than they may");
}

async fn drop_all(sql: &Client) {
    let tables = "SELECT string_agg(format('%I', relname), ', ') FROM pg_class WHERE relkind IN ('r', 'p') \
                  AND relname LIKE 'traffic\\_load%' AND NOT relispartition";
    if let Some(tables) = sql.query_one(tables, &[]).await.unwrap().get::<_, Option<String>>(0) {
        let functions = "DROP FUNCTION IF EXISTS traffic_load_mark, traffic_load_make_day";
        sql.batch_execute(&format!("DROP TABLE {tables}; {functions}")).await.unwrap();
    }
}

async fn load(sql: &Client, traffic: &Traffic, rows: u64) {
    drop_all(sql).await;
    traffic.ensure_schema().await.unwrap();
    let now = OffsetDateTime::now_utc();
    let days = tracevault::time::Duration::days(30);
    traffic.make_days((now - days).date(), now.date()).await.unwrap();
    let start = Instant::now();
    for day in 0..30 {
        let fill = format!(
            "INSERT INTO {TABLE} (started_at, ended_at, duration_us, is_slow, method, route, original_url, status_code, \
             user_id, user_name, session_id, user_agent, request_id) \
             SELECT at, at + us * interval '1 us', us, us >= 1000000, (ARRAY['GET', 'POST', 'PUT'])[1 + kind % 3], \
             '/api/v1/resource/' || kind / 3, '/api/v1/resource/' || kind / 3 || '?page=' || who, \
             CASE WHEN luck < 0.03 THEN 404 WHEN luck < 0.04 THEN 500 WHEN luck < 0.05 THEN 499 ELSE 200 END, \
             CASE WHEN who > 0 THEN 'user_' || who END, CASE WHEN who > 0 THEN 'Name ' || who END, 's' || who % 50000, \
             'Mozilla/5.0 (X11; Linux x86_64) Chrome/' || who % 20, md5(us::text || who) \
             FROM (SELECT now() - interval '24 hours' * ({day} + random()) AS at, \
             (2000 * exp(2.5 * random() * random() + 4 * random() * random()))::bigint AS us, \
             floor(603 * random() * random())::int AS kind, random() AS luck, \
             floor(20000 * random() * random() - 1000)::int AS who FROM generate_series(1, {})) AS one ORDER BY at",
            rows / 30
        );
        sql.batch_execute(&fill).await.unwrap();
    }
    sql.batch_execute(&format!("VACUUM ANALYZE {TABLE}")).await.unwrap();
    println!("{rows} rows stored and marked in {:.1} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let pass = traffic.roll_up().await.unwrap().unwrap();
    println!(
        "{} minutes, {} hours and {} days rolled up in {:.1} s",
        pass.minutes,
        pass.hours,
        pass.days,
        start.elapsed().as_secs_f64()
    );
    let rest = "SELECT string_agg(format('VACUUM ANALYZE %I', relname), ';') FROM pg_class WHERE relkind = 'r' \
                AND relname LIKE 'traffic\\_load\\_%' AND NOT relispartition";
    let rest: String = sql.query_one(rest, &[]).await.unwrap().get(0);
    for one in rest.split(';') {
        sql.batch_execute(one).await.unwrap();
    }
}

async fn sizes(sql: &Client) {
    let all = "SELECT coalesce(nullif(regexp_replace(relname, '^traffic_load_?(p[0-9]+)?', ''), ''), 'rows'), \
               sum(reltuples)::bigint, sum(pg_table_size(oid))::bigint >> 20, sum(pg_indexes_size(oid))::bigint >> 20 \
               FROM pg_class WHERE relkind = 'r' AND relname LIKE 'traffic\\_load%' GROUP BY 1 ORDER BY 3 DESC";
    println!("\n{:<12} {:>12} {:>9} {:>11}", "table", "rows", "MiB", "indexes MiB");
    for row in sql.query(all, &[]).await.unwrap() {
        let (name, rows, size, indexes): (String, i64, i64, i64) = (row.get(0), row.get(1), row.get(2), row.get(3));
        println!("{name:<12} {rows:>12} {size:>9} {indexes:>11}");
    }
}

/// The 95th of a hundred, in milliseconds; the first run only warms up.
async fn p95<F: Future>(runs: usize, mut question: impl FnMut() -> F) -> f64 {
    question().await;
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        question().await;
        times.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    times[(times.len() * 95).div_ceil(100).max(1) - 1]
}

async fn ask(sql: &Client, traffic: &Traffic, runs: usize) -> u32 {
    println!("\n{:<28} {:>9} {:>9} {:>12}", "question", "p95 ms", "target", "rows p95 ms");
    let mut missed = 0;
    let user: String = sql
        .query_one(&format!("SELECT user_id FROM {TABLE} WHERE user_id IS NOT NULL ORDER BY started_at LIMIT 1"), &[])
        .await
        .unwrap()
        .get(0);
    let user = user.as_str();
    let totals = "count(*), avg(duration_us), count(*) FILTER (WHERE is_slow), count(DISTINCT user_id), \
                  percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration_us)";
    let routes = "method, route, count(*), avg(duration_us), percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_us)";
    for (name, days) in [("24 h", 1), ("7 d", 7), ("30 d", 30)] {
        let range = || Range::last(Duration::from_secs(86_400 * days)).unwrap();
        let when = format!("FROM {TABLE} WHERE started_at >= now() - {days} * interval '24 hours'");
        // Raw rows of long ranges are asked a few times only: each takes seconds.
        let few = if days == 1 { runs.min(5) } else { 1 };
        let raw = |select: String| async move { p95(few, || sql.query(select.as_str(), &[])).await };
        let mut line = |what: &str, took: f64, target: f64, raw: f64| {
            let miss = if took > target { " MISSED" } else { "" };
            missed += u32::from(took > target);
            println!("{:<28} {took:>9.1} {target:>9} {raw:>12.1}{miss}", format!("{what} {name}"));
        };
        let took =
            p95(runs, || async { traffic.overview(&OverviewQuery::new(range()).compare(false)).await.unwrap() }).await;
        let slow = raw(format!("SELECT {totals} {when}")).await;
        line("overview", took, if days == 30 { 250.0 } else { 150.0 }, slow);
        let took = p95(runs, || async { traffic.overview(&OverviewQuery::new(range())).await.unwrap() }).await;
        line("overview, compared", took, if days == 30 { 500.0 } else { 250.0 }, slow);
        let took = p95(runs, || async { traffic.routes(&RoutesQuery::new(range())).await.unwrap() }).await;
        line(
            "routes",
            took,
            200.0,
            raw(format!("SELECT {routes} {when} GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 50")).await,
        );
        let took = p95(runs, || async { traffic.users(&UsersQuery::new(range())).await.unwrap() }).await;
        let select = format!("SELECT user_id, count(*), max(started_at) {when} GROUP BY 1 ORDER BY 2 DESC LIMIT 50");
        line("users", took, 250.0, raw(select).await);
        let took = p95(runs, || async { traffic.user(user, range()).await.unwrap() }).await;
        let select = format!("SELECT method, route, count(*) {when} AND user_id = '{user}' GROUP BY 1, 2");
        line("user", took, 100.0, raw(select).await);
        let took = p95(runs, || async { traffic.errors(&ErrorsQuery::new(range())).await.unwrap() }).await;
        let select =
            format!("SELECT method, route, status_code, count(*) {when} AND status_code >= 400 GROUP BY 1, 2, 3");
        line("errors", took, 150.0, raw(select).await);
    }
    let took = p95(runs, || async { traffic.live(&LiveQuery::new()).await.unwrap() }).await;
    let behind: i64 = sql.query_one(&format!("SELECT max(id) - 200 FROM {TABLE}"), &[]).await.unwrap().get(0);
    println!("{:<28} {took:>9.1} {:>9}", "live, first page", 50);
    missed += u32::from(took > 50.0);
    let took = p95(runs, || async { traffic.live(&LiveQuery::new().after(behind)).await.unwrap() }).await;
    println!("{:<28} {took:>9.1} {:>9}", "live, behind a cursor", 50);
    missed + u32::from(took > 50.0)
}
