//! Streams of one process.

use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Request, header};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tracevault::{
    dashboard::{DashboardBuilder, LiveMode},
    traffic::{Seen, UserDetails},
};

use super::{App, Events, read, seen};
use crate::traffic::Site;

fn sse(builder: DashboardBuilder) -> DashboardBuilder {
    builder.live_mode(LiveMode::Sse)
}

#[tokio::test]
async fn a_new_request_is_sent_as_it_is_stored() {
    let site = Site::new("sse").await;
    let app = App::start(&site.traffic, sse).await;
    let mut events = app.stream("/stream", None).await;
    let start = Instant::now();
    let id = app.request("/live?<script>").await;
    let told = events.next().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!((told.event.as_str(), told.id), ("traffic:new-request", Some(id)));
    let live = app.get("/live?limit=1", None).await.text().await.unwrap();
    let live: serde_json::Value = serde_json::from_str(&live).unwrap();
    assert_eq!(told.data, live["requests"][0], "the same as by asking");
    assert_eq!(told.data.as_object().unwrap().len(), 10);
    assert_eq!(told.data["originalUrl"], "/live?<script>");
    site.drop().await;
}

#[tokio::test]
async fn who_comes_again_gets_what_was_stored_meanwhile() {
    let site = Site::new("sse_again").await;
    let app = App::start(&site.traffic, sse).await;
    let first = app.request("/1").await;
    site.run("UPDATE \"@\" SET created_at = now() - interval '1 minute'").await;
    let (second, third) = (app.request("/2").await, app.request("/3").await);
    for (path, last) in [(format!("/stream?after={first}"), None), ("/stream".to_owned(), Some(first))] {
        let mut events = app.stream(&path, last).await;
        assert_eq!([events.id().await, events.id().await], [second, third]);
        let fourth = app.request("/4").await;
        assert_eq!(events.id().await, fourth);
        site.run(&format!("DELETE FROM \"@\" WHERE id = {fourth}")).await;
    }
    // The header is of a later event than the address.
    let mut events = app.stream(&format!("/stream?after={first}"), Some(second)).await;
    site.run("UPDATE \"@\" SET created_at = now() - interval '1 minute'").await;
    assert!(events.id().await >= second);
    site.drop().await;
}

#[tokio::test]
async fn only_what_is_asked_for_is_sent() {
    let site = Site::new("sse_filter").await;
    let app = App::start(&site.traffic, sse).await;
    let other = || Seen {
        method: "POST",
        status: 503,
        duration: Duration::from_secs(2),
        user: UserDetails { id: Some("ben".into()), ..UserDetails::default() },
        ..seen("/other")
    };
    let before = app.request("/0").await;
    site.traffic.record(other());
    site.traffic.flush().await;
    for filter in ["method=POST", "status=503", "status=5xx", "user=ben", "slow=1", "user=ben&status=5xx"] {
        let mut events = app.stream(&format!("/stream?{filter}"), Some(before)).await;
        assert!(events.id().await > before, "{filter}, of the past");
        app.request("/1").await;
        site.traffic.record(other());
        site.traffic.flush().await;
        let mut told = events.next().await.unwrap();
        while told.id != Some(site.one("SELECT max(id) FROM \"@\"").await) {
            assert_eq!(told.data["userId"], "ben", "{filter}");
            told = events.next().await.unwrap();
        }
    }
    site.drop().await;
}

#[tokio::test]
async fn of_many_that_were_missed_the_newest_come_and_the_rest_is_counted() {
    let site = Site::new("sse_gap").await;
    let app = App::start(&site.traffic, sse).await;
    let last = app.request("/1").await;
    for _ in 0..620 {
        site.traffic.record(seen("/x"));
    }
    site.traffic.flush().await;
    let mut events = app.stream("/stream", Some(last)).await;
    let gap = events.next().await.unwrap();
    assert_eq!((gap.event.as_str(), gap.id, gap.data["missed"].as_i64()), ("traffic:gap", None, Some(120)));
    let newest = site.one::<i64>("SELECT max(id) FROM \"@\"").await;
    for id in newest - 499..=newest {
        assert_eq!(events.id().await, id);
    }
    assert_eq!(app.request("/2").await, events.id().await);
    site.drop().await;
}

#[tokio::test]
async fn there_are_so_many_streams_and_no_more() {
    let site = Site::new("sse_most").await;
    let app = App::start(&site.traffic, sse).await;
    let mut all: Vec<Events> = Vec::new();
    for _ in 0..64 {
        all.push(app.stream("/stream", None).await);
    }
    let refused = app.get("/stream", None).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "5");
    assert_eq!(refused.headers()["content-type"], "application/problem+json; charset=utf-8");
    drop(all.pop());
    // Until the server has seen it.
    while app.get("/stream", None).await.status() == 503 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let id = app.request("/1").await;
    for events in &mut all {
        assert_eq!(events.id().await, id);
    }
    site.drop().await;
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_missed_and_nobody_waits_for_it() {
    let site = Site::new("sse_slow").await;
    let router = sse(site.traffic.dashboard().insecure_no_auth()).build().unwrap();
    let request = Request::get("/api/stream").header(header::HOST, "localhost").body(Body::empty()).unwrap();
    let mut body = router.oneshot(request).await.unwrap().into_body();
    let first = async |body: &mut Body| {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        read(std::str::from_utf8(&frame).unwrap().trim_end()).unwrap()
    };
    assert_eq!(first(&mut body).await.retry, Some(3_000));
    site.traffic.record(seen("/x"));
    site.traffic.flush().await;
    let id = first(&mut body).await.id.unwrap();
    // Nobody reads now.
    for _ in 0..70 {
        site.traffic.record(seen("/x"));
        site.traffic.record(seen("/y"));
        site.traffic.flush().await;
    }
    assert_eq!(site.traffic.stats().stored, 141);
    let gap = first(&mut body).await;
    assert_eq!((gap.event.as_str(), gap.data["missed"].as_i64()), ("traffic:gap", Some(12)));
    for next in id + 13..=id + 140 {
        assert_eq!(first(&mut body).await.id, Some(next));
    }
    site.drop().await;
}

#[tokio::test]
async fn streams_end_when_the_traffic_is_closed_and_a_server_stops_at_once() {
    let site = Site::new("sse_close").await;
    let mut app = App::start(&site.traffic, sse).await;
    let mut events = app.stream("/stream", None).await;
    let start = Instant::now();
    site.traffic.close(Duration::from_secs(5)).await;
    assert_eq!(events.next().await, None);
    let _ = app.stop.take().unwrap().send(());
    app.served.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    site.drop().await;
}

/// It takes half a minute.
#[tokio::test]
async fn a_stream_lasts_half_a_minute_and_a_server_that_stops_waits_no_longer() {
    if !std::env::var("TRACEVAULT_LONG").is_ok_and(|long| long == "1") {
        return;
    }
    let site = Site::new("sse_end").await;
    let mut app = App::start(&site.traffic, sse).await;
    let mut response = app.get("/stream", None).await;
    let start = Instant::now();
    let _ = app.stop.take().unwrap().send(());
    let mut text = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert_eq!(text, "retry: 3000\n\n:\n\nretry: 50\n\n");
    app.served.await.unwrap();
    assert!((29..32).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    site.drop().await;
}
