//! A shop whose every exchange becomes one audit event, by one layer; beside it, what the shop itself has to say.
//!
//! `cargo run --example axum_capture --features axum`; `TRACEVAULT_SERVICE_NAME` and `TRACEVAULT_ENV` say whose events
//! these are.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod client;
#[path = "../common/mod.rs"]
mod common;
mod shop;
mod timeline;

use std::{env, net::SocketAddr};

use axum::http::Method;
use tokio::{net::TcpListener, sync::oneshot};
use tracevault::{Config, ScopeOverrides, Tracevault, http::CaptureLayer};

use crate::{
    client::Browser,
    common::{Sandbox, Shown},
};

#[tokio::main]
async fn main() -> Shown {
    let said = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let service = said("TRACEVAULT_SERVICE_NAME", "shop");
    let environment = said("TRACEVAULT_ENV", "staging");
    let sandbox = Sandbox::open()?;
    let config = Config::new(sandbox.url()).table_name(sandbox.table("capture")).environment(&*environment);
    let audit = Tracevault::connect(config.ensure_schema(true)).await?;
    let capture = CaptureLayer::new(audit.scope(ScopeOverrides::new())?).service_name(&service);

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = shop::router(capture.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(listener, app).with_graceful_shutdown(async { drop(stopped.await) });
    let serving = tokio::spawn(serving.into_future());

    let (ann, bob) = (Browser::of("ann", address), Browser::of("bob", address));
    assert_eq!(ann.ask(Method::GET, "/orders/7?token=hunter2&page=2").await?, 200);
    assert_eq!(ann.ask(Method::POST, "/orders/7/checkout").await?, 201);
    assert_eq!(bob.ask(Method::POST, "/orders/8/checkout").await?, 409);
    assert_eq!(Browser::of("", address).ask(Method::GET, "/orders/7").await?, 401);
    assert_eq!(bob.ask(Method::GET, "/health").await?, 200);
    bob.hang_up_in("/orders/8/invoice").await?;
    drop((ann, bob));

    // First the server ends, then the requests that it dropped, then the queue: all of them are stored.
    drop(stop);
    serving.await??;
    capture.idle().await;
    let (stats, drained) = (capture.stats(), audit.close().await?);
    assert_eq!((stats.captured, stats.skipped, stats.lost), (5, 1, 0), "the health check is not worth an event");
    assert_eq!((drained.failed, drained.left), (0, 0));
    timeline::check(&timeline::show(&sandbox, audit.table().name(), [&service, &environment]).await?)
}
