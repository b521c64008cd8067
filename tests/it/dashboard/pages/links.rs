//! Every link leads somewhere, and what is chosen stays chosen.

use std::collections::BTreeSet;

use axum::Router;
use http::StatusCode;

use super::{hrefs, page};
use crate::{
    dashboard::kit::{board, get},
    traffic::Site,
};

const PAGES: [&str; 7] = [
    "/board?range=240m",
    "/board/live?range=240m",
    "/board/routes?range=240m",
    "/board/route?range=240m&method=GET&route=%2Fr%2F5",
    "/board/users?range=240m",
    "/board/users/u3?range=240m",
    "/board/errors?range=240m",
];

#[tokio::test]
async fn no_link_of_any_page_is_broken() {
    let (site, app) = board("page_links").await;
    let mut links = BTreeSet::new();
    for path in PAGES {
        let shown = page(&app, path).await;
        // One of a kind is enough.
        let of = |kind: &str| hrefs(&shown).into_iter().find(|href| href.contains(kind));
        links.extend(["/requests/", "/users/", "/route?", "/errors?", "/live?"].into_iter().filter_map(of));
        links
            .extend(hrefs(&shown).into_iter().filter(|href| !href.contains("/requests/") && !href.contains("/users/")));
        for mark in
            ["data-testid=\"top\"", "data-testid=\"tabs\"", "data-testid=\"footer\"", "class=\"skip\"", "<main id"]
        {
            assert!(shown.text.contains(mark), "{path}: {mark}");
        }
    }
    links.retain(|href| href.starts_with('/'));
    assert!(links.len() > 60, "{}", links.len());
    for href in links {
        assert_eq!(get(&app, &href).await.status, StatusCode::OK, "{href}");
    }
    site.drop().await;
}

#[tokio::test]
async fn a_stretch_of_time_goes_along_and_a_filter_is_taken_off() {
    let (site, app) = board("page_state").await;
    let path = "/board/errors?from=2026-05-07T12:00&to=2026-05-07T13:00&status=5xx&cmp=0";
    let shown = page(&app, path).await;
    let tabs = shown.text.split_once("data-testid=\"tabs\"").unwrap().1.split_once("</nav>").unwrap().0;
    let stretch = "from=2026-05-07T12%3A00&#38;to=2026-05-07T13%3A00&#38;cmp=0";
    assert_eq!(tabs.matches(stretch).count(), 5, "{tabs}");
    let chip = shown.text.split_once("data-testid=\"chip-status\"").unwrap().1;
    let off = chip.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(off, format!("/board/errors?{stretch}"));
    // The form of another stretch keeps the filter.
    assert!(shown.text.contains("<input type=\"hidden\" name=\"status\" value=\"5xx\">"));
    assert!(shown.text.contains("name=\"from\" required value=\"2026-05-07T12:00\""));
    // What a page takes no notice of is told as that.
    assert!(page(&app, "/board/users?status=5xx").await.text.contains("not on this page"));
    assert!(!shown.text.contains("not on this page"));
    site.drop().await;
}

#[tokio::test]
async fn names_that_are_awkward_in_a_url_are_found() {
    let (site, app): (Site, Router) = board("page_awkward").await;
    for (id, encoded) in [("a/b?c#d%e f", "a%2Fb%3Fc%23d%25e%20f"), ("ü", "%C3%BC"), ("x&y=z", "x%26y%3Dz")] {
        site.run(&format!(
            "UPDATE \"@\" SET user_id = '{id}' WHERE id = (SELECT max(id) FROM \"@\" WHERE user_id LIKE 'u%')"
        ))
        .await;
        site.roll().await;
        let users = page(&app, "/board/users?range=240m&limit=100").await;
        let link = format!("/board/users/{encoded}?range=240m");
        assert!(hrefs(&users).contains(&link), "{id}");
        assert!(page(&app, &link).await.text.contains("data-testid=\"user-id\""), "{id}");
    }
    site.drop().await;
}

#[tokio::test]
async fn what_a_page_loads_is_small_and_from_here() {
    let (site, app) = board("page_assets").await;
    let shown = page(&app, "/board").await;
    let mut loaded = 0;
    for asset in ["app.css", "app.js", "theme.js", "uPlot.js"] {
        let (before, _) = shown.text.split_once(&format!("/{asset}\"")).unwrap();
        let path = format!("{}/{asset}", before.rsplit('"').next().unwrap());
        let answer = get(&app, &path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        loaded += answer.text.len();
    }
    assert!(loaded > 50_000, "{loaded}");
    // With those of the audit explorer, in all.
    let assets = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dashboard/assets");
    let files = std::fs::read_dir(assets).unwrap().map(|file| file.unwrap().path());
    let sizes = files.filter(|path| path.extension().is_some_and(|kind| kind == "css" || kind == "js"));
    let all: u64 = sizes.map(|path| path.metadata().unwrap().len()).sum();
    assert!((loaded as u64..=90_000).contains(&all), "{all}");
    assert!(!shown.text.contains("http://") && !shown.text.contains("https://"));
    site.drop().await;
}
