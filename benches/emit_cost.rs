//! What an emit costs its caller before the queue: one typical event (about 500 bytes of JSON, four masked keys, meta,
//! id and time) from the caller's value to a finished record. No database is touched.
//!
//!     cargo bench --bench emit_cost
//!
//! `serde_json` writing the same value, unchecked and unmasked, is the yardstick.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench: criterion's macros, and a table"
)]

#[path = "../examples/throughput/order.rs"]
mod order;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use order::Order;
use serde_json::{Value, json};
use tracevault::{Config, DiffEvent, Event, Tracevault};

/// Nothing listens there: an emit that is not polled makes the record and no more.
fn root() -> Tracevault {
    let config = Config::new("postgres://localhost:1/none").mask_fields(["email", "number", "cvc", "token"]);
    Tracevault::new(config).unwrap()
}

fn of_struct(audit: &Tracevault, order: &Order) {
    drop(black_box(audit.emit(event().data(order))));
}

fn of_value(audit: &Tracevault, value: &Value) {
    drop(black_box(audit.emit(event().data(value))));
}

fn of_diff(audit: &Tracevault, before: &Order, after: &Order) {
    drop(black_box(audit.emit_diff(DiffEvent::new("order.changed").before(before).after(after))));
}

fn event() -> Event<'static> {
    Event::new("order.paid").actor("customer_8412", "customer").target("order_9", "order").correlation_id("req_abc")
}

fn emit_cost(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let audit = root();
    let order = Order::sample();
    let changed = order.clone().noted("leave it at the door");
    let value = json!(order);

    println!("{} bytes of JSON", serde_json::to_vec(&order).unwrap().len());
    println!("{:<28} {:>11} {:>9}", "", "allocations", "bytes");
    let show = |name: &str, run: &mut dyn FnMut()| {
        run();
        let counted = allocation_counter::measure(run);
        println!("{name:<28} {:>11} {:>9}", counted.count_total, counted.bytes_total);
    };
    show("serde_json::to_vec, struct", &mut || drop(black_box(serde_json::to_vec(&order))));
    show("event to record, struct", &mut || of_struct(&audit, &order));
    show("event to record, Value", &mut || of_value(&audit, &value));
    show("diff event to record", &mut || of_diff(&audit, &order, &changed));

    let mut group = criterion.benchmark_group("emit_cost");
    group.bench_function("serde_json_struct", |bench| bench.iter(|| black_box(serde_json::to_vec(&order))));
    group.bench_function("serde_json_value", |bench| bench.iter(|| black_box(serde_json::to_vec(&value))));
    group.bench_function("record_of_struct", |bench| bench.iter(|| of_struct(&audit, &order)));
    group.bench_function("record_of_value", |bench| bench.iter(|| of_value(&audit, &value)));
    group.bench_function("record_of_diff", |bench| bench.iter(|| of_diff(&audit, &order, &changed)));
    group.finish();
}

criterion_group!(benches, emit_cost);
criterion_main!(benches);
