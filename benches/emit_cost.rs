//! What an emit costs its caller before the queue: one typical event (about 500 bytes of JSON, four masked keys, meta,
//! id and time) from the caller's value to a finished record. No database is touched.
//!
//!     cargo bench --bench emit_cost
//!
//! `serde_json` writing the same value, unchecked and unmasked, is the yardstick: a table of ratios to it comes first, by
//! medians of runs that take turns, so that a busy machine slows all of them alike.
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

use std::{hint::black_box, time::Instant};

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

/// One line of the table.
struct Row<'r> {
    name: &'static str,
    run: &'r dyn Fn(),
    /// The row that this one is compared with.
    yardstick: usize,
    /// How long a call took, in nanoseconds, in each round.
    times: Vec<f64>,
}

impl<'r> Row<'r> {
    fn new(name: &'static str, yardstick: usize, run: &'r dyn Fn()) -> Self {
        Self { name, run, yardstick, times: Vec::new() }
    }

    fn time(&mut self) {
        // Shorter than a turn on a busy machine.
        const CALLS: u32 = 100;
        let start = Instant::now();
        (0..CALLS).for_each(|_| (self.run)());
        self.times.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS));
    }

    fn median(&mut self) -> f64 {
        self.times.sort_by(f64::total_cmp);
        self.times[self.times.len() / 2]
    }

    fn allocations(&self) -> u64 {
        allocation_counter::measure(self.run).count_total
    }
}

/// Prints what each row costs, also as a multiple of its yardstick.
fn compare(rows: &mut [Row<'_>]) {
    const ROUNDS: usize = 2_000;
    for _ in 0..ROUNDS {
        rows.iter_mut().for_each(Row::time);
    }
    println!("{:<28} {:>9} {:>7} {:>12}", "", "median ns", "ratio", "allocations");
    let medians: Vec<f64> = rows.iter_mut().map(Row::median).collect();
    for (row, median) in rows.iter().zip(&medians) {
        let ratio = median / medians[row.yardstick];
        println!("{:<28} {median:>9.0} {ratio:>7.2} {:>12}", row.name, row.allocations());
    }
}

fn emit_cost(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let audit = root();
    let order = Order::sample();
    let changed = order.clone().noted("leave it at the door");
    let value = json!(order);

    println!("{} bytes of JSON", serde_json::to_vec(&order).unwrap().len());
    let (of_struct, of_value) = (|| of_struct(&audit, &order), || of_value(&audit, &value));
    let of_diff = || of_diff(&audit, &order, &changed);
    compare(&mut [
        Row::new("serde_json::to_vec, struct", 0, &|| drop(black_box(serde_json::to_vec(&order)))),
        Row::new("serde_json::to_vec, Value", 1, &|| drop(black_box(serde_json::to_vec(&value)))),
        Row::new("event to record, struct", 0, &of_struct),
        Row::new("event to record, Value", 1, &of_value),
        Row::new("diff event to record", 0, &of_diff),
    ]);
    for run in [&of_struct as &dyn Fn(), &of_value] {
        assert!(allocation_counter::measure(run).count_total <= 3, "an emit is to allocate three times at most");
    }

    let mut group = criterion.benchmark_group("emit_cost");
    group.bench_function("serde_json_struct", |bench| bench.iter(|| black_box(serde_json::to_vec(&order))));
    group.bench_function("serde_json_value", |bench| bench.iter(|| black_box(serde_json::to_vec(&value))));
    group.bench_function("record_of_struct", |bench| bench.iter(of_struct));
    group.bench_function("record_of_value", |bench| bench.iter(of_value));
    group.bench_function("record_of_diff", |bench| bench.iter(of_diff));
    group.finish();
}

criterion_group!(benches, emit_cost);
criterion_main!(benches);
