//! The audit sink, read back by plain SQL.

use serde_json::Value;
use time::{OffsetDateTime, macros::datetime};
use tracevault::{
    Mode, ScopeOverrides,
    http::{AuditSink, CapturedError, Ending, Party, Sink},
    uuid::Uuid,
};

use super::exchange;
use crate::kit::Table;

#[tokio::test]
async fn an_exchange_is_a_row_with_all_of_its_columns() {
    let table = Table::new("http_row").await;
    let audit = table.audit();
    let scope = audit.scope(ScopeOverrides::new()).unwrap();
    let sink = AuditSink::new(scope.clone()).service_name("shop").environment("staging").unwrap();
    let mut failed = exchange("POST", "/orders/7", Some(503));
    failed.route = Some("/orders/{id}".into());
    failed.correlation_id = Some("corr-1".into());
    failed.actor = Some(Party::new("user_1", "user"));
    failed.target = Some(Party::new("order_7", "order"));
    failed.started_at = datetime!(2026-01-02 03:04:05.123_456 UTC);
    failed.latency = std::time::Duration::from_micros(44);
    let request_id = failed.request_id.as_str().to_owned();
    sink.capture(failed).unwrap();
    sink.capture(exchange("GET", "/ok", Some(200))).unwrap();
    scope.flush().await.unwrap();

    let columns = "event, actor_id, actor_type, target_id, target_type, mode, correlation_id, request_id, environment, \
                   outcome, error_code, severity, meta->>'service', data->>'message'";
    let rows = table.select(columns, "ORDER BY occurred_at", &[]).await;
    let texts = |at: usize| (0..14).map(|column| rows[at].get(column)).collect::<Vec<Option<&str>>>();
    let expected = [
        "http.POST./orders/{id}",
        "user_1",
        "user",
        "order_7",
        "order",
        "async",
        "corr-1",
        &request_id,
        "staging",
        "failure",
        "HTTP_503",
        "high",
        "shop",
        "POST /orders/7 failed with 503",
    ];
    assert_eq!(texts(0), expected.map(Some));
    let good = texts(1);
    assert_eq!(good[9..12], [Some("success"), None, Some("low")]);
    assert_eq!(good[1..5], [None; 4]);

    let rows = table.select("id, occurred_at, data, meta", "ORDER BY occurred_at", &[]).await;
    let (id, at): (Uuid, OffsetDateTime) = (rows[0].get(0), rows[0].get(1));
    let (data, meta): (Value, Value) = (rows[0].get(2), rows[0].get(3));
    assert_eq!(at, datetime!(2026-01-02 03:04:05.123_5 UTC));
    assert_eq!((&data["id"], &data["timestamp"]), (&id.to_string().into(), &"2026-01-02T03:04:05.123Z".into()));
    assert_eq!(meta["request_id"], *request_id);
    // Errors are found as errors.
    let errors = audit.query().find_many(tracevault::query::Filters::new().errors_only()).await.unwrap();
    assert_eq!(errors.iter().map(|record| record.id).collect::<Vec<_>>(), [id]);
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn an_admission_commits_before_it_is_ready() {
    let table = Table::new("http_commit").await;
    let audit = table.audit();
    let scope = audit.scope(ScopeOverrides::new()).unwrap();
    assert!(AuditSink::new(scope.clone()).admit().unwrap().is_none());
    for sink in [AuditSink::new(scope.clone()).fail_closed(true), AuditSink::new(scope.clone()).mode(Mode::Sync)] {
        let before = table.count().await;
        let admission = sink.admit().unwrap().unwrap();
        admission.commit(exchange("GET", "/a", Some(200))).await.unwrap();
        assert_eq!(table.count().await, before + 1);
    }
    assert_eq!(table.column::<String>("mode").await, ["sync", "sync"]);

    // Nothing can be stored any more: both say so, and the answer to one of them goes out all the same.
    let closed = AuditSink::new(scope.clone()).fail_closed(true).admit().unwrap().unwrap();
    let sync = AuditSink::new(scope.clone()).mode(Mode::Sync).admit().unwrap().unwrap();
    scope.close().await.unwrap();
    let closed_stands = closed.does_answer_stand();
    assert!(closed.commit(exchange("GET", "/a", Some(200))).await.unwrap_err().is_closed());
    assert_eq!((closed_stands, sync.does_answer_stand()), (false, true));
    assert!(sync.commit(exchange("GET", "/a", Some(200))).await.unwrap_err().is_closed());
    assert!(AuditSink::new(scope).capture(exchange("GET", "/a", Some(200))).unwrap_err().is_closed());
    assert_eq!(table.count().await, 2);
    table.drop().await;
}

#[tokio::test]
async fn without_room_a_closed_sink_is_busy_and_an_open_one_counts() {
    let table = Table::new("http_full").await;
    let config = table.config().queue_capacity(1).async_flush_interval(std::time::Duration::from_secs(60));
    let audit = tracevault::Tracevault::new(config).unwrap();
    let scope = audit.scope(ScopeOverrides::new()).unwrap();
    let (open, closed) = (AuditSink::new(scope.clone()), AuditSink::new(scope.clone()).fail_closed(true));
    assert!(closed.admit().unwrap().is_some());
    open.capture(exchange("GET", "/a", Some(200))).unwrap();
    let full = open.capture(exchange("GET", "/b", Some(200))).unwrap_err();
    assert!(matches!(full, tracevault::Error::QueueFull(_)), "{full}");
    assert!(closed.admit().is_err());
    scope.flush().await.unwrap();
    assert!(closed.admit().unwrap().is_some());
    assert_eq!(table.count().await, 1);
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn hostile_text_is_stored() {
    let table = Table::new("http_hostile").await;
    let audit = table.audit();
    let scope = audit.scope(ScopeOverrides::new()).unwrap();
    let sink = AuditSink::new(scope.clone());
    for text in ["a\0b", "\u{202e}x", "a\r\nb", &"x".repeat(1 << 20)] {
        let mut hostile = exchange("GET", text, None);
        hostile.event_name = Some(text.into());
        hostile.user_agent = Some(text.into());
        hostile.ending = Ending::Panic(CapturedError::new(text, text));
        sink.capture(hostile).unwrap();
    }
    scope.flush().await.unwrap();
    let sizes: Vec<i32> = table.column("octet_length(data::text)").await;
    assert_eq!((sizes.len(), audit.stats().failed), (4, 0));
    // jsonb puts a blank behind each colon and comma.
    assert!(sizes.iter().all(|size| *size < 12_200), "{sizes:?}");
    audit.close().await.unwrap();
    table.drop().await;
}

/// Whatever a client sends, `meta` fits: it loses what other columns say as well.
#[tokio::test]
async fn meta_is_shortened_where_the_scope_has_little_room() {
    let table = Table::new("http_meta").await;
    for (limit, keys) in [(1_024, 6), (330, 4), (100, 0)] {
        let audit = tracevault::Tracevault::new(table.config().max_payload_bytes(limit)).unwrap();
        let scope = audit.scope(ScopeOverrides::new()).unwrap();
        let mut long = exchange("GET", &format!("/{}", "a".repeat(230)), Some(200));
        long.session_id = Some("s".repeat(100));
        AuditSink::new(scope.clone()).capture(long).unwrap();
        assert_eq!(scope.flush().await.unwrap().stored, 1);
        let count = "(SELECT count(*) FROM jsonb_object_keys(coalesce(meta, '{}')))";
        let rows = table.select(count, "ORDER BY occurred_at DESC LIMIT 1", &[]).await;
        assert_eq!(rows[0].get::<_, i64>(0), keys, "{limit}");
    }
    table.drop().await;
}
