//! The rollups say what the rows say, whatever happens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration as StdDuration,
};

use tracevault::{
    time::{Duration, OffsetDateTime, macros::datetime},
    traffic::{OverviewQuery, Range, Traffic},
};

use super::{Site, check::ago, pool};

const DAYS: [OffsetDateTime; 2] = [datetime!(2026-03-07 00:00 UTC), datetime!(2026-03-10 00:00 UTC)];

/// Ranges with odd edges, whole days, and the hour that New York does not have.
fn ranges() -> [(OffsetDateTime, OffsetDateTime); 5] {
    let [from, to] = DAYS;
    [
        (from, to),
        (from + Duration::microseconds(5_400_000_001), to - Duration::milliseconds(77_777_777)),
        (datetime!(2026-03-08 06:30 UTC), datetime!(2026-03-08 07:30:00.5 UTC)),
        (datetime!(2026-03-08 00:00 UTC), datetime!(2026-03-09 00:00 UTC)),
        (datetime!(2026-03-08 12:34:56 UTC), datetime!(2026-03-08 12:36 UTC)),
    ]
}

#[tokio::test]
async fn totals_are_those_of_the_rows_before_and_after_they_are_rolled_up() {
    let site = Site::new("rolled").await;
    site.fill(3_000, DAYS[0], 3 * 86_400).await;
    for (from, to) in ranges() {
        site.check(from, to).await;
    }
    site.roll().await;
    assert!(site.one::<i64>("SELECT count(*) FROM \"@_marks\"").await == 0);
    site.check_tables().await;
    for (from, to) in ranges() {
        site.check(from, to).await;
    }
    site.drop().await;
}

#[tokio::test]
async fn late_changed_and_deleted_rows_count_at_once_and_are_rolled_up_by_the_next_pass() {
    let site = Site::new("late").await;
    site.fill(1_500, DAYS[0], 3 * 86_400).await;
    site.roll().await;
    for change in [
        // Late, and out of order.
        "INSERT INTO \"@\" (started_at, ended_at, duration_us, is_slow, method, route, original_url, status_code, user_id) \
         SELECT at, at, 1500000, true, 'GET', '/late', '/late', 500, 'late' || n % 3 FROM (SELECT n, \
         timestamptz '2026-03-09 23:59:59.999999Z' - n * n * n * interval '1 s' AS at FROM generate_series(0, 50) AS n) AS one",
        "UPDATE \"@\" SET user_id = NULL, user_name = NULL WHERE user_id = 'u3'",
        "UPDATE \"@\" SET started_at = started_at + interval '7 hours' WHERE route = '/r/5' AND started_at < '2026-03-09Z'",
        "DELETE FROM \"@\" WHERE route = '/r/2' OR started_at >= '2026-03-08 05:00Z' AND started_at < '2026-03-08 06:00Z'",
    ] {
        site.run(change).await;
        assert!(site.one::<i64>("SELECT count(*) FROM \"@_marks\"").await > 0);
        for (from, to) in ranges() {
            site.check(from, to).await;
        }
        site.roll().await;
        site.check_tables().await;
        for (from, to) in &ranges()[..2] {
            site.check(*from, *to).await;
        }
    }
    site.drop().await;
}

#[tokio::test]
async fn the_open_minute_and_hour_count_from_rows() {
    let site = Site::new("open").await;
    site.fill(400, ago(Duration::hours(3)), 3 * 3_600).await;
    site.run(
        "INSERT INTO \"@\" (started_at, ended_at, duration_us, is_slow, method, route, original_url, status_code, user_id) \
         SELECT now(), now(), 5000, false, 'GET', '/now', '/now', 200, 'now'",
    )
    .await;
    let (from, to) = (ago(Duration::hours(3)) + Duration::seconds(17), ago(Duration::ZERO) + Duration::minutes(2));
    for _ in 0..2 {
        site.check(from, to).await;
        site.traffic.roll_up().await.unwrap().unwrap();
    }
    site.check_tables().await;
    let overview = site.traffic.overview(&OverviewQuery::new(Range::new(from, to).unwrap())).await.unwrap();
    assert!(overview.active_users_last_five_minutes >= 1);
    let lag = OffsetDateTime::now_utc() - overview.rolled_up_to.unwrap();
    assert!(lag < Duration::seconds(63), "{lag}");
    let total: i64 = site.one("SELECT coalesce(sum(n), 0)::bigint FROM \"@_total_1m\"").await;
    assert!(total > 0, "closed minutes are rolled up");
    site.drop().await;
}

#[tokio::test]
async fn a_row_that_is_committed_after_its_minute_was_rolled_up_is_not_lost() {
    let mut site = Site::new("slowly").await;
    site.fill(50, DAYS[0], 3_600).await;
    let row =
        "INSERT INTO \"@\" (started_at, ended_at, duration_us, is_slow, method, route, original_url, status_code) \
               VALUES ('2026-03-07 00:10Z', now(), 5000, false, 'GET', '/slow', '/slow', 200)"
            .replace('@', &site.name);
    let transaction = site.sql.transaction().await.unwrap();
    transaction.execute(&row, &[]).await.unwrap();
    // It sees neither the row nor its mark.
    site.traffic.roll_up().await.unwrap().unwrap();
    transaction.commit().await.unwrap();
    site.check(DAYS[0], DAYS[1]).await;
    site.roll().await;
    site.check(DAYS[0], DAYS[1]).await;
    site.check_tables().await;
    site.drop().await;
}

/// Two that roll up without the lock of the session, as behind a pooler, and rows all the while; and whoever holds the
/// connection of a pass is cut off, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_roll_up_at_once_and_are_cut_off_between_statements_end_with_equal_totals() {
    let site = Site::new("killed").await;
    site.fill(500, DAYS[0], 2 * 86_400).await;
    let done = Arc::new(AtomicBool::new(false));
    let rollers: Vec<_> = (0..2)
        .map(|_| {
            let traffic = Traffic::builder(pool()).table_name(&site.name).roll_up(false).build().unwrap();
            let done = done.clone();
            tokio::spawn(async move {
                let (mut passes, mut failures) = (0, 0);
                while !done.load(Ordering::Relaxed) {
                    match traffic.roll_up().await {
                        Ok(pass) => passes += u32::from(pass.is_some()),
                        Err(_) => failures += 1,
                    }
                    tokio::task::yield_now().await;
                }
                (passes, failures)
            })
        })
        .collect();
    let kill = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
         AND query LIKE '%\"{}_%' AND query NOT LIKE '%generate_series%'",
        site.name
    );
    let mut killed = 0;
    for round in 0..60 {
        site.fill(20, DAYS[0] + Duration::hours(round % 40), 9_000).await;
        killed += site.one::<i64>(&kill).await;
        tokio::time::sleep(StdDuration::from_millis(7 * u64::try_from(round % 4).unwrap())).await;
    }
    done.store(true, Ordering::Relaxed);
    let mut failures = 0;
    for roller in rollers {
        failures += roller.await.unwrap().1;
    }
    assert!(killed > 10 && failures > 5, "{killed} killed, {failures} passes failed");
    site.check(DAYS[0], DAYS[1]).await;
    site.roll().await;
    site.check_tables().await;
    site.check(DAYS[0], DAYS[1]).await;
    site.drop().await;
}

#[tokio::test]
async fn one_process_rolls_up_at_a_time() {
    let site = Site::new("single").await;
    site.run("SELECT pg_advisory_lock(x'7476726c'::int, ('\"@\"'::regclass::oid::bigint - 2147483648)::int)").await;
    assert_eq!(site.traffic.roll_up().await.unwrap(), None);
    site.run("SELECT pg_advisory_unlock_all()").await;
    assert!(site.traffic.roll_up().await.unwrap().is_some());
    assert!(site.traffic.roll_up().await.unwrap().is_some(), "the lock was given back");
    site.drop().await;
}

#[tokio::test]
async fn a_rebuild_mends_what_no_trigger_saw() {
    let site = Site::new("rebuilt").await;
    site.traffic.make_days(DAYS[0].date(), DAYS[1].date()).await.unwrap();
    site.fill(500, DAYS[0], 2 * 86_400).await;
    site.roll().await;
    // Straight out of a partition.
    site.run("DELETE FROM \"@_p20260307\" WHERE started_at < '2026-03-07 06:00Z'; DELETE FROM \"@_total_1m\" WHERE random() < 0.5")
        .await;
    let range = Range::new(DAYS[0], DAYS[1]).unwrap();
    let wrong = site.traffic.overview(&OverviewQuery::new(range)).await.unwrap().total_requests;
    let minutes = site.traffic.rebuild_rollups(DAYS[0], DAYS[1]).await.unwrap();
    assert_eq!(minutes, 3 * 1_440);
    site.roll().await;
    site.check_tables().await;
    site.check(DAYS[0], DAYS[1]).await;
    assert_ne!(site.traffic.overview(&OverviewQuery::new(range)).await.unwrap().total_requests, wrong);
    assert!(site.traffic.rebuild_rollups(DAYS[1], DAYS[0]).await.is_err());
    site.drop().await;
}

#[tokio::test]
async fn the_task_rolls_up_by_itself_and_ends_with_its_owner() {
    let site = Site::new("task").await;
    site.fill(50, DAYS[0], 3_600).await;
    let every = StdDuration::from_millis(20);
    let traffic = Traffic::builder(pool()).table_name(&site.name).roll_up_every(every).build().unwrap();
    while site.one::<i64>("SELECT count(*) FROM \"@_marks\"").await > 0 {
        tokio::time::sleep(every).await;
    }
    site.check_tables().await;
    traffic.close(StdDuration::from_secs(1)).await;
    drop(traffic);
    site.drop().await;
}
