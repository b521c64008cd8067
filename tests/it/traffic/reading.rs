//! Lists, pages, single users, and limits.

use std::time::Duration as StdDuration;

use tracevault::{
    time::{Duration, OffsetDateTime, macros::datetime},
    traffic::{
        ErrorsQuery, LiveQuery, OverviewQuery, Range, RequestFilter, RouteSort, RoutesQuery, UserSort, UsersQuery,
    },
};

use super::Site;

const FROM: OffsetDateTime = datetime!(2026-03-07 00:00 UTC);
const TO: OffsetDateTime = datetime!(2026-03-09 13:07 UTC);

fn range() -> Range {
    Range::new(FROM, TO).unwrap()
}

#[tokio::test]
async fn pages_of_routes_and_users_hold_each_once_in_every_order() {
    let site = Site::new("pages").await;
    site.fill(800, FROM, 2 * 86_400).await;
    site.roll().await;
    site.fill(100, FROM, 3_000).await;
    for sort in ["count", "averageDurationMs", "maxMs", "errorCount", "errorRate", "slowCount", "lastSeen", "route"] {
        let mut query = RoutesQuery::new(range());
        query.sort = sort.parse().unwrap();
        let all = site.traffic.routes(&query).await.unwrap().routes;
        assert_eq!(all.len(), 12);
        if query.sort == RouteSort::Route {
            assert!(all.is_sorted_by_key(|one| (one.route.clone(), one.method.clone())));
        }
        if query.sort == RouteSort::ErrorRate {
            assert!(all.is_sorted_by(|one, other| one.error_rate >= other.error_rate));
        }
        query.limit = 5;
        let mut paged = Vec::new();
        loop {
            let page = site.traffic.routes(&query).await.unwrap();
            paged.extend(page.routes);
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        let names = |routes: &[tracevault::traffic::RouteRow]| -> Vec<String> {
            routes.iter().map(|one| format!("{} {} {}", one.method, one.route, one.count)).collect()
        };
        assert_eq!(names(&paged), names(&all), "{sort}");
    }
    for sort in ["count", "errorCount", "slowCount", "lastSeen"] {
        let mut query = UsersQuery::new(range());
        query.sort = sort.parse().unwrap();
        let all = site.traffic.users(&query).await.unwrap().users;
        assert_eq!(all.len(), 21, "twenty, and all of those without an id as one");
        assert_eq!(all.iter().filter(|user| user.user_id.is_none()).count(), 1);
        query.limit = 4;
        let mut paged = Vec::new();
        loop {
            let page = site.traffic.users(&query).await.unwrap();
            paged.extend(page.users);
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        let ids = |users: &[tracevault::traffic::UserRow]| -> Vec<_> {
            users.iter().map(|one| one.user_id.clone()).collect()
        };
        assert_eq!(ids(&paged), ids(&all), "{sort}");
    }
    assert!("n; DROP TABLE".parse::<RouteSort>().is_err() && "p95Ms".parse::<UserSort>().is_err());
    for (limit, cursor) in [(0, None), (501, None), (5, Some("[1]")), (5, Some("'")), (5, Some("[\"a\",\"b\",\"c\"]"))]
    {
        let (mut routes, mut users) = (RoutesQuery::new(range()), UsersQuery::new(range()));
        (routes.limit, routes.cursor) = (limit, cursor.map(str::to_owned));
        (users.limit, users.cursor) = (limit, cursor.map(str::to_owned));
        assert!(site.traffic.routes(&routes).await.is_err() && site.traffic.users(&users).await.is_err());
    }
    site.drop().await;
}

#[tokio::test]
async fn searches_mean_what_they_say_to_the_letter() {
    let site = Site::new("search").await;
    site.fill(600, FROM, 86_400).await;
    site.run("UPDATE \"@\" SET route = '/50%_off''\\' WHERE route = '/r/3'").await;
    site.roll().await;
    for (search, found) in [("%", 1), ("'", 1), ("0%_O", 1), ("\\", 1), ("/r/1", 2), ("\0", 12), ("unmatched", 1)] {
        let mut query = RoutesQuery::new(range());
        query.search = Some(search.to_owned());
        let got = site.traffic.routes(&query).await.unwrap().routes.len();
        assert_eq!(got, found, "{search:?}");
    }
    let mut query = RoutesQuery::new(range());
    query.method = Some("POST".to_owned());
    assert!(site.traffic.routes(&query).await.unwrap().routes.iter().all(|one| one.method == "POST"));
    for (search, found) in [("u7", 1), ("name 7", 1), ("3@EXAMPLE", 1), ("nobody", 0)] {
        let mut query = UsersQuery::new(range());
        query.search = Some(search.to_owned());
        assert_eq!(site.traffic.users(&query).await.unwrap().users.len(), found, "{search}");
    }
    site.drop().await;
}

#[tokio::test]
async fn a_user_is_told_with_everything_that_is_known() {
    let site = Site::new("user").await;
    site.fill(2_000, FROM, 2 * 86_400).await;
    site.roll().await;
    for id in ["u3", "u8"] {
        let detail = site.traffic.user(id, range()).await.unwrap().unwrap();
        let value = serde_json::to_value(&detail).unwrap();
        for key in ["user", "routes", "slowRoutes", "errorRoutes", "devices", "ipAddresses", "sessions"] {
            assert!(value.get(key).is_some(), "{key}");
        }
        let count = |what: &str, group: &str, condition: &str| {
            format!(
                "SELECT coalesce(string_agg(line, ';' ORDER BY n DESC, line COLLATE \"C\"), '') FROM (SELECT concat({what}, '=', \
                 sum(weight)) AS line, sum(weight) AS n FROM (SELECT *, coalesce(rollup_route, route) AS name FROM \"@\") AS r \
                 WHERE user_id = '{id}' AND {condition} GROUP BY {group}) AS one"
            )
        };
        let lines = |mut lines: Vec<(i64, String)>| {
            lines.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
            lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join(";")
        };
        let line = |name: String, n: i64| (n, format!("{name}={n}"));
        let routes = |routes: &[tracevault::traffic::UserRoute]| {
            lines(routes.iter().map(|one| line(format!("{} {}", one.method, one.route), one.count)).collect())
        };
        let name = "method, ' ', name";
        assert_eq!(routes(&detail.routes), site.one::<String>(&count(name, "method, name", "true")).await);
        assert_eq!(routes(&detail.slow_routes), site.one::<String>(&count(name, "method, name", "is_slow")).await);
        let errors = detail.error_routes.iter();
        let errors = errors.map(|one| line(format!("{} {} {}", one.method, one.route, one.status_code), one.count));
        let sql = count("method, ' ', name, ' ', status_code", "method, name, status_code", "status_code >= 400");
        assert_eq!(lines(errors.collect()), site.one::<String>(&sql).await);
        let devices = detail.devices.iter().map(|one| line(one.user_agent.clone(), one.count)).collect();
        assert_eq!(
            lines(devices),
            site.one::<String>(&count("user_agent", "user_agent", "user_agent IS NOT NULL")).await
        );
        let addresses = detail.ip_addresses.iter().map(|one| line(one.ip.clone(), one.count)).collect();
        assert_eq!(lines(addresses), site.one::<String>(&count("ip", "ip", "ip IS NOT NULL")).await);
        let sessions = detail.sessions.iter().map(|one| line(one.session_id.clone(), one.count)).collect();
        assert_eq!(lines(sessions), site.one::<String>(&count("session_id", "session_id", "true")).await);
        let total = format!("SELECT sum(weight)::bigint FROM \"@\" WHERE user_id = '{id}'");
        assert_eq!((detail.count, detail.truncated), (site.one::<i64>(&total).await, false));
        let seen = format!("SELECT min(started_at) FROM \"@\" WHERE user_id = '{id}'");
        assert_eq!(detail.user.first_seen, Some(site.one::<OffsetDateTime>(&seen).await));
        assert_eq!(detail.user.name, Some(format!("Name {}", &id[1..])));
    }
    assert!(site.traffic.user("nobody", range()).await.unwrap().is_none());
    assert!(site.traffic.user("a\0", range()).await.unwrap().is_none());
    // Known, but not in this range.
    let empty = Range::new(TO, TO + Duration::hours(1)).unwrap();
    let detail = site.traffic.user("u3", empty).await.unwrap().unwrap();
    assert!((detail.count, detail.routes.len()) == (0, 0) && detail.user.last_seen.is_some());
    site.drop().await;
}

#[tokio::test]
async fn live_rows_come_behind_their_cursor_and_late_commits_are_not_passed_over() {
    let mut site = Site::new("live").await;
    let row = |path: &str| {
        format!(
            "INSERT INTO \"{}\" (started_at, ended_at, duration_us, is_slow, method, route, original_url, status_code, user_id) \
             VALUES (now(), now(), 5000, false, 'GET', '{path}', '{path}', 404, 'ann')",
            site.name
        )
    };
    let (one, early, late) = (row("/one"), row("/early"), row("/late"));
    site.run(&one).await;
    let first = site.traffic.live(&LiveQuery::new()).await.unwrap();
    assert_eq!(first.requests.len(), 1);
    // It takes its id now, and commits behind the next one.
    let mut other = crate::kit::client().await;
    let transaction = other.transaction().await.unwrap();
    transaction.execute(&early, &[]).await.unwrap();
    site.run(&late).await;
    let paths = |live: &tracevault::traffic::Live| -> Vec<String> {
        live.requests.iter().map(|row| row.route.clone()).collect()
    };
    let second = site.traffic.live(&LiveQuery::new().after(first.cursor)).await.unwrap();
    assert!(paths(&second).contains(&"/late".to_owned()));
    transaction.commit().await.unwrap();
    let third = site.traffic.live(&LiveQuery::new().after(second.cursor)).await.unwrap();
    assert!(paths(&third).contains(&"/early".to_owned()), "{:?}", paths(&third));
    assert_eq!(third.cursor, second.cursor);
    // Whoever has looked away since has not seen it either.
    site.run("UPDATE \"@\" SET created_at = created_at - interval '1 minute'").await;
    let later = site.traffic.live(&LiveQuery::new().after(second.cursor)).await.unwrap();
    assert!(paths(&later).contains(&"/early".to_owned()), "{:?}", paths(&later));

    let filtered = |filter| LiveQuery::new().filter(filter);
    for (filter, found) in [
        (RequestFilter::new().status("4xx").unwrap(), 3),
        (RequestFilter::new().status("404").unwrap().user_id("ann"), 3),
        (RequestFilter::new().status("5xx").unwrap(), 0),
        (RequestFilter::new().route("/late").method("GET").slow(false), 1),
        (RequestFilter::new().user_id("' OR true --"), 0),
    ] {
        assert_eq!(site.traffic.live(&filtered(filter.clone())).await.unwrap().requests.len(), found, "{filter:?}");
        let behind = filtered(filter).after(0);
        assert_eq!(site.traffic.live(&behind).await.unwrap().requests.len(), found);
    }
    for status in ["", "4x", "99", "1000", "xxx", "4xy"] {
        assert!(RequestFilter::new().status(status).is_err(), "{status}");
    }
    assert!(site.traffic.live(&LiveQuery::new().limit(501)).await.is_err());
    site.sql = other;
    site.drop().await;
}

#[tokio::test]
async fn errors_are_filtered_by_route_and_status() {
    let site = Site::new("wrong").await;
    site.fill(1_000, FROM, 86_400).await;
    site.roll().await;
    let mut query = ErrorsQuery::new(range());
    query.filter = RequestFilter::new().status("5xx").unwrap().route("/r/5");
    let errors = site.traffic.errors(&query).await.unwrap();
    assert!(!errors.groups.is_empty() && errors.classes.client == 0 && errors.classes.aborted == 0);
    let truth = "SELECT sum(weight)::bigint FROM \"@\" WHERE route = '/r/5' AND status_code >= 500";
    assert_eq!(errors.classes.server, site.one::<i64>(truth).await);
    assert!(errors.latest.iter().all(|row| row.status_code >= 500 && row.route == "/r/5"));
    site.drop().await;
}

#[tokio::test]
async fn a_range_is_one() {
    assert!(Range::new(TO, FROM).is_err() && Range::new(TO, TO).is_err());
    assert!(Range::new(FROM, FROM + Duration::days(4_000)).is_err());
    assert!(Range::last(StdDuration::MAX).is_err());
    let site = Site::new("empty").await;
    site.check(FROM, TO).await;
    site.drop().await;
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_given_up_and_the_next_is_answered() {
    let site = Site::with("timeout", |builder| builder.query_timeout(StdDuration::from_millis(200)).readers(1)).await;
    site.run("BEGIN; LOCK TABLE \"@_total_1m\" IN ACCESS EXCLUSIVE MODE").await;
    let query = OverviewQuery::new(Range::new(FROM, FROM + Duration::minutes(10)).unwrap());
    let error = site.traffic.overview(&query).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("57014"), "{error}");
    site.run("COMMIT").await;
    site.traffic.overview(&query).await.unwrap();
    site.drop().await;
}
