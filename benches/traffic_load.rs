//! How long the server takes for each endpoint of the dashboard, by its router, beside the same question put to the rows
//! alone.
//!
//!     cargo bench --bench traffic_load --features dashboard -- --rows 1000000
//!
//! `--rows N` (1,000,000) over 30 days up to now: 603 routes, 20,000 users, 5 % errors; `--runs N` (40) warm questions
//! each. `--keep` leaves the tables, and takes those that are there. It exits with 1 where a p95 is more than twice its
//! target.
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

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use tracevault::{
    Config, ScopeOverrides, Tracevault,
    deadpool_postgres::{Manager, Pool},
    time::OffsetDateTime,
    tokio_postgres::{self, Client, NoTls},
    traffic::Traffic,
};

const TABLE: &str = "traffic_load";
const AUDIT: &str = "traffic_load_audit";

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
    let pool = Pool::builder(Manager::new(database.url().parse().unwrap(), NoTls)).max_size(8).build().unwrap();
    let config = Config::default().table_name(AUDIT).ensure_schema(true);
    let audit = Tracevault::with_pools(pool.clone(), None, config).unwrap();
    let builder = Traffic::builder(pool).table_name(TABLE).roll_up(false).query_timeout(Duration::from_secs(30));
    let traffic = builder.build().unwrap();
    let there = sql.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&TABLE]).await.unwrap().get::<_, bool>(0);
    traffic.ensure_schema().await.unwrap();
    if !(options.keep && there) {
        load(&sql, &traffic, options.rows).await;
    }
    audit.prepare().await.unwrap();
    if sql.query_one(&format!("SELECT count(*) FROM {AUDIT}"), &[]).await.unwrap().get::<_, i64>(0) == 0 {
        load_events(&sql, options.rows / 10).await;
    }
    sizes(&sql).await;
    let missed = ask(&sql, &traffic, &audit, options.runs).await;
    if !options.keep {
        drop_all(&sql).await;
    }
    assert_eq!(missed, 0, "{missed} endpoints took more than twice as long as they may");
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

/// Told by 20,000 actors, of 200 kinds.
async fn load_events(sql: &Client, events: u64) {
    let fill = format!(
        "INSERT INTO {AUDIT} (id, event, actor_id, actor_type, target_id, target_type, data, mode, occurred_at, request_id) \
         SELECT gen_random_uuid(), 'load.event_' || n % 200, 'user_' || n % 20000, 'user', 'order_' || n, 'order', \
         jsonb_build_object('before', jsonb_build_object('price', n), 'after', jsonb_build_object('price', n + 1), \
         'diff', jsonb_build_object('price', jsonb_build_object('before', n, 'after', n + 1))), 'sync', \
         now() - n * interval '2 s', 'req_' || n FROM generate_series(1, {events}) AS n"
    );
    sql.batch_execute(&format!("{fill}; VACUUM ANALYZE {AUDIT}")).await.unwrap();
    println!("{events} audit events stored");
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

/// Of how many questions the half, and 95 of 100, were as quick: milliseconds.
struct Took {
    p50: f64,
    p95: f64,
}

/// The first run only warms up.
async fn took<F: Future>(runs: usize, mut question: impl FnMut() -> F) -> Took {
    question().await;
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        question().await;
        times.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    let rank = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
    Took { p50: rank(50), p95: rank(95) }
}

/// One line of the table: whether the target is missed by more than twice.
fn line(question: &str, endpoint: &Took, target: f64, rows: &Took) -> bool {
    let verdict = if endpoint.p95 > 2.0 * target {
        "MISSED"
    } else if endpoint.p95 > target {
        "over"
    } else {
        ""
    };
    println!(
        "{question:<34} {:>8.1} {:>8.1} {target:>7} {:>9.1} {:>9.1} {verdict}",
        endpoint.p50, endpoint.p95, rows.p50, rows.p95
    );
    verdict == "MISSED"
}

async fn ask(sql: &Client, traffic: &Traffic, audit: &Tracevault, runs: usize) -> usize {
    let scope = audit.scope(ScopeOverrides::new()).unwrap();
    let router = traffic.dashboard().insecure_no_auth().audit(audit.query(), scope).build().unwrap();
    let get = async |path: String| {
        let request = Request::get(&path).header("host", "localhost").body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success() && !body.is_empty(), "{path}: {status}");
    };
    let one = |select: &str| format!("SELECT {select} FROM {TABLE} WHERE user_id IS NOT NULL");
    let user = sql.query_one(&format!("{} ORDER BY started_at LIMIT 1", one("user_id")), &[]).await.unwrap();
    let user: String = user.get(0);
    let last: i64 = sql.query_one(&one("max(id)"), &[]).await.unwrap().get(0);
    let event = format!("SELECT id::text FROM {AUDIT} WHERE event = 'load.event_9' LIMIT 1");
    let event: String = sql.query_one(&event, &[]).await.unwrap().get(0);
    let totals = "count(*), avg(duration_us), count(*) FILTER (WHERE is_slow), count(DISTINCT user_id), \
                  percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration_us)";
    let by_route = "method, route, count(*), avg(duration_us), \
                    percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_us)";

    println!(
        "\n{:<34} {:>8} {:>8} {:>7} {:>9} {:>9}",
        "endpoint", "p50 ms", "p95 ms", "target", "rows p50", "rows p95"
    );
    let mut missed = Vec::new();
    for days in [1, 7, 30] {
        let range = format!("range={days}d");
        let when = format!("FROM {TABLE} WHERE started_at >= now() - {days} * interval '24 hours'");
        let questions = [
            (format!("overview?{range}&cmp=0"), 150.0, format!("SELECT {totals} {when}")),
            // That of one stretch, put to two.
            (format!("overview?{range}"), 150.0, format!("SELECT {totals} {when}")),
            (
                format!("routes?{range}"),
                200.0,
                format!("SELECT {by_route} {when} GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 50"),
            ),
            (
                format!("users?{range}"),
                250.0,
                format!("SELECT user_id, count(*), max(started_at) {when} GROUP BY 1 ORDER BY 2 DESC LIMIT 50"),
            ),
            (
                format!("users/{user}?{range}"),
                100.0,
                format!("SELECT method, route, count(*) {when} AND user_id = '{user}' GROUP BY 1, 2"),
            ),
            (
                format!("errors?{range}"),
                150.0,
                format!("SELECT method, route, status_code, count(*) {when} AND status_code >= 400 GROUP BY 1, 2, 3"),
            ),
        ];
        // Rows of long ranges are asked a few times only: each takes seconds.
        let few = if days == 1 { runs.min(5) } else { 2 };
        for (path, target, select) in questions {
            let endpoint = took(runs, || get(format!("/api/{path}"))).await;
            let rows = took(few, || async { sql.query(&select, &[]).await.unwrap() }).await;
            missed.push(line(&path, &endpoint, target, &rows));
        }
    }
    for (path, target, select) in [
        ("live".to_owned(), 50.0, format!("SELECT * FROM {TABLE} ORDER BY started_at DESC, id DESC LIMIT 100")),
        (
            format!("live?after={}", last - 200),
            50.0,
            format!("SELECT * FROM {TABLE} WHERE id > {} LIMIT 100", last - 200),
        ),
        (
            "live?status=5xx".to_owned(),
            50.0,
            format!("SELECT * FROM {TABLE} WHERE status_code BETWEEN 500 AND 599 ORDER BY started_at DESC LIMIT 100"),
        ),
        (format!("requests/{last}"), 30.0, format!("SELECT * FROM {TABLE} WHERE id = {last}")),
        (
            "audit?event=load.event_7".to_owned(),
            100.0,
            format!("SELECT * FROM {AUDIT} WHERE event = 'load.event_7' ORDER BY occurred_at DESC, id DESC LIMIT 50"),
        ),
        (
            "audit?actor=user_77".to_owned(),
            100.0,
            format!("SELECT * FROM {AUDIT} WHERE actor_id = 'user_77' ORDER BY occurred_at DESC, id DESC LIMIT 50"),
        ),
        (format!("audit/{event}"), 30.0, format!("SELECT * FROM {AUDIT} WHERE id = '{event}'")),
        ("config".to_owned(), 5.0, "SELECT 1".to_owned()),
        ("openapi.json".to_owned(), 20.0, "SELECT 1".to_owned()),
    ] {
        let endpoint = took(runs, || get(format!("/api/{path}"))).await;
        let rows = took(5, || async { sql.query(&select, &[]).await.unwrap() }).await;
        missed.push(line(&path, &endpoint, target, &rows));
    }
    missed.into_iter().filter(|missed| *missed).count()
}
