//! Requests on their way to the table.

use std::time::Duration;

use tracevault::{
    time::{OffsetDateTime, macros::datetime},
    traffic::{IpMode, Seen, Traffic, UaMode, UserDetails},
};

use super::{Site, pool, pool_at};
use crate::kit::{self, CANARY};

const AT: OffsetDateTime = datetime!(2026-05-07 12:00 UTC);

fn seen(path: &str) -> Seen<'_> {
    Seen {
        started_at: AT,
        duration: Duration::from_micros(187_654),
        method: "GET",
        pattern: Some("/api/products"),
        path,
        query: Some("page=1&token=abc"),
        status: 200,
        user: UserDetails { id: Some("123".into()), name: Some("Ann".into()), email: Some("ann@example.com".into()) },
        session_id: Some("session-1"),
        ip: Some("192.0.2.77".parse().unwrap()),
        user_agent: Some("curl/8.0"),
        request_id: Some("req-1"),
    }
}

#[tokio::test]
async fn every_column_is_stored_and_told_again() {
    let site = Site::with("columns", |builder| builder.track_ip(IpMode::Truncated)).await;
    let mut live = site.traffic.subscribe();
    assert!(site.traffic.record(seen("/api/products")));
    assert!(site.traffic.record(Seen { pattern: None, duration: Duration::from_secs(1), ..seen("/nowhere") }));
    site.traffic.flush().await;
    let sql = "SELECT concat_ws('|', started_at AT TIME ZONE 'UTC', ended_at AT TIME ZONE 'UTC', duration_us, duration_ms, \
               is_slow, method, route, rollup_route, original_url, status_code, user_id, user_name, user_email, session_id, \
               ip, user_agent, request_id, weight) FROM \"@\" ORDER BY id LIMIT 1 OFFSET ";
    assert_eq!(
        site.one::<String>(&format!("{sql}0")).await,
        "2026-05-07 12:00:00|2026-05-07 12:00:00.187654|187654|187|f|GET|/api/products|\
         /api/products?page=1&token=[REDACTED]|200|123|Ann|ann@example.com|session-1|192.0.2.0/24|curl/8.0|req-1|1"
    );
    assert_eq!(
        site.one::<String>(&format!("{sql}1")).await,
        "2026-05-07 12:00:00|2026-05-07 12:00:01|1000000|1000|t|GET|/nowhere|<unmatched>|\
         /nowhere?page=1&token=[REDACTED]|200|123|Ann|ann@example.com|session-1|192.0.2.0/24|curl/8.0|req-1|1"
    );
    let stats = site.traffic.stats();
    assert_eq!((stats.accepted, stats.stored, stats.queued, stats.dropped), (2, 2, 0, 0));

    let told = live.recv().await.unwrap();
    assert_eq!(told.len(), 2);
    let event = serde_json::to_value(&told[0]).unwrap();
    let keys: Vec<_> = event.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "id",
        "userId",
        "sessionId",
        "method",
        "route",
        "originalUrl",
        "statusCode",
        "durationMs",
        "isSlow",
        "createdAt",
    ];
    assert_eq!(
        {
            let mut keys = keys;
            keys.sort_unstable();
            keys
        },
        {
            let mut keys = expected;
            keys.sort_unstable();
            keys
        }
    );
    let detail = site.traffic.request(told[0].id).await.unwrap().unwrap();
    assert_eq!((detail.row.duration_ms, detail.row.created_at), (187, told[0].created_at));
    assert_eq!(detail.user_email.as_deref(), Some("ann@example.com"));
    let linked = site.traffic.requests_of("req-1", AT + Duration::from_secs(1)).await.unwrap();
    assert_eq!(linked.len(), 2);
    assert!(site.traffic.requests_of("req-1", AT + Duration::from_secs(7_200)).await.unwrap().is_empty());
    assert!(site.traffic.request(i64::MAX).await.unwrap().is_none());
    site.drop().await;
}

#[tokio::test]
async fn a_full_queue_drops_and_counts_and_never_waits() {
    let site = Site::with("full", |builder| builder.queue_capacity(10).linger(Duration::from_secs(60))).await;
    // The writer runs only when this test awaits.
    let taken = (0..25).filter(|_| site.traffic.record(seen("/"))).count();
    let stats = site.traffic.stats();
    assert_eq!((taken, stats.accepted, stats.queued, stats.dropped), (10, 10, 10, 15));
    site.traffic.flush().await;
    assert_eq!(site.traffic.stats().stored, 10);
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@\"").await, 10);
    site.drop().await;
}

#[tokio::test]
async fn ten_thousand_rows_are_stored_once_each() {
    let site = Site::new("batches").await;
    for number in 0..10_000 {
        assert!(site.traffic.record(seen(&format!("/{number}"))));
    }
    let stats = site.traffic.close(Duration::from_secs(30)).await;
    assert_eq!((stats.stored, stats.dropped, stats.failed), (10_000, 0, 0));
    assert_eq!(site.one::<i64>("SELECT count(DISTINCT original_url) FROM \"@\"").await, 10_000);
    assert!(!site.traffic.record(seen("/late")), "it is closed");
    assert_eq!(site.traffic.stats().dropped, 1);
    site.drop().await;
}

#[tokio::test]
async fn a_sample_stands_for_all_of_them() {
    let site = Site::with("sample", |builder| builder.sample_one_in(5)).await;
    for number in 0..100 {
        site.traffic.record(seen("/"));
        site.traffic.record(Seen { status: 500, ..seen("/") });
        let _ = number;
    }
    site.traffic.flush().await;
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@\"").await, 120);
    assert_eq!(site.one::<i64>("SELECT sum(weight)::bigint FROM \"@\"").await, 200);
    assert_eq!(site.traffic.stats().sampled_out, 80);
    site.drop().await;
}

#[tokio::test]
async fn what_cannot_be_stored_is_counted_and_the_next_goes_on() {
    let site = Site::new("refused").await;
    site.run("ALTER TABLE \"@\" ADD CONSTRAINT no_seven CHECK (original_url NOT LIKE '/7?%')").await;
    for number in 0..20 {
        site.traffic.record(seen(&format!("/{number}")));
    }
    site.traffic.flush().await;
    let stats = site.traffic.stats();
    assert_eq!((stats.stored, stats.failed, stats.queued), (19, 1, 0));
    site.run("ALTER TABLE \"@\" RENAME TO \"@_away\"").await;
    site.traffic.record(seen("/gone"));
    site.traffic.flush().await;
    assert_eq!(site.traffic.stats().failed, 2);
    site.run("ALTER TABLE \"@_away\" RENAME TO \"@\"").await;
    site.traffic.record(seen("/back"));
    site.traffic.flush().await;
    assert_eq!(site.traffic.stats().stored, 20);
    site.drop().await;
}

/// The writer's connections are cut off while it writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_connection_is_cut_is_stored_once_or_counted() {
    let site = Site::with("cut", |builder| builder.linger(Duration::ZERO)).await;
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '@'";
    let (mut killed, mut offered) = (0, 0);
    while offered < 300 || killed < 4 {
        for _ in 0..10 {
            offered += u64::from(site.traffic.record(seen(&format!("/{offered}"))));
        }
        killed += site.one::<i64>(kill).await;
    }
    site.traffic.flush().await;
    let stats = site.traffic.stats();
    let rows: i64 = site.one("SELECT count(*) FROM \"@\"").await;
    let distinct: i64 = site.one("SELECT count(DISTINCT original_url) FROM \"@\"").await;
    assert_eq!(rows, distinct, "none is stored twice");
    assert_eq!(stats.stored + stats.unknown, offered);
    assert!(u64::try_from(rows).unwrap() >= stats.stored, "{killed} {rows} {stats:?}");
    site.drop().await;
}

#[tokio::test]
async fn without_a_database_nobody_waits_and_the_losses_are_counted() {
    let traffic = Traffic::builder(pool_at("host=127.0.0.1 port=1 user=u", "")).queue_capacity(5).build().unwrap();
    for _ in 0..9 {
        traffic.record(seen("/"));
    }
    assert_eq!((traffic.stats().accepted, traffic.stats().dropped), (5, 4));
    let stats = traffic.close(Duration::from_secs(20)).await;
    assert_eq!((stats.failed, stats.stored, stats.queued), (5, 0, 0));
    let range = tracevault::traffic::Range::last(Duration::from_secs(60)).unwrap();
    assert!(traffic.overview(&tracevault::traffic::OverviewQuery::new(range)).await.unwrap_err().is_retryable());
}

/// The suite ends when the canary reaches any log line: that of the driver, which tells parameters, too.
#[tokio::test]
async fn nothing_of_a_request_reaches_a_log() {
    let site = Site::with("quietly", |builder| builder.user_agent(UaMode::Full).track_ip(true)).await;
    let user = UserDetails { id: Some(CANARY.into()), name: Some(CANARY.into()), email: Some(CANARY.into()) };
    let one =
        Seen { user, session_id: Some(CANARY), user_agent: Some(CANARY), request_id: Some(CANARY), ..seen(CANARY) };
    assert!(!kit::leaks(format!("{one:?}").as_bytes()));
    site.traffic.record(one);
    site.traffic.flush().await;
    let range = tracevault::traffic::Range::new(AT, AT + Duration::from_secs(60)).unwrap();
    let user = site.traffic.user(CANARY, range).await.unwrap().unwrap();
    assert!(!kit::leaks(format!("{user:?} {:?}", site.traffic).as_bytes()));
    assert_eq!(site.traffic.requests_of(CANARY, AT).await.unwrap().len(), 1);
    site.roll().await;
    // A value in the server's DETAIL.
    site.run("ALTER TABLE \"@\" ADD CONSTRAINT none CHECK (status_code <> 418)").await;
    site.traffic.record(Seen { status: 418, ..seen(CANARY) });
    site.traffic.flush().await;
    assert_eq!(site.traffic.stats().failed, 1);
    site.drop().await;
}

#[tokio::test]
async fn options_are_checked() {
    let built = |builder: tracevault::traffic::TrafficBuilder| builder.roll_up(false).build().map(drop);
    let builder = || Traffic::builder(pool());
    built(builder()).unwrap();
    for (wrong, key) in [
        (builder().table_name("a b"), "table_name"),
        (builder().schema(""), "schema"),
        (builder().sample_one_in(0), "sample_one_in"),
        (builder().queue_capacity(0), "queue_capacity"),
        (builder().readers(0), "readers"),
        (builder().query_timeout(Duration::ZERO), "query_timeout"),
        (builder().roll_up_every(Duration::ZERO), "roll_up_every"),
        (builder().slow_route_threshold(Duration::MAX), "slow_route_threshold"),
    ] {
        let error = built(wrong).unwrap_err().to_string();
        assert!(error.contains(&format!("`{key}`")), "{error}");
    }
}

#[test]
fn outside_of_a_runtime_nothing_is_started() {
    let error = Traffic::builder(pool()).build().unwrap_err().to_string();
    assert!(error.contains("runtime"), "{error}");
}
