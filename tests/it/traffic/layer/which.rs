//! Which requests are counted.

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use tracevault::{
    http::Matcher,
    regex::{self, Regex},
    traffic::{RouteValue, Traffic},
};

use super::{super::pool, *};

/// The four kinds of matcher, and the one of all forms, that mean this very text, or what begins with it.
fn kinds(text: &str) -> [Matcher; 5] {
    let [one, other] = [text.to_owned(), text.to_owned()];
    [
        Matcher::from(text),
        Matcher::from(format!("{text}*")),
        Matcher::from(Regex::new(&format!("^{}$", regex::escape(text))).unwrap()),
        Matcher::from(move |given: &str| given == one),
        Matcher::of_all(move |forms| [forms.route, Some(forms.path), Some(forms.url)].contains(&Some(&*other))),
    ]
}

/// Pattern, path and full URL by each kind of matcher, to include and to ignore, whatever stands in `route`.
#[tokio::test]
async fn each_kind_of_matcher_is_tried_on_each_form() {
    let site = Site::new("which_forms").await;
    let segment = "(/[a-z]{1,5}){1,3}";
    let strategy = (segment, "[0-9]{1,4}", "[a-z]{1,4}=[a-z]{1,4}");
    let mut runner = TestRunner::deterministic();
    let mut counted = 0;
    for case in 0..4_usize {
        let (prefix, id, query) = strategy.new_tree(&mut runner).unwrap().current();
        let pattern = format!("{prefix}/{{id}}");
        let path = format!("{prefix}/{id}");
        let url = format!("{path}?{query}");
        let value = [RouteValue::Pattern, RouteValue::Path, RouteValue::OriginalUrl][case % 3];
        for text in [&pattern, &path, &url] {
            for matcher in kinds(text) {
                for includes in [true, false] {
                    let one = matcher.clone();
                    let builder = Traffic::builder(pool()).table_name(&site.name).roll_up(false).route_value(value);
                    let builder = if includes { builder.include_routes([one]) } else { builder.ignored_routes([one]) };
                    let traffic = builder.build().unwrap();
                    let app = Router::new().route(&pattern, get(|| async {})).layer(traffic.layer());
                    // By HTTP/2 a URI names the host.
                    let uri = if case % 2 == 0 { url.clone() } else { format!("https://shop.example{url}") };
                    assert_eq!(ask(&app, request(&uri)).await.status(), 200);
                    let meant = traffic.stats().accepted;
                    assert_eq!(meant, u64::from(includes), "{matcher:?} {uri}");
                    ask(&app, request("/-/other?x=y")).await;
                    assert_eq!(traffic.stats().accepted, 1, "{matcher:?} {uri}");
                    traffic.flush().await;
                    counted += 1;
                }
            }
        }
    }
    assert_eq!(site.one::<i64>("SELECT count(*) FROM \"@\"").await, counted);
    assert_eq!(counted, 4 * 3 * 5 * 2);
    site.drop().await;
}

#[tokio::test]
async fn everything_is_counted_unless_it_is_ignored() {
    let asked = ["/", "/health", "/products?page=1", "/api/users/7", "/favicon.ico", "/API/users/7"];
    let (site, app) = Site::serving("which_all", api(), |builder| builder).await;
    get_all(&app, &asked).await;
    let rows = [
        "200 / -",
        "200 /health -",
        "200 /products -",
        "200 /api/users/{id} -",
        "404 /favicon.ico <unmatched>",
        "404 /API/users/7 <unmatched>",
    ];
    assert_eq!(site.rows("status_code, route, rollup_route").await, rows);
    site.drop().await;

    let (site, app) = Site::serving("which_some", api(), |builder| {
        builder
            .include_routes(["/api/*", "/health"])
            .include_routes([Regex::new("^/products").unwrap()])
            .ignored_routes([Matcher::from("/health"), Matcher::of_all(|forms| forms.route.is_none())])
    })
    .await;
    get_all(&app, &asked).await;
    get_all(&app, &["/api", "/api/none"]).await;
    assert_eq!(site.rows("original_url").await, ["/products?page=1", "/api/users/7"]);
    site.drop().await;
}

/// The path behind `/media/file/*` chooses; the pattern is stored.
#[tokio::test]
async fn what_is_stored_as_route_does_not_choose() {
    let app = Router::new().route("/media/file/{stored_name}", get(|| async {}));
    let (site, app) = Site::serving("which_media", app, |builder| builder.include_routes(["/media/file/177*"])).await;
    get_all(&app, &["/media/file/1772884983691.jpeg", "/media/file/99.jpeg"]).await;
    let rows = ["/media/file/{stored_name} /media/file/1772884983691.jpeg"];
    assert_eq!(site.rows("route, original_url").await, rows);
    site.drop().await;
}

#[tokio::test]
async fn a_matcher_that_panics_leaves_the_request_in() {
    fn no(_: &str) -> bool {
        std::panic::resume_unwind(Box::new("no"))
    }
    let (site, app) = Site::serving("which_panics", api(), |builder| {
        builder.include_routes([Matcher::from(no)]).ignored_routes([Matcher::from(no), Matcher::from("/health")])
    })
    .await;
    get_all(&app, &["/products", "/health"]).await;
    assert_eq!(site.rows("route").await, ["/products"]);
    assert_eq!(site.traffic.stats().panics, 4);
    site.drop().await;
}

#[tokio::test]
async fn nested_routers_keep_the_full_pattern_wherever_the_layer_stands() {
    let site = Site::new("which_nested").await;
    let users = || Router::new().route("/{id}", get(|| async {})).route("/", post(|| async {}));
    let inside = Router::new().nest("/api", Router::new().nest("/users", users().layer(site.traffic.layer())));
    let outside = Router::new().nest("/api", Router::new().nest("/users", users())).layer(site.traffic.layer());
    for app in [&inside, &outside] {
        get_all(app, &["/api/users/7?x=1", "/api/users"]).await;
        ask(app, request("/api/users").method("POST")).await;
    }
    let of_each = [
        "GET 200 /api/users/{id} - /api/users/7?x=1",
        "GET 405 /api/users - /api/users",
        "POST 200 /api/users - /api/users",
    ];
    let columns = "method, status_code, route, rollup_route, original_url";
    assert_eq!(site.rows(columns).await, [of_each, of_each].concat());
    // A layer on a nested router does not see the others; one outside of all sees each.
    get_all(&inside, &["/other"]).await;
    assert_eq!(site.rows("id").await.len(), 6);
    get_all(&outside, &["/other"]).await;
    assert_eq!(site.rows("route, rollup_route").await.last().unwrap(), "/other <unmatched>");
    site.drop().await;
}

#[tokio::test]
async fn a_scan_is_one_route_to_the_rollups() {
    let (site, app) = Site::serving("which_scan", api(), |builder| builder).await;
    for number in 0..50 {
        ask(&app, request(&format!("/wp-{number}.php"))).await;
    }
    site.traffic.flush().await;
    // Into a minute that is over.
    site.run("UPDATE \"@\" SET started_at = started_at - interval '2 hours', ended_at = ended_at - interval '2 hours'")
        .await;
    site.roll().await;
    let sql = "SELECT string_agg(DISTINCT concat_ws(' ', route, n), ',') FROM \"@_route_1h\" WHERE n > 0";
    assert_eq!(site.one::<String>(sql).await, "<unmatched> 50");
    site.drop().await;
}
