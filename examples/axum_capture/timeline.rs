//! What happened, as the database has it.

use serde_json::{Value, json};
use tracevault::query::{AuditRecord, Filters, Order, Query, QueryConfig};

use crate::common::{Sandbox, Shown};

/// Prints the exchanges, below each the events that its handler emitted.
pub(crate) async fn show(sandbox: &Sandbox, table: &str, [service, environment]: [&str; 2]) -> Shown<Vec<AuditRecord>> {
    let query = Query::connect(QueryConfig::new(sandbox.url()).table_name(table)).await?;
    let records = query.find_many(Filters::new().order(Order::Asc)).await?;
    println!("{service} in {environment}\n");
    for exchange in records.iter().filter(|record| is_exchange(record)) {
        let data = data(exchange)?;
        let time = exchange.occurred_at.time();
        let (who, status) = (exchange.actor_id.as_deref().unwrap_or("-"), &data["metrics"]["statusCode"]);
        println!(
            "{:02}:{:02}:{:02}  {who:<4} {status}  {:<27} {}",
            time.hour(),
            time.minute(),
            time.second(),
            exchange.event,
            remark(&data)
        );
        let same = |record: &&AuditRecord| record.request_id == exchange.request_id && !is_exchange(record);
        for own in records.iter().filter(same) {
            println!("{:21}└ {:<24} {}", "", own.event, own.data.as_ref().map_or("", |data| data.as_str()));
        }
    }
    for record in records.iter().filter(|record| is_exchange(record)) {
        let meta = record.meta.as_ref().ok_or("every exchange has meta")?.to_value()?;
        assert_eq!((&meta["service"], record.environment.as_deref()), (&json!(service), Some(environment)));
    }
    Ok(records)
}

/// The layer's events say when the last byte was sent; the shop's say nothing of that.
fn is_exchange(record: &AuditRecord) -> bool {
    record.data.as_ref().is_some_and(|data| data.as_str().contains("\"latencyMs\""))
}

fn data(record: &AuditRecord) -> Shown<Value> {
    Ok(record.data.as_ref().ok_or("every exchange has data")?.to_value()?)
}

fn remark(data: &Value) -> String {
    match (&data["aborted"], &data["error"]["exceptionMessage"], &data["request"]["queryParams"]) {
        (Value::Bool(true), ..) => "the client went away".to_owned(),
        (_, Value::String(why), _) => format!("{}: {why}", data["error"]["exception"].as_str().unwrap_or_default()),
        (_, _, query @ Value::Object(_)) => format!("by {query}"),
        _ => data["outcome"].as_str().unwrap_or_default().to_owned(),
    }
}

pub(crate) fn check(records: &[AuditRecord]) -> Shown {
    let told: Vec<_> = records.iter().map(|record| (&*record.event, record.actor_id.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("http.GET./orders/{id}", Some("ann")),
            ("stock.reserved", None),
            ("payment.checkout.initiated", Some("ann")),
            ("payment.checkout.initiated", Some("bob")),
            ("http.GET./orders/{id}", None),
            ("invoice.downloaded", Some("bob")),
        ]
    );
    assert_eq!(records[1].request_id, records[2].request_id, "what a handler emits is tied to its request");
    let outcomes: Vec<_> = records.iter().map(|record| record.error_code.as_deref()).collect();
    assert_eq!(outcomes, [None, None, None, Some("HTTP_409"), Some("HTTP_401"), Some("HTTP_499")]);
    let first = data(&records[0])?;
    assert_eq!(first["request"]["queryParams"], json!({ "token": "[REDACTED]", "page": "2" }));
    Ok(())
}
