//! Lists: paging without a script, sorting, searching, and taking them away.

use axum::body::Body;
use http::{Request, StatusCode, header};
use tracevault::dashboard::Viewer;

use super::{hrefs, page, plain, rows};
use crate::dashboard::kit::{board, board_with, get, send};

#[tokio::test]
async fn paging_without_a_script_shows_each_route_and_each_user_once() {
    let (site, app) = board("page_paging").await;
    for (list, id, count) in [
        (
            "routes",
            "routes",
            "SELECT count(*) FROM (SELECT DISTINCT method, coalesce(rollup_route, route) FROM \"@\") AS one",
        ),
        ("users", "users", "SELECT count(DISTINCT coalesce(user_id, '')) FROM \"@\""),
    ] {
        let mut path = format!("/board/{list}?range=240m&limit=5");
        let mut seen = Vec::new();
        let expected = site.one::<i64>(count).await;
        loop {
            let shown = page(&app, &path).await;
            let table = shown.text.split_once("<tbody>").unwrap().1.split_once("</tbody>").unwrap().0.to_owned();
            seen.extend(
                table.split("<tr>").skip(1).map(|row| plain(&format!("<td{}", row.split("<td").nth(1).unwrap()))),
            );
            let Some((before, _)) = shown.text.split_once("rel=\"next\"") else { break };
            path = before.rsplit("href=\"").next().unwrap().split('"').next().unwrap().replace("&#38;", "&");
            // What comes while somebody turns the pages moves nothing on them.
            site.run(
                "INSERT INTO \"@\" (started_at, ended_at, duration_us, is_slow, method, route, original_url, status_code, \
                 user_id) SELECT now(), now(), 9, false, 'GET', '/r/' || n % 12, '/', 200, 'u' || n % 20 + 1 \
                 FROM generate_series(1, 500) AS n WHERE n % 12 > 8",
            )
            .await;
        }
        let mut once = seen.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), seen.len(), "{seen:?}");
        assert_eq!(i64::try_from(seen.len()).unwrap(), expected, "{list} {id}: {seen:?}");
        assert_eq!(list == "users", seen.iter().any(|name| name == "anonymous"));
    }
    site.drop().await;
}

#[tokio::test]
async fn columns_sort_and_a_search_finds() {
    let (site, app) = board("page_sort").await;
    let shown = page(&app, "/board/routes?range=240m").await;
    assert!(shown.text.contains("aria-sort=\"descending\"><a"));
    for (sort, column) in [("count", 1), ("errorRate", 3), ("averageDurationMs", 4), ("maxMs", 7), ("slowCount", 8)] {
        assert!(hrefs(&shown).contains(&format!("/board/routes?range=240m&sort={sort}")), "{sort}");
        let sorted = page(&app, &format!("/board/routes?range=240m&sort={sort}")).await;
        let numbers: Vec<f64> = rows(&sorted, "routes").iter().map(|row| row[column].parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|one, other| one >= other), "{sort}: {numbers:?}");
    }
    let found = page(&app, "/board/routes?range=240m&q=R%2F1").await;
    assert!(!rows(&found, "routes").is_empty());
    assert!(rows(&found, "routes").len() < rows(&shown, "routes").len());
    assert!(found.text.contains("data-testid=\"chip-q\"") && found.text.contains("value=\"R/1\""));
    let found = page(&app, "/board/users?range=240m&q=name+7").await;
    assert_eq!(rows(&found, "users").len(), 1);
    site.drop().await;
}

#[tokio::test]
async fn a_list_is_taken_away_as_it_is_shown() {
    let (site, app) = board("page_csv").await;
    site.run("UPDATE \"@\" SET user_name = '=HYPERLINK(\"x\")', user_email = '+1,\"a\"' WHERE user_id = 'u3'").await;
    site.run("UPDATE \"@_users\" SET user_name = '=HYPERLINK(\"x\")', user_email = '+1,\"a\"' WHERE user_id = 'u3'")
        .await;
    let shown = page(&app, "/board/users?range=240m&limit=7").await;
    let csv = hrefs(&shown).into_iter().find(|href| href.contains("format=csv")).unwrap();
    let answer = get(&app, &csv).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"users.csv\"");
    let lines: Vec<&str> = answer.text.trim_end().split("\r\n").collect();
    assert_eq!(lines[0], "\"User\",\"E-mail\",\"Requests\",\"Errors\",\"Slow\",\"Last seen\"");
    assert_eq!(lines.len(), 8);
    for (line, row) in lines[1..].iter().zip(rows(&shown, "users")) {
        assert!(line.contains(&format!(",\"{}\",\"{}\",\"{}\",", row[2], row[3], row[4])), "{line} {row:?}");
    }
    let all = get(&app, "/board/users?range=240m&limit=100&format=csv&panel=users").await.text;
    assert!(all.contains("\"'+1,\"\"a\"\"\""), "{all}");
    assert!(!all.contains(",\"=") && !all.contains("\n\"="), "{all}");
    for (path, status) in [
        ("/board/users?format=csv&panel=nothing", StatusCode::BAD_REQUEST),
        ("/board/users?format=xlsx&panel=users", StatusCode::BAD_REQUEST),
        ("/board/users/nobody?format=csv&panel=routes", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(get(&app, path).await.status, status, "{path}");
    }
    site.drop().await;
}

#[tokio::test]
async fn who_may_only_look_takes_no_list_away() {
    let (site, app) = board_with("page_reader", |builder| builder.authorize(|_| Some(Viewer::read_only("ann")))).await;
    let ask = |path: &str| Request::get(path).header(header::HOST, "localhost").body(Body::empty()).unwrap();
    let shown = send(&app, ask("/board")).await;
    assert!(shown.status == StatusCode::OK && !shown.text.contains("format=csv"));
    assert_eq!(send(&app, ask("/board?format=csv&panel=latest")).await.status, StatusCode::FORBIDDEN);
    site.drop().await;
}
