//! The site: an API, its traffic and audit events in PostgreSQL, and the dashboard over both.
#![allow(dead_code, unreachable_pub, reason = "the embedded program uses its own part of it")]

mod api;
mod check;
mod client;
mod day;
mod dice;
mod events;
mod options;
mod world;

use std::{error::Error, time::Duration};

use axum::Router;
use tokio::net::TcpListener;
use tracevault::{
    Config, ScopeOverrides, Tracevault, deadpool_postgres::Pool, time::OffsetDateTime, traffic::Traffic,
    traffic::from_header, uuid::Uuid,
};

pub use self::options::Options;

pub type Told<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Serves until it is interrupted, in a schema of its own, which goes when it ends.
pub async fn serve(pool: Pool, origin: &str, options: &Options) -> Told {
    let schema = format!("tracevault_example_{}", &Uuid::new_v4().simple().to_string()[..8]);
    pool.get().await?.batch_execute(&format!("CREATE SCHEMA {schema}")).await?;
    let served = tokio::select! {
        served = serve_in(&schema, pool.clone(), origin, options) => served,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
    };
    pool.get().await?.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).await?;
    served
}

async fn serve_in(schema: &str, pool: Pool, origin: &str, options: &Options) -> Told {
    let config = Config::default().schema(schema).ensure_schema(true).environment("demo").mask_fields(["password"]);
    let audit = Tracevault::with_pools(pool.clone(), None, config)?;
    audit.prepare().await?;
    let traffic = Traffic::builder(pool)
        .schema(schema)
        .user_details(world::details)
        .session_id(from_header("x-session-id"))
        .build()?;
    traffic.ensure_schema().await?;

    let dashboard = traffic
        .dashboard()
        .basic_auth(&options.user, &options.password)
        .audit(audit.query(), audit.scope(ScopeOverrides::new())?)
        .build()?;
    let app: Router = api::routes(audit.clone()).nest_service("/traffic-dashboard", dashboard).layer(traffic.layer());

    let taken = |error| format!("{} cannot be listened on ({error}): say another PORT, or 0", options.address);
    let listener = TcpListener::bind(options.address).await.map_err(taken)?;
    let address = listener.local_addr()?;
    println!("PostgreSQL: {origin}");
    if options.demo {
        let now = OffsetDateTime::now_utc();
        day::fill(&traffic, now).await?;
        events::fill(&audit, now).await?;
        tokio::spawn(client::go_on(address));
    }
    println!("The dashboard: http://{address}/traffic-dashboard (user {})", options.user);
    println!("The API:       http://{address}/api/products, /api/slow, /api/error, /api/users/42");
    if options.check {
        tokio::spawn(axum::serve(listener, app).into_future());
        check::all(address, options).await?;
    } else {
        println!("Ctrl-C ends it, and drops what was stored.");
        axum::serve(listener, app).await?;
    }
    traffic.close(Duration::from_secs(5)).await;
    audit.close().await?;
    Ok(())
}
