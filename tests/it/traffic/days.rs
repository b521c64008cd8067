//! Partitions: made ahead, never missing for a row, and dropped when they are too old.

use tracevault::{
    time::{Duration, OffsetDateTime, macros::datetime},
    traffic::{OverviewQuery, Range, Retention, Traffic},
};

use super::{Site, pool};

const ROW: &str =
    "INSERT INTO \"@\" (started_at, ended_at, duration_us, is_slow, method, route, original_url, status_code) ";

async fn parts(site: &Site) -> Vec<String> {
    let sql = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = '\"@\"'::regclass ORDER BY 1";
    let rows = site.sql.query(&sql.replace('@', &site.name), &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn no_row_is_refused_and_each_day_holds_its_own_by_utc() {
    let site = Site::new("days").await;
    site.run(&format!(
        "{ROW} SELECT at, at, 1, false, 'GET', '/', '/', 200 FROM unnest(ARRAY['2026-03-08 23:59:59.999999Z', \
         '2026-03-09 00:00Z', '1999-01-01Z', '9000-01-01Z', 'infinity', '-infinity', '4000-01-01 BC']::timestamptz[]) AS at"
    ))
    .await;
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@_default\"").await, 7);
    let made = site.traffic.make_days(datetime!(2026-03-08 00:00 UTC).date(), datetime!(2026-03-09 00:00 UTC).date());
    assert_eq!(made.await.unwrap(), 2);
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@_p20260308\"").await, 1);
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@_p20260309\"").await, 1);
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@\"").await, 7);
    site.roll().await;
    site.check(datetime!(1998-01-01 00:00 UTC), datetime!(1999-02-01 00:00 UTC)).await;
    site.check(datetime!(2026-03-08 00:00 UTC), datetime!(2026-03-10 00:00 UTC)).await;
    site.drop().await;
}

#[tokio::test]
async fn a_pass_makes_the_days_to_come_and_takes_their_rows_out_of_the_default() {
    let site = Site::new("ahead").await;
    let day = |ahead: i64| {
        let day = (OffsetDateTime::now_utc() + Duration::days(ahead)).date();
        format!("p{:04}{:02}{:02}", day.year(), u8::from(day.month()), day.day())
    };
    assert_eq!(parts(&site).await.len(), 9);
    site.run(&format!("DROP TABLE \"@_{}\", \"@_{}\"", day(0), day(5))).await;
    site.run(&format!("{ROW} VALUES (now(), now(), 1, false, 'GET', '/', '/', 200)")).await;
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@_default\"").await, 1);
    assert_eq!(site.traffic.roll_up().await.unwrap().unwrap().partitions_made, 2);
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@_default\"").await, 0);
    assert_eq!(site.one::<i64>(&format!("SELECT count(*) FROM \"@_{}\"", day(0))).await, 1);
    assert_eq!(site.traffic.roll_up().await.unwrap().unwrap().partitions_made, 0);
    site.drop().await;
}

#[tokio::test]
async fn retention_drops_what_is_rolled_up_and_what_is_left_is_counted_all_the_same() {
    let site = Site::new("kept").await;
    let today = OffsetDateTime::now_utc().replace_time(tracevault::time::Time::MIDNIGHT);
    let from = today - Duration::days(6);
    site.traffic.make_days(from.date(), today.date()).await.unwrap();
    site.fill(2_000, from, 6 * 86_400).await;
    let expected = |range: (OffsetDateTime, OffsetDateTime)| {
        let range = Range::new(range.0, range.1).unwrap();
        let traffic = site.traffic.clone();
        async move {
            let overview = traffic.overview(&OverviewQuery::new(range).compare(false)).await.unwrap();
            let status: Vec<_> = overview.status_code_summary.iter().map(|one| one.count).collect();
            (overview.total_requests, overview.unique_users, status, overview.p95_ms.map(f64::to_bits))
        }
    };
    let ranges =
        [(from, today), (from + Duration::hours(5), today - Duration::days(1)), (today - Duration::days(1), today)];
    let mut before = Vec::new();
    for range in ranges {
        before.push(expected(range).await);
    }
    let keep = Retention { raw: Some(2), minutes: Some(1), ..Retention::default() };
    let keeper = Traffic::builder(pool()).table_name(&site.name).roll_up(false).retention(keep).build().unwrap();
    let mut dropped = 0;
    for _ in 0..2 {
        dropped += keeper.roll_up().await.unwrap().unwrap().partitions_dropped;
    }
    assert_eq!(dropped, 4);
    assert_eq!(parts(&site).await.len(), 9 + 2);
    for (range, before) in ranges.into_iter().zip(before) {
        assert_eq!(expected(range).await, before, "{range:?}");
    }
    // An odd edge among dropped rows: the hours that lie inside of it.
    let odd = Range::new(from + Duration::minutes(61), today).unwrap();
    let overview = site.traffic.overview(&OverviewQuery::new(odd)).await.unwrap();
    assert_eq!(overview.range.from, from + Duration::hours(2));
    // A late row of a dropped day is not counted, goes with the next pass, and spoils nothing.
    let total = expected(ranges[0]).await.0;
    let late = (from + Duration::hours(30)).unix_timestamp();
    site.run(&format!("{ROW} VALUES (to_timestamp({late}), now(), 1, false, 'GET', '/', '/', 200)")).await;
    assert_eq!(expected(ranges[0]).await.0, total);
    keeper.roll_up().await.unwrap().unwrap();
    assert_eq!(expected(ranges[0]).await.0, total);
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@_default\"").await, 0);

    let keep = Retention { raw: Some(1), minutes: Some(1), hours: Some(2), days: Some(4) };
    let keeper = Traffic::builder(pool()).table_name(&site.name).roll_up(false).retention(keep).build().unwrap();
    keeper.roll_up().await.unwrap().unwrap();
    let cut = (today - Duration::days(4)).unix_timestamp();
    for table in ["total_1h", "route_1d", "user_1d", "user_hours", "user_days"] {
        let sql = format!("SELECT extract(epoch FROM min(at))::bigint FROM \"@_{table}\"");
        assert!(site.one::<i64>(&sql).await >= cut, "{table}");
    }
    let overview = site.traffic.overview(&OverviewQuery::new(Range::new(from, today).unwrap())).await.unwrap();
    assert_eq!(overview.range.from, today - Duration::days(4));
    assert!(overview.previous.is_none(), "of the six days before nothing is left");
    for (days, left) in [(2, true), (3, false)] {
        let range = Range::new(today - Duration::days(days), today).unwrap();
        let previous = site.traffic.overview(&OverviewQuery::new(range)).await.unwrap().previous;
        assert_eq!(previous.is_some(), left, "{days} days; of those before, four in all are left");
    }
    site.drop().await;
}

#[tokio::test]
async fn retention_that_contradicts_itself_is_refused() {
    for (keep, fine) in [
        (Retention { raw: Some(30), minutes: Some(7), hours: Some(90), days: Some(400) }, true),
        (Retention { raw: Some(30), ..Retention::default() }, true),
        (Retention { raw: Some(0), ..Retention::default() }, false),
        (Retention { hours: Some(7), ..Retention::default() }, false),
        (Retention { raw: Some(1), hours: Some(90), days: Some(30), minutes: None }, false),
    ] {
        let built = Traffic::builder(pool()).roll_up(false).retention(keep).build();
        assert_eq!(built.is_ok(), fine, "{keep:?}");
    }
}
