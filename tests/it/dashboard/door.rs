//! Who is let in, and what every answer carries.

use std::time::Duration;

use axum::{Router, body::Body};
use http::{Request, StatusCode, header};
use tracevault::dashboard::{DashboardBuilder, Viewer};

use super::kit::{board, board_with, get, send};
use crate::traffic::Site;

/// `admin:secret`.
const ADMIN: &str = "Basic YWRtaW46c2VjcmV0";
const PATHS: [&str; 6] =
    ["/board", "/board/", "/board/routes", "/board/api/overview", "/board/api/nothing", "/board/x"];

fn with(path: &str, name: header::HeaderName, value: &str) -> Request<Body> {
    Request::get(path).header(name, value).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn without_the_credentials_nothing_is_answered() {
    let (site, app) = board_with("door", |builder| builder.basic_auth("admin", "secret")).await;
    for path in PATHS {
        for wrong in ["", "Basic YWRtaW46c2VjcmV0cw==", "Bearer x"] {
            let answer = send(&app, with(path, header::AUTHORIZATION, wrong)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            assert!(answer.header("www-authenticate").starts_with("Basic realm="), "{path}");
            assert_eq!(answer.header("content-type"), "application/problem+json; charset=utf-8");
        }
        let answer = send(&app, with(path, header::AUTHORIZATION, ADMIN)).await;
        assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    site.drop().await;
}

#[tokio::test]
async fn the_app_may_decide_itself() {
    let (site, app) = board_with("door_custom", |builder| {
        builder.authorize(|parts| {
            (parts.headers.get("x-role")?.to_str().ok()? == "auditor").then(|| Viewer::read_only("ann"))
        })
    })
    .await;
    let role = header::HeaderName::from_static("x-role");
    assert_eq!(send(&app, with("/board", role.clone(), "auditor")).await.status, StatusCode::OK);
    let answer = send(&app, with("/board", role, "nobody")).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (StatusCode::UNAUTHORIZED, ""));
    site.drop().await;
}

#[tokio::test]
async fn nothing_is_built_that_is_open_by_mistake() {
    let site = Site::new("door_built").await;
    let builder = || site.traffic.dashboard();
    let wrong: [(&str, DashboardBuilder); 6] = [
        ("auth", builder()),
        ("user", builder().basic_auth("", "secret")),
        ("user", builder().basic_auth("a:b", "secret")),
        ("password", builder().basic_auth("admin", "")),
        ("poll_interval", builder().insecure_no_auth().poll_interval(Duration::from_millis(999))),
        ("mount_path", builder().insecure_no_auth().mount_path("//evil.example")),
    ];
    for (option, builder) in wrong {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(option), "{option}: {error}");
    }
    site.drop().await;
}

#[tokio::test]
async fn without_credentials_only_names_of_this_machine_are_answered() {
    let (site, app) = board("door_hosts").await;
    for path in PATHS {
        assert_eq!(send(&app, with(path, header::HOST, "evil.example")).await.status, StatusCode::MISDIRECTED_REQUEST);
    }
    assert_eq!(send(&app, with("/board", header::HOST, "127.0.0.1:3000")).await.status, StatusCode::OK);
    let router = site.traffic.dashboard().insecure_no_auth().allowed_hosts(["Board.example"]).build().unwrap();
    let app = Router::new().nest_service("/board", router);
    assert_eq!(send(&app, with("/board", header::HOST, "board.example:8080")).await.status, StatusCode::OK);
    assert_eq!(send(&app, with("/board", header::HOST, "localhost")).await.status, StatusCode::MISDIRECTED_REQUEST);
    site.drop().await;
}

#[tokio::test]
async fn every_answer_is_hardened() {
    let (site, app) = board("door_headers").await;
    for path in PATHS {
        let answer = get(&app, path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-robots-tag"), "noindex, nofollow", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    site.drop().await;
}

#[tokio::test]
async fn links_begin_where_it_is_mounted() {
    let site = Site::new("door_mounts").await;
    let router = || site.traffic.dashboard().insecure_no_auth().build().unwrap();
    let proxied = site.traffic.dashboard().insecure_no_auth().mount_path("/behind/proxy/").build().unwrap();
    for (app, home, base) in [
        (Router::new().nest("/traffic-dashboard", router()), "/traffic-dashboard", "/traffic-dashboard"),
        (Router::new().nest_service("/traffic-dashboard", router()), "/traffic-dashboard", "/traffic-dashboard"),
        (Router::new().nest_service("/traffic-dashboard", router()), "/traffic-dashboard/", "/traffic-dashboard"),
        (Router::new().nest("/x", Router::new().nest("/y", router())), "/x/y", "/x/y"),
        (Router::new().merge(router()), "/", ""),
        (Router::new().nest("/stripped", proxied), "/stripped", "/behind/proxy"),
    ] {
        let page = get(&app, home).await;
        assert_eq!(page.status, StatusCode::OK, "{home}");
        let hrefs: Vec<&str> = page.text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(hrefs.len() > 8, "{home}");
        for href in hrefs.into_iter().filter(|href| !href.starts_with('#') && !href.starts_with("data:")) {
            assert!(href.strip_prefix(base).is_some_and(|rest| rest.starts_with('/')), "{home}: {href}");
        }
    }
    site.drop().await;
}

#[tokio::test]
async fn a_path_that_is_not_there_leads_nowhere_else() {
    let site = Site::new("door_elsewhere").await;
    let root = Router::new().merge(site.traffic.dashboard().insecure_no_auth().build().unwrap());
    for path in ["//evil.example/x", "/\\evil.example/x", "//evil.example", "/x//evil.example"] {
        let page = get(&root, path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!page.text.contains("=\"//") && !page.text.contains("=\"/\\"), "{path}: {}", page.text);
    }
    site.drop().await;
}

#[tokio::test]
async fn what_another_site_has_a_browser_ask_is_not_answered() {
    let (site, app) = board_with("door_foreign", |builder| builder.basic_auth("admin", "secret")).await;
    let ask = |headers: &[(&str, &str)]| {
        let mut request = with("/board/routes", header::AUTHORIZATION, ADMIN);
        for (name, value) in headers {
            request.headers_mut().insert(header::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        request
    };
    for (headers, status) in [
        (&[("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "image")][..], StatusCode::FORBIDDEN),
        (&[("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "iframe")], StatusCode::FORBIDDEN),
        (&[("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "empty")], StatusCode::FORBIDDEN),
        (&[("sec-fetch-site", "none"), ("sec-purpose", "prefetch;prerender")], StatusCode::FORBIDDEN),
        // A link from elsewhere, and the pages' own requests.
        (&[("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "document")], StatusCode::OK),
        (&[("sec-fetch-site", "same-origin"), ("sec-fetch-dest", "empty")], StatusCode::OK),
        (&[], StatusCode::OK),
    ] {
        assert_eq!(send(&app, ask(headers)).await.status, status, "{headers:?}");
    }
    site.drop().await;
}
