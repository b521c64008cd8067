//! What is odd, hostile, or comes between two statements.

use std::time::Duration as StdDuration;

use deadpool_postgres::{Manager, Pool};
use tokio_postgres::NoTls;
use tracevault::{
    deadpool_postgres,
    time::{Duration, OffsetDateTime, Time, macros::datetime},
    tokio_postgres,
    traffic::{
        LiveQuery, OverviewQuery, Range, Retention, RouteValue, RoutesQuery, Seen, Traffic, UserDetails,
        generate_traffic_init_sql,
    },
};

use super::{Site, pool};
use crate::{
    kit::{self, unique},
    support::{Cluster, Options, PgBouncer, Purpose, needs, pgbouncer, server_binaries},
};

const ROW: &str =
    "INSERT INTO \"@\" (started_at, ended_at, duration_us, is_slow, method, route, original_url, status_code) ";

fn midnight(ago: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc().replace_time(Time::MIDNIGHT) - Duration::days(ago)
}

fn seen(path: &str) -> Seen<'_> {
    Seen {
        started_at: datetime!(2026-03-07 12:00 UTC),
        duration: StdDuration::from_millis(3),
        method: "GET",
        pattern: None,
        path,
        query: None,
        status: 200,
        user: UserDetails::default(),
        session_id: None,
        ip: None,
        user_agent: None,
        request_id: None,
    }
}

/// The owner's search path says `"$user"`, which is somebody else for whoever writes.
#[tokio::test]
async fn whoever_writes_the_marks_are_where_the_table_is() {
    let owner = unique("owner");
    let site = Site::new("paths").await;
    let make = format!("{} CREATE SCHEMA {owner} AUTHORIZATION {owner}", kit::create_role(&owner));
    site.run(&make).await;
    let script = generate_traffic_init_sql(&site.name).unwrap();
    kit::connect(&kit::url_as(&owner)).await.batch_execute(&script).await.unwrap();
    let row = "VALUES ('2026-03-07Z', now(), 1, false, 'GET', '/', '/', 200)";
    site.run(&format!("SET search_path = {owner}; {ROW} {row}; SELECT \"@_make_day\"(date '2026-03-07')")).await;
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@_marks\"").await, 1);
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@_p20260307\"").await, 1);
    site.run(&format!("RESET search_path; DROP SCHEMA {owner} CASCADE; DROP ROLE {owner}")).await;
    site.drop().await;
}

/// In this style India's time is told as IST, which is read as Israel's.
#[tokio::test]
async fn days_are_those_of_utc_however_the_session_tells_time() {
    let site = Site::new("style").await;
    site.run("SET datestyle = 'SQL'; SET timezone = 'Asia/Kolkata'; SELECT \"@_make_day\"(date '2026-03-08'); RESET datestyle")
        .await;
    let bound = "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = '@_p20260308'";
    site.run("SET timezone = 'UTC'").await;
    assert_eq!(
        site.one::<String>(bound).await,
        "FOR VALUES FROM ('2026-03-08 00:00:00+00') TO ('2026-03-09 00:00:00+00')"
    );
    site.drop().await;
}

#[tokio::test]
async fn moments_and_cursors_at_the_edge_of_their_types_are_answered() {
    let site = Site::new("edges").await;
    for range in [
        (datetime!(0000-06-01 00:00 UTC), datetime!(0001-06-01 00:00 UTC)),
        (datetime!(-9999-01-01 00:00 UTC), datetime!(-9995-01-01 00:00 UTC)),
        (datetime!(9999-01-01 00:00 UTC), datetime!(9999-12-31 23:59:59 UTC)),
    ] {
        let range = Range::new(range.0, range.1).unwrap();
        assert_eq!(site.traffic.overview(&OverviewQuery::new(range)).await.unwrap().total_requests, 0);
    }
    for after in [i64::MIN, i64::MIN + 5_000, -1, i64::MAX] {
        site.traffic.live(&LiveQuery::new().after(after)).await.unwrap();
    }
    site.drop().await;
}

#[tokio::test]
async fn percentiles_are_within_the_bound_for_the_quickest_and_the_slowest() {
    let site = Site::new("extremes").await;
    let from = datetime!(2026-03-07 00:00 UTC);
    site.run(&format!(
        "{ROW} SELECT timestamptz '2026-03-07Z' + n * interval '1 s', now(), CASE WHEN n < 60 THEN 7 WHEN n < 98 \
         THEN 3600000000 ELSE 9000000000 END, false, 'GET', '/', '/', 200 FROM generate_series(0, 99) AS n"
    ))
    .await;
    for _ in 0..2 {
        let range = Range::new(from, from + Duration::days(1)).unwrap();
        let overview = site.traffic.overview(&OverviewQuery::new(range)).await.unwrap();
        for (got, truth) in [(overview.p50_ms, 0.007), (overview.p95_ms, 3_600_000.0), (overview.p99_ms, 9_000_000.0)] {
            let ratio = got.unwrap() / truth;
            assert!((0.955..=1.046).contains(&ratio), "{got:?} for {truth} ms");
        }
        site.roll().await;
    }
    site.drop().await;
}

/// An index of PostgreSQL holds some 2,700 bytes: one address would keep all of its hour from being rolled up.
#[tokio::test]
async fn a_route_of_many_bytes_is_rolled_up() {
    let site = Site::with("bytes", |builder| builder.route_value(RouteValue::Path)).await;
    let mut state = 7_u32;
    let char = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0x4E00 + (state >> 8) % 20_000).unwrap()
    };
    let path: String = std::iter::once('/').chain((0..3_000).map(char)).collect();
    site.traffic.record(seen(&path));
    site.traffic.record(seen("/short"));
    site.traffic.flush().await;
    assert_eq!(site.traffic.stats().stored, 2);
    site.roll().await;
    site.check(datetime!(2026-03-07 00:00 UTC), datetime!(2026-03-08 00:00 UTC)).await;
    site.drop().await;
}

#[tokio::test]
async fn timelines_and_sparks_are_of_what_retention_has_left() {
    let site = Site::new("left").await;
    let from = midnight(8);
    site.traffic.make_days(from.date(), midnight(0).date()).await.unwrap();
    let start = from.unix_timestamp();
    site.run(&format!(
        "{ROW} SELECT to_timestamp({start}) + n * interval '20 minutes', now(), 1000, false, 'GET', '/', '/', 200 \
         FROM generate_series(0, 575) AS n"
    ))
    .await;
    let keep = Retention { raw: Some(1), minutes: Some(1), hours: Some(4), days: None };
    let keeper = Traffic::builder(pool()).table_name(&site.name).roll_up(false).retention(keep).build().unwrap();
    for _ in 0..2 {
        keeper.roll_up().await.unwrap().unwrap();
    }
    let days = |days, hours| from + Duration::days(days) + Duration::hours(hours);
    for (from, to, count) in [
        // Rows are gone, hours are left: in buckets that would be of minutes, and of hours.
        (days(5, 3), days(5, 5), 6),
        (days(5, 3), days(5, 8), 15),
        (days(5, 0), days(7, 0), 144),
        // Hours are gone as well.
        (days(1, 0), days(2, 0), 72),
        (days(1, 0), days(4, 0), 216),
        (days(1, 0), days(7, 0), 432),
    ] {
        let range = Range::new(from, to).unwrap();
        let detail = site.traffic.route("GET", "/", range).await.unwrap();
        assert_eq!(detail.route.as_ref().unwrap().count, count, "{from} {to}");
        assert_eq!(detail.timeline.iter().map(|one| one.count).sum::<i64>(), count, "{from} {to}");
        assert_eq!(detail.route.unwrap().spark.iter().sum::<i64>(), count, "{from} {to}");
        let routes = site.traffic.routes(&RoutesQuery::new(range)).await.unwrap().routes;
        assert_eq!(routes[0].spark.iter().sum::<i64>(), count, "{from} {to}");
    }
    site.drop().await;
}

/// Makes a late row come in right behind the next statement of this kind on one of the tables.
async fn late_row_behind(site: &Site, event: &str, at: OffsetDateTime) {
    site.run(&format!(
        "CREATE FUNCTION \"@_late\"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NOT EXISTS (SELECT FROM \"@\" WHERE route = '/late') THEN \
         {ROW} VALUES (to_timestamp({}), now(), 1, false, 'GET', '/late', '/late', 200); END IF; RETURN NULL; END $$; \
         CREATE TRIGGER late AFTER {event} FOR EACH STATEMENT EXECUTE FUNCTION \"@_late\"()",
        at.unix_timestamp()
    ))
    .await;
}

#[tokio::test]
async fn a_late_row_of_a_dropped_day_spoils_nothing_whenever_it_comes() {
    let site = Site::new("between").await;
    let from = midnight(3);
    site.traffic.make_days(from.date(), midnight(0).date()).await.unwrap();
    site.fill(300, from, 86_400).await;
    let keep = Retention { raw: Some(1), ..Retention::default() };
    let keeper = Traffic::builder(pool()).table_name(&site.name).roll_up(false).retention(keep).build().unwrap();
    keeper.roll_up().await.unwrap().unwrap();
    let range = Range::new(from, from + Duration::days(1)).unwrap();
    let total = || async {
        let overview = site.traffic.overview(&OverviewQuery::new(range)).await.unwrap();
        let routes = overview.status_code_summary.iter().map(|one| one.count).sum::<i64>();
        (overview.total_requests, routes, overview.unique_users)
    };
    let before = total().await;
    assert!(before.0 > 300 && before.0 == before.1);
    late_row_behind(&site, "DELETE ON \"@_marks\"", from + Duration::minutes(90)).await;
    for _ in 0..2 {
        keeper.roll_up().await.unwrap().unwrap();
    }
    assert_eq!(total().await, before);
    site.run("DROP FUNCTION \"@_late\" CASCADE").await;
    site.drop().await;
}

#[tokio::test]
async fn hours_are_kept_until_nothing_is_made_of_them_any_more() {
    let site = Site::new("until").await;
    let from = midnight(3);
    site.traffic.make_days(from.date(), midnight(0).date()).await.unwrap();
    site.fill(300, from, 86_400).await;
    site.roll().await;
    let keep = Retention { raw: Some(1), hours: Some(1), ..Retention::default() };
    let keeper = Traffic::builder(pool()).table_name(&site.name).roll_up(false).retention(keep).build().unwrap();
    let sum: i64 = site.one("SELECT sum(weight)::bigint FROM \"@\"").await;
    // When a pass has rolled up all, and before it drops: it must keep the day for another pass.
    late_row_behind(&site, "UPDATE ON \"@_state\"", from + Duration::minutes(90)).await;
    for _ in 0..3 {
        keeper.roll_up().await.unwrap().unwrap();
    }
    let range = Range::new(from, from + Duration::days(1)).unwrap();
    let overview = site.traffic.overview(&OverviewQuery::new(range)).await.unwrap();
    let by_status: i64 = overview.status_code_summary.iter().map(|one| one.count).sum();
    assert_eq!((overview.total_requests, by_status), (sum + 1, sum + 1));
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@\"").await, 0, "in the end it is dropped");
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@_route_1h\"").await, 0);
    site.run("DROP FUNCTION \"@_late\" CASCADE").await;
    site.drop().await;
}

#[tokio::test]
async fn names_and_addresses_of_users_go_with_the_last_day_that_has_them() {
    let site = Site::new("forgotten").await;
    let user =
        "(started_at, ended_at, duration_us, is_slow, method, route, original_url, status_code, user_id, user_email)";
    for (ago, id) in [(5, "old"), (0, "new")] {
        let at = (midnight(ago) - Duration::minutes(5)).unix_timestamp();
        let email = format!("{id}@example.com").replace('@', "' || chr(64) || '");
        site.run(&format!(
            "INSERT INTO \"@\" {user} VALUES (to_timestamp({at}), now(), 1, false, 'GET', '/', '/', 200, '{id}', '{email}')"
        ))
        .await;
    }
    site.roll().await;
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@_users\"").await, 2);
    let keep = Retention { raw: Some(2), minutes: Some(2), hours: Some(3), days: Some(3) };
    let keeper = Traffic::builder(pool()).table_name(&site.name).roll_up(false).retention(keep).build().unwrap();
    keeper.roll_up().await.unwrap().unwrap();
    assert_eq!(site.one::<String>("SELECT string_agg(user_id, ',') FROM \"@_users\"").await, "new");
    site.drop().await;
}

#[tokio::test]
async fn a_retention_that_no_calendar_holds_is_refused() {
    let keep = Retention { raw: Some(30), days: Some(u32::MAX), ..Retention::default() };
    assert!(Traffic::builder(pool()).roll_up(false).retention(keep).build().is_err());
}

/// It takes as long as what is there, not as long as what was asked for.
#[tokio::test]
async fn a_rebuild_of_all_time_is_of_what_is_there() {
    let site = Site::new("alltime").await;
    let now = OffsetDateTime::now_utc();
    for from in [datetime!(1970-01-01 00:00 UTC), datetime!(-9999-01-01 00:00 UTC)] {
        let rebuilt = site.traffic.rebuild_rollups(from, datetime!(9999-01-01 00:00 UTC));
        assert_eq!(tokio::time::timeout(StdDuration::from_secs(20), rebuilt).await.unwrap().unwrap(), 0);
    }
    let from = (now - Duration::hours(5)).unix_timestamp();
    site.run(&format!("{ROW} VALUES (to_timestamp({from}), now(), 1, false, 'GET', '/', '/', 200)")).await;
    site.roll().await;
    site.run("TRUNCATE \"@\"").await;
    let rebuilt = site.traffic.rebuild_rollups(datetime!(1970-01-01 00:00 UTC), now);
    let minutes = tokio::time::timeout(StdDuration::from_secs(20), rebuilt).await.unwrap().unwrap();
    assert!((300..3_000).contains(&minutes), "{minutes}");
    site.roll().await;
    for table in ["total_1m", "total_1h", "route_1h", "status_1h", "user_1h"] {
        assert_eq!(site.one::<i64>(&format!("SELECT count(*) FROM \"@_{table}\"")).await, 0, "{table}");
    }
    site.drop().await;
}

/// A commit that waits for a standby is there once its session is ended; a pooler says so by an error of its own.
#[tokio::test]
async fn behind_a_pooler_a_commit_without_an_answer_is_not_sent_again() {
    let program = pgbouncer::program();
    if !needs("pgbouncer", program.is_some(), pgbouncer::INSTALL) {
        return;
    }
    kit::url();
    let server =
        Cluster::start(Options { tcp: true, ..Options::new(server_binaries(Purpose::Tests).unwrap()) }).unwrap();
    let pooler = PgBouncer::start(&program.unwrap(), &server).unwrap();
    let pool = Pool::builder(Manager::new(pooler.connection_string().parse().unwrap(), NoTls)).build().unwrap();
    let traffic = Traffic::builder(pool).roll_up(false).linger(StdDuration::ZERO).build().unwrap();
    traffic.ensure_schema().await.unwrap();
    let sql = kit::connect(&server.connection_string()).await;
    let one = async |text: &str| -> i64 { sql.query_one(text, &[]).await.unwrap().get(0) };
    sql.batch_execute("SET synchronous_commit = local").await.unwrap();
    let standbys = async |names: &str| {
        sql.batch_execute(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'")).await.unwrap();
        sql.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    };
    standbys("nobody").await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let mut recorded = 0;
    while one(end).await == 0 {
        // The server takes its new settings when it likes: a row that did not have to wait is followed by another.
        if traffic.stats().stored == recorded {
            traffic.record(seen("/once"));
            recorded += 1;
        }
        tokio::time::sleep(StdDuration::from_millis(20)).await;
    }
    standbys("").await;
    traffic.record(seen("/after"));
    traffic.flush().await;
    let stats = traffic.stats();
    assert_eq!((stats.stored, stats.unknown), (recorded, 1));
    assert_eq!(one("SELECT count(*) FROM traffic_logs").await, i64::try_from(recorded).unwrap() + 1);
}

/// The server had found it a place in the default partition, and then waits until that has no place for it.
#[tokio::test]
async fn a_row_that_comes_while_its_day_is_made_is_stored() {
    let site = Site::new("meanwhile").await;
    site.run("BEGIN; SELECT \"@_make_day\"(date '2026-03-07')").await;
    site.traffic.record(seen("/1"));
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '\"@_default\"'::regclass";
    while site.one::<i64>(waits).await == 0 {
        tokio::time::sleep(StdDuration::from_millis(10)).await;
    }
    site.run("COMMIT").await;
    site.traffic.flush().await;
    assert_eq!((site.traffic.stats().stored, site.traffic.stats().failed), (1, 0));
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@_p20260307\"").await, 1);
    site.drop().await;
}
