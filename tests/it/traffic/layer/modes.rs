//! What is kept of a request.

use std::time::Duration;

use axum::http::StatusCode;
use tracevault::{
    http::{RequestAudit, TrustedProxies},
    traffic::{IpMode, PrivacySignals, QueryMode, RouteValue, UaMode, UserDetails, from_header},
};

use super::*;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[tokio::test]
async fn addresses_are_kept_as_asked_and_proxies_believed_if_trusted() {
    let proxies = || TrustedProxies::new(["10.0.0.0/8"]).unwrap();
    for (mode, trusted, expected) in [
        (IpMode::Off, true, ["-", "-", "-"]),
        (IpMode::Full, false, ["192.0.2.77", "10.0.0.1", "2001:db8:1:2::9"]),
        (IpMode::Full, true, ["192.0.2.77", "203.0.113.9", "2001:db8:1:2::9"]),
        (IpMode::Truncated, true, ["192.0.2.0/24", "203.0.113.0/24", "2001:db8:1::/48"]),
        (true.into(), true, ["192.0.2.77", "203.0.113.9", "2001:db8:1:2::9"]),
    ] {
        let (site, app) = Site::serving("modes_ip", api(), |builder| {
            let builder = builder.track_ip(mode);
            if trusted { builder.trusted_proxies(proxies()) } else { builder }
        })
        .await;
        for peer in ["192.0.2.77", "10.0.0.1", "2001:db8:1:2::9"] {
            ask(&app, from(peer, "/").header("x-forwarded-for", "6.6.6.6, 203.0.113.9")).await;
        }
        assert_eq!(site.rows("ip").await, expected, "{mode:?} {trusted}");
        site.drop().await;
    }
}

#[tokio::test]
async fn agents_are_kept_as_asked() {
    for (mode, expected) in [
        (None, FIREFOX),
        (Some(UaMode::Full), FIREFOX),
        (Some(UaMode::Family), "Firefox 140 / Linux / desktop"),
        (Some(UaMode::Off), "-"),
        (Some(false.into()), "-"),
    ] {
        let (site, app) = Site::serving("modes_ua", api(), |builder| match mode {
            Some(mode) => builder.user_agent(mode),
            None => builder,
        })
        .await;
        ask(&app, request("/").header("user-agent", FIREFOX)).await;
        ask(&app, request("/")).await;
        assert_eq!(site.rows("user_agent").await, [expected, "-"], "{mode:?}");
        site.drop().await;
    }
}

#[tokio::test]
async fn routes_and_queries_are_kept_as_asked() {
    let uri = "/api/users/7?page=2&access_token=hunter2";
    let masked = "/api/users/7?page=2&access_token=[REDACTED]";
    for (query, value, expected) in [
        (QueryMode::default(), RouteValue::default(), format!("/api/users/{{id}} {masked}")),
        (QueryMode::Full, RouteValue::Pattern, format!("/api/users/{{id}} {uri}")),
        (QueryMode::Drop, RouteValue::Path, "/api/users/7 /api/users/7".to_owned()),
        (QueryMode::Masked, RouteValue::OriginalUrl, format!("{masked} {masked}")),
        (QueryMode::Full, RouteValue::OriginalUrl, format!("{uri} {uri}")),
        (QueryMode::Drop, RouteValue::OriginalUrl, "/api/users/7 /api/users/7".to_owned()),
    ] {
        let (site, app) = Site::serving("modes_route", api(), |builder| builder.query(query).route_value(value)).await;
        // By HTTP/1.1, and as HTTP/2 has it.
        get_all(&app, &[uri, &format!("https://shop.example{uri}")]).await;
        assert_eq!(site.rows("route, original_url").await, [expected.clone(), expected], "{query:?} {value:?}");
        site.drop().await;
    }
}

#[tokio::test]
async fn who_does_not_want_to_be_followed_is_nobody_if_that_is_heeded() {
    let known = "u1 s1 192.0.2.77 curl/8.0";
    let said = |audit: RequestAudit| async move {
        audit
            .actor("u2", "user")
            .session("s2")
            .keep(UserDetails { name: Some("Ann".into()), ..UserDetails::default() });
    };
    for (signals, gpc, dnt) in [
        (PrivacySignals::default(), known, known),
        (PrivacySignals::Gpc, "- - - -", known),
        (PrivacySignals::GpcOrDnt, "- - - -", "- - - -"),
    ] {
        let (site, app) = Site::serving("modes_gpc", api().route("/said", get(said)), |builder| {
            let (user, session) = (from_header("x-user"), from_header("x-session"));
            builder.user_id(user).session_id(session).track_ip(true).privacy_signals(signals)
        })
        .await;
        let asked = |uri: &str, name: &'static str, value: &'static str| {
            let known = from("192.0.2.77", uri).header("x-user", "u1").header("x-session", "s1");
            known.header("user-agent", "curl/8.0").header(name, value)
        };
        ask(&app, asked("/", "sec-gpc", "1")).await;
        ask(&app, asked("/", "dnt", "1")).await;
        ask(&app, asked("/", "sec-gpc", "0")).await;
        ask(&app, asked("/", "dnt", "")).await;
        assert_eq!(site.rows("user_id, session_id, ip, user_agent").await, [gpc, dnt, known, known], "{signals:?}");
        ask(&app, asked("/said", "sec-gpc", "1")).await;
        let said = if signals == PrivacySignals::Ignored { "u1 Ann s2" } else { "- - -" };
        assert_eq!(site.rows("user_id, user_name, session_id").await[4], said, "{signals:?}");
        site.drop().await;
    }
}

#[tokio::test]
async fn a_sample_keeps_errors_and_slow_requests() {
    let app = api()
        .route("/fails", get(|| async { StatusCode::BAD_GATEWAY }))
        .route("/late", get(|| tokio::time::sleep(Duration::from_millis(110))));
    let (site, app) = Site::serving("modes_sample", app, |builder| {
        builder.sample_one_in(10).slow_route_threshold(Duration::from_millis(100))
    })
    .await;
    for _ in 0..30 {
        get_all(&app, &["/products", "/fails", "/nowhere"]).await;
    }
    get_all(&app, &["/late", "/late"]).await;
    site.traffic.flush().await;
    let sql = "SELECT string_agg(concat_ws(' ', route, rows, sum), ', ' ORDER BY route) FROM (SELECT route, count(*) AS rows, \
               sum(weight) FROM \"@\" GROUP BY route) AS routes";
    let rows = site.one::<String>(sql).await;
    // On a machine under load a quick one may be slow.
    if site.one::<i64>("SELECT count(*) FROM \"@\" WHERE is_slow").await == 2 {
        assert_eq!(rows, "/fails 30 30, /late 2 2, /nowhere 30 30, /products 3 30");
    }
    assert!(rows.contains("/fails 30 30") && rows.contains("/late 2 2") && rows.contains("/nowhere 30 30"), "{rows}");
    site.drop().await;
}

/// By the clock; the threshold itself, to the microsecond, is tried with the rules.
#[tokio::test]
async fn a_second_and_a_half_is_slow() {
    let app = api().route("/late", get(|| tokio::time::sleep(Duration::from_millis(1_500))));
    let (site, app) = Site::serving("modes_slow", app, |builder| builder).await;
    get_all(&app, &["/late"]).await;
    let mut quick = false;
    while !quick {
        let begun = std::time::Instant::now();
        get_all(&app, &["/products"]).await;
        quick = begun.elapsed() < Duration::from_millis(999);
    }
    let rows = site.rows("route, is_slow, duration_ms BETWEEN 1500 AND 5000").await;
    assert_eq!((&*rows[0], &**rows.last().unwrap()), ("/late true true", "/products false false"));
    site.drop().await;

    let (site, app) = Site::serving("modes_zero", api(), |builder| builder.slow_route_threshold(Duration::ZERO)).await;
    get_all(&app, &["/products"]).await;
    assert_eq!(site.rows("is_slow").await, ["true"]);
    site.drop().await;
}
