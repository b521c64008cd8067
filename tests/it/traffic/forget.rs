//! A user who is forgotten: nowhere any more, and nothing else has changed.

use tracevault::{
    Error,
    time::{Duration, OffsetDateTime},
    traffic::{OverviewQuery, Range, Retention, Traffic, UsersQuery},
};

use super::{Site, pool};

/// Everything but who it was: totals, statuses, users, and how often nobody and this user asked.
async fn told(site: &Site, range: Range, user: &str) -> (i64, Vec<i64>, i64, i64, i64) {
    let overview = site.traffic.overview(&OverviewQuery::new(range).compare(false)).await.unwrap();
    let statuses = overview.status_code_summary.iter().map(|one| one.count).collect();
    let users = site.traffic.users(&UsersQuery::new(range)).await.unwrap().users;
    let of = |id: Option<&str>| users.iter().find(|one| one.user_id.as_deref() == id).map_or(0, |one| one.count);
    (overview.total_requests, statuses, overview.unique_users, of(None), of(Some(user)))
}

#[tokio::test]
async fn a_user_who_is_forgotten_is_nowhere_and_all_counts_stand() {
    let site = Site::new("forget").await;
    let today = OffsetDateTime::now_utc().replace_time(tracevault::time::Time::MIDNIGHT);
    let from = today - Duration::days(6);
    site.traffic.make_days(from.date(), today.date()).await.unwrap();
    site.fill(2_000, from, 6 * 86_400).await;
    site.roll().await;
    // Of some days only rollups are left.
    let keep = Retention { raw: Some(2), ..Retention::default() };
    let keeper = Traffic::builder(pool()).table_name(&site.name).roll_up(false).retention(keep).build().unwrap();
    for _ in 0..2 {
        keeper.roll_up().await.unwrap().unwrap();
    }
    let rows = site.one::<i64>("SELECT count(*) FROM \"@\" WHERE user_id = 'u7'").await;
    let range = Range::new(from, today).unwrap();
    let (total, statuses, unique, nobody, seven) = told(&site, range, "u7").await;
    assert!(rows > 0 && seven > rows && nobody > 0);

    assert_eq!(site.traffic.forget_user("u7").await.unwrap(), rows.unsigned_abs());
    let known = "SELECT sum(n)::bigint FROM (SELECT count(*) AS n FROM \"@\" WHERE user_id = 'u7' OR user_name = 'Name 7' \
                 OR user_email LIKE '7@%' OR user_agent = 'agent 7' OR ip = '192.0.2.7' \
                 UNION ALL SELECT count(*) FROM \"@_user_1h\" WHERE user_id = 'u7' \
                 UNION ALL SELECT count(*) FROM \"@_user_1d\" WHERE user_id = 'u7' \
                 UNION ALL SELECT count(*) FROM \"@_user_hours\" WHERE user_id = 'u7' \
                 UNION ALL SELECT count(*) FROM \"@_user_days\" WHERE user_id = 'u7' \
                 UNION ALL SELECT count(*) FROM \"@_users\" WHERE user_id = 'u7' OR user_name = 'Name 7') AS one";
    let expected = (total, statuses, unique - 1, nobody + seven, 0);
    assert_eq!((site.one::<i64>(known).await, told(&site, range, "u7").await), (0, expected.clone()));
    // And after all that was touched is rolled up anew.
    site.roll().await;
    assert_eq!((site.one::<i64>(known).await, told(&site, range, "u7").await), (0, expected));
    assert_eq!(site.traffic.forget_user("u7").await.unwrap(), 0);
    assert!(
        site.one::<i64>("SELECT count(*) FROM \"@\" WHERE user_name = 'Name 8'").await > 0,
        "others are left alone"
    );

    for id in ["", " \t", "u\0"] {
        assert!(matches!(site.traffic.forget_user(id).await, Err(Error::Validation(_))), "{id:?}");
    }
    site.drop().await;
}
