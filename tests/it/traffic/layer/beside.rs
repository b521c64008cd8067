//! Beside the capture of audit events, in both orders.

use tracevault::{
    Event, ScopeOverrides,
    http::{CaptureLayer, RequestAudit},
};

use super::*;
use crate::kit::Table;

#[tokio::test]
async fn both_have_the_same_id_and_the_answer_says_it_once() {
    for audit_is_outside in [true, false] {
        let table = Table::new("beside_audit").await;
        let audit = table.audit();
        let scope = audit.scope(ScopeOverrides::new()).unwrap();
        let capture = CaptureLayer::new(scope.clone());
        let site = Site::new("beside_traffic").await;
        let buy = |audit: RequestAudit| async move {
            audit.actor("u1", "user");
            audit.emit(Event::new("order.placed")).await.unwrap();
            audit.request_id().to_string()
        };
        let app = Router::new().route("/orders/{id}", post(buy));
        let app = if audit_is_outside {
            app.layer(site.traffic.layer()).layer(capture)
        } else {
            app.layer(capture).layer(site.traffic.layer())
        };
        let mut ids = Vec::new();
        for given in [Some("req-1"), None, Some("not well formed")] {
            let asked = request("/orders/7").method("POST");
            let asked = given.into_iter().fold(asked, |asked, id| asked.header("x-request-id", id));
            let answer = ask(&app, asked).await;
            let told: Vec<_> = answer.headers().get_all("x-request-id").iter().collect();
            assert_eq!((answer.status().as_u16(), told.len()), (200, 1));
            ids.push(told[0].to_str().unwrap().to_owned());
        }
        assert_eq!(ids[0], "req-1");
        assert!(ids[1..].iter().all(|id| id.len() == 36), "{ids:?}");
        let expected: Vec<_> = ids.iter().map(|id| format!("{id} u1 200")).collect();
        assert_eq!(site.rows("request_id, user_id, status_code").await, expected);
        scope.flush().await.unwrap();
        // The exchange and the handler's own event.
        for id in &ids {
            let events = table.select("event, actor_id", "WHERE request_id = $1 ORDER BY event", &[id]).await;
            let events: Vec<(String, Option<String>)> = events.iter().map(|row| (row.get(0), row.get(1))).collect();
            let exchange = ("http.POST./orders/{id}".to_owned(), Some("u1".to_owned()));
            assert_eq!(events, [exchange, ("order.placed".to_owned(), None)], "{audit_is_outside}");
        }
        audit.close().await.unwrap();
        table.drop().await;
        site.drop().await;
    }
}

/// The audit layer leaves health checks out; this one does not.
#[tokio::test]
async fn what_the_audit_skips_is_counted() {
    let table = Table::new("beside_health").await;
    let audit = table.audit();
    let capture = CaptureLayer::new(audit.scope(ScopeOverrides::new()).unwrap());
    let (site, app) = Site::serving("beside_skips", api().layer(capture), |builder| builder).await;
    get_all(&app, &["/health", "/products"]).await;
    audit.close().await.unwrap();
    assert_eq!(table.count().await, 1);
    assert_eq!(site.rows("route, length(request_id)").await, ["/health 36", "/products 36"]);
    table.drop().await;
    site.drop().await;
}
