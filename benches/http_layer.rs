//! What the capture layer adds to an exchange: a request of a typical browser through a service that does nothing, head
//! and body, bare and captured.
//!
//!     cargo bench --bench http_layer --features http
//!
//! The queue is emptied between the turns, out of the measured time: an exchange ends with its event in the queue.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a bench: criterion's macros, and a number")]

use std::{
    convert::Infallible,
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Empty, Full};
use tokio::runtime::Builder;
use tower::{Layer as _, Service, service_fn};
use tracevault::{
    Config, Error, ScopeOverrides,
    http::{CaptureLayer, Exchange, Sink},
    testing,
};

/// Takes an exchange and makes nothing of it.
struct Null;

impl Sink for Null {
    fn capture(&self, exchange: Exchange) -> Result<(), Error> {
        drop(black_box(exchange));
        Ok(())
    }
}

fn request() -> Request<Empty<Bytes>> {
    Request::builder()
        .uri("/orders/8412/items?page=2&sort=price")
        .header("host", "shop.example")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .header("accept", "application/json")
        .header("x-forwarded-for", "203.0.113.7")
        .body(Empty::new())
        .unwrap()
}

async fn noop<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("hello")))
}

/// One exchange, to the end of its body. Making the request is part of it, bare or not.
fn exchange<S, B>(service: &mut S)
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes, Error = Infallible>,
{
    let response = service.call(request()).now_or_never().unwrap().unwrap();
    black_box(response.into_body().collect().now_or_never().unwrap().unwrap().to_bytes());
}

/// Prints what an exchange costs, by medians of runs that take turns, each shorter than a turn on a busy machine.
fn compare(rows: &mut [(&str, &mut dyn FnMut())], mut between: impl FnMut()) {
    const ROUNDS: usize = 1_000;
    const CALLS: u32 = 100;
    let mut times = vec![Vec::with_capacity(ROUNDS); rows.len()];
    for _ in 0..ROUNDS {
        for ((_, run), times) in rows.iter_mut().zip(&mut times) {
            let start = Instant::now();
            (0..CALLS).for_each(|_| run());
            times.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS));
        }
        between();
    }
    println!("{:<12} {:>9} {:>12}", "", "median ns", "allocations");
    for ((name, run), times) in rows.iter_mut().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        let allocations = allocation_counter::measure(run).count_total;
        println!("{name:<12} {:>9.0} {allocations:>12}", times[ROUNDS / 2]);
    }
}

/// The time of many exchanges, in turns that fit into the queue.
fn timed(count: u64, mut run: impl FnMut(), mut between: impl FnMut()) -> Duration {
    const TURN: u64 = 1_000;
    let mut sum = Duration::ZERO;
    for turn in (0..count).step_by(1_000).map(|done| TURN.min(count - done)) {
        let start = Instant::now();
        (0..turn).for_each(|_| run());
        sum += start.elapsed();
        between();
    }
    sum
}

fn http_layer(criterion: &mut Criterion) {
    // Of this thread only, so that the writer has its turn in between as well.
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let (audit, recorder) = testing::recorder(Config::default().mask_fields(["password", "token"])).unwrap();
    let scope = audit.scope(ScopeOverrides::new()).unwrap();
    let audited = CaptureLayer::new(scope.clone()).route(|_| Some("/orders/{id}/items".to_owned()));

    let mut bare = service_fn(noop);
    let mut into_null = CaptureLayer::with_sink(Null).layer(service_fn(noop));
    let mut into_audit = audited.layer(service_fn(noop));
    let empty = || {
        runtime.block_on(scope.flush()).unwrap();
        recorder.clear();
    };
    compare(
        &mut [
            ("bare", &mut || exchange(&mut bare)),
            ("null sink", &mut || exchange(&mut into_null)),
            ("audit sink", &mut || exchange(&mut into_audit)),
        ],
        empty,
    );

    let allocations = |run: &mut dyn FnMut()| allocation_counter::measure(run).count_total;
    let added = allocations(&mut || exchange(&mut into_audit)) - allocations(&mut || exchange(&mut bare));
    assert!(added <= 28, "an exchange is to allocate 28 times at most, beside what the service does: {added}");
    empty();

    let mut group = criterion.benchmark_group("http_layer");
    group.bench_function("bare", |bench| bench.iter(|| exchange(&mut bare)));
    group.bench_function("null_sink", |bench| bench.iter(|| exchange(&mut into_null)));
    group.bench_function("audit_sink", |bench| {
        bench.iter_custom(|count| timed(count, || exchange(&mut into_audit), empty));
    });
    group.finish();
    assert_eq!(audited.stats().lost, 0, "all of them were taken");
}

criterion_group!(benches, http_layer);
criterion_main!(benches);
