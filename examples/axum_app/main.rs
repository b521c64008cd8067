//! An axum service that audits its handlers, ties what one request caused by its correlation id, and drains its queue
//! when it goes down.
//!
//! `cargo run --example axum_app` calls itself a few times and stops; with `-- --serve` it stays up on `PORT` (3000)
//! until Ctrl-C.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod app;
mod client;
#[path = "../common/mod.rs"]
mod common;

use std::{env, time::Duration};

use tokio::{net::TcpListener, sync::oneshot};
use tracevault::{
    Config, Tracevault,
    query::{CountFilters, Filters, Order, Query, QueryConfig},
};

use crate::{
    client::request,
    common::{Sandbox, Shown},
};

#[tokio::main]
async fn main() -> Shown {
    let sandbox = Sandbox::open()?;
    let config = Config::new(sandbox.url()).table_name(sandbox.table("axum")).mask_fields(["card"]).ensure_schema(true);
    // What is queued waits a second for company; a sync emit, and `close`, take it along at once.
    let audit = Tracevault::connect(config.async_flush_interval(Duration::from_secs(1))).await?;

    let serve = env::args().any(|argument| argument == "--serve");
    if serve {
        let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
        let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
        println!("http://{} until Ctrl-C, auditing into {}", listener.local_addr()?, audit.table());
        println!("curl -i -X POST -H 'x-correlation-id: mine' 'http://{}/orders/7?total=12'", listener.local_addr()?);
        let interrupted = async { drop(tokio::signal::ctrl_c().await) };
        axum::serve(listener, app::router(audit.clone())).with_graceful_shutdown(interrupted).await?;
    } else {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = axum::serve(listener, app::router(audit.clone()))
            .with_graceful_shutdown(async { drop(stopped.await) })
            .into_future();
        let serving = tokio::spawn(serving);

        assert_eq!(request(address, "POST", "/orders/7?total=12", "x-correlation-id: req_abc").await?.status, 201);
        assert_eq!(request(address, "GET", "/orders/7", "x-correlation-id: req_abc").await?.status, 200);
        assert_eq!(request(address, "POST", "/orders/8?total=-1", "x-correlation-id: req_def").await?.status, 422);
        let anonymous = request(address, "GET", "/orders/7", "x-correlation-id:  ").await?;
        assert_eq!(anonymous.correlation_id.map(|id| id.len()), Some(36), "a blank one counts as none: a new one");

        drop(stop);
        serving.await??;
    }
    // First the requests have ended, then the queue is emptied: what a handler emitted is stored.
    let drained = audit.close().await?;
    println!("closed: {} stored on the way out, {} failed, {} left", drained.stored, drained.failed, drained.left);
    assert_eq!((drained.failed, drained.left), (0, 0));
    if serve { Ok(()) } else { check(QueryConfig::new(sandbox.url()).table_name(audit.table().name())).await }
}

async fn check(config: QueryConfig) -> Shown {
    let query = Query::connect(config).await?;
    for record in query.find_many(Filters::new().order(Order::Asc)).await? {
        let data = record.data.as_ref().map_or("", |data| data.as_str());
        println!("{:<15} {:<36} {data}", record.event, record.correlation_id.as_deref().unwrap_or("-"));
    }
    let together = query.count(CountFilters::new().correlation_id("req_abc")).await?;
    let failures = query.count(CountFilters::new().errors_only()).await?;
    let all = query.count(CountFilters::new()).await?;
    assert_eq!((together, failures, all), (2, 1, 4));
    Ok(())
}
