//! Whoever looks is told of, once, before they see anything.

use axum::{Router, body::Body};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tracevault::{Config, Event, ScopeOverrides, Tracevault, dashboard::Viewer, generate_init_sql};

use super::{Stand, rows};
use crate::{
    dashboard::kit::{board, get, send},
    kit,
    support::{Cluster, Options, Purpose, server_binaries},
};

/// Event, actor's id and type, target's id and type, data, mode of all who looked.
async fn looks(stand: &Stand) -> Vec<(String, Vec<Option<String>>, Value)> {
    let columns = "event, actor_id, actor_type, target_id, target_type, mode, data::text";
    let rows = stand.looked.select(columns, "ORDER BY created_at", &[]).await;
    let look = |row: &tokio_postgres::Row| {
        let data: String = row.get(6);
        (row.get(0), (1..6).map(|at| row.get(at)).collect(), serde_json::from_str(&data).unwrap())
    };
    rows.iter().map(look).collect()
}

#[tokio::test]
async fn each_page_is_told_of_exactly_once() {
    let stand = Stand::new("audit_told").await;
    let id = stand.emit(Event::new("e").actor("a/1", "user").target("t", "thing")).await;
    let some = |text: &str| Some(text.to_owned());
    let (viewed, exported) = ("tracevault.dashboard.viewed", "tracevault.dashboard.exported");
    let record = format!("/audit/{id}");
    let api_record = format!("/api/audit/{id}");
    let cases = [
        ("/audit", viewed, None, json!({ "page": "list" })),
        (
            "/audit?q=actor:ann&mode=sync&range=1h",
            viewed,
            None,
            json!({ "page": "list", "filter": { "actor": "ann", "mode": "sync", "range": "1h" } }),
        ),
        (&record, viewed, some(&id.to_string()), json!({ "page": "record" })),
        ("/audit/actor?actor=a%2F1", viewed, None, json!({ "page": "actor", "filter": { "actor": "a/1" } })),
        (
            "/audit/target?target=t&target-type=thing",
            viewed,
            None,
            json!({ "page": "target", "filter": { "target": "t", "target-type": "thing" } }),
        ),
        ("/audit/export.csv?event=e", exported, None, json!({ "page": "csv", "filter": { "event": "e" } })),
        ("/audit/export.ndjson", exported, None, json!({ "page": "ndjson" })),
        ("/api/audit?event=e", viewed, None, json!({ "page": "api.list", "filter": { "event": "e" } })),
        (&api_record, viewed, some(&id.to_string()), json!({ "page": "api.record" })),
    ];
    for (path, event, target, data) in cases {
        for method in [Method::GET, Method::HEAD] {
            stand.looked.sql.batch_execute(&format!("TRUNCATE \"{}\"", stand.looked.name)).await.unwrap();
            let request =
                Request::builder().method(method.clone()).uri(format!("/board{path}")).body(Body::empty()).unwrap();
            let answer = send(&stand.app, request).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
            let kind = target.as_ref().map(|_| "audit_record".to_owned());
            let who = vec![some("ann"), some("dashboard_viewer"), target.clone(), kind, some("sync")];
            assert_eq!(looks(&stand).await, [(event.to_owned(), who, data.clone())], "{method} {path}");
        }
    }
    stand.drop().await;
}

#[tokio::test]
async fn what_another_site_has_a_browser_ask_is_not_told_of() {
    let stand = Stand::new("audit_foreign").await;
    for path in ["/audit", "/audit/export.csv", "/api/audit"] {
        for (name, value) in [("sec-fetch-site", "cross-site"), ("sec-purpose", "prefetch")] {
            let request = Request::get(format!("/board{path}")).header(name, value).body(Body::empty()).unwrap();
            assert_eq!(send(&stand.app, request).await.status, StatusCode::FORBIDDEN, "{path}");
        }
    }
    assert_eq!(stand.looked.count().await, 0);
    stand.drop().await;
}

#[tokio::test]
async fn what_shows_nothing_is_not_told_of() {
    let stand = Stand::new("audit_untold").await;
    for path in [
        "/audit/00000000-0000-7000-8000-000000000000",
        "/audit/x",
        "/api/audit/x",
        "/api/audit/00000000-0000-7000-8000-000000000000",
    ] {
        assert_eq!(stand.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(stand.get("/audit?limit=x").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(stand.looked.count().await, 0);
    stand.drop().await;
}

fn paths(id: impl std::fmt::Display) -> Vec<String> {
    let mut paths: Vec<_> = [
        "/audit",
        "/audit/actor?actor=a",
        "/audit/target?target=t",
        "/audit/export.csv",
        "/audit/export.ndjson",
        "/api/audit",
    ]
    .map(str::to_owned)
    .into();
    paths.extend([format!("/audit/{id}"), format!("/api/audit/{id}")]);
    paths
}

#[tokio::test]
async fn what_cannot_be_told_of_is_not_shown() {
    let stand = Stand::new("audit_closed").await;
    let id = stand.emit(Event::new("very.private").actor("a", "user").target("t", "thing")).await;
    stand
        .looked
        .sql
        .batch_execute(&format!("ALTER TABLE \"{0}\" RENAME TO \"{0}_away\"", stand.looked.name))
        .await
        .unwrap();
    for path in paths(id) {
        let answer = stand.get(&path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(!answer.text.contains("very.private"), "{path}");
        assert!(
            path.starts_with("/api") || path.contains("export") || answer.text.contains("data-testid=\"failed-panel\""),
            "{path}"
        );
    }
    stand
        .looked
        .sql
        .batch_execute(&format!("ALTER TABLE \"{0}_away\" RENAME TO \"{0}\"", stand.looked.name))
        .await
        .unwrap();
    assert!(stand.get("/audit").await.text.contains("very.private"));
    stand.drop().await;
    // A viewer without a name is nobody to tell of.
    let stand = Stand::seen_by("audit_nameless", Viewer::full(" ")).await;
    assert_eq!(stand.get("/audit").await.status, StatusCode::SERVICE_UNAVAILABLE);
    stand.drop().await;
}

#[tokio::test]
async fn a_list_does_not_begin_with_its_own_telling() {
    let stand = Stand::new("audit_own").await;
    let access = stand.audit.scope(ScopeOverrides::new()).unwrap();
    let router = stand.site.traffic.dashboard().insecure_no_auth().audit(stand.audit.query(), access).build().unwrap();
    let app = Router::new().nest_service("/board", router);
    // Somebody's clock is ahead.
    stand.run("INSERT INTO \"@\" (id, event, mode, occurred_at) SELECT gen_random_uuid(), 'e', 'sync', now() + n * interval '1 hour' FROM generate_series(1, 300) AS n").await;
    let page = get(&app, "/board/audit?limit=500").await.text;
    assert_eq!(rows(&page).len(), 300);
    assert_eq!(stand.table.count().await, 301);
    let file = get(&app, "/board/audit/export.ndjson").await.text;
    assert_eq!(file.lines().count(), 301);
    assert_eq!(stand.table.count().await, 302);
    stand.drop().await;
}

#[tokio::test]
async fn without_an_audit_table_there_is_nothing() {
    let (site, app) = board("audit_none").await;
    for path in paths("00000000-0000-7000-8000-000000000000") {
        assert_eq!(get(&app, &format!("/board{path}")).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(!get(&app, "/board").await.text.contains("/board/audit"));
    site.drop().await;
}

#[tokio::test]
async fn without_postgresql_it_is_said_so() {
    let stand = Stand::new("audit_gone").await;
    let cluster = Cluster::start(Options::new(server_binaries(Purpose::Tests).unwrap())).unwrap();
    kit::connect(&cluster.connection_string())
        .await
        .batch_execute(&generate_init_sql("audit_logs").unwrap())
        .await
        .unwrap();
    let audit = Tracevault::new(Config::new(cluster.connection_string())).unwrap();
    let id = audit.emit(Event::new("e").actor("a", "user").target("t", "thing")).await.unwrap().id;
    let access = audit.scope(ScopeOverrides::new()).unwrap();
    let router = stand.site.traffic.dashboard().insecure_no_auth().audit(audit.query(), access).build().unwrap();
    let app = Router::new().nest_service("/board", router);
    for path in paths(id) {
        assert_eq!(get(&app, &format!("/board{path}")).await.status, StatusCode::OK, "{path}");
    }
    drop(cluster);
    for path in paths(id) {
        let answer = get(&app, &format!("/board{path}")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", answer.text);
    }
    stand.drop().await;
}
