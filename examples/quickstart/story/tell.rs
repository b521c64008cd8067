//! The story's frame: tables of its own, which are gone in the end.

use std::{error::Error, panic, time::Duration};

use tracevault::deadpool_postgres::{Pool, PoolError};

use super::{Told, chapters::chapters, interruption, tables::Tables};

/// Tells the story on tables of its own, and drops them however it ends: well, by an error, a failed assertion or Ctrl-C.
pub(crate) async fn tell(pool: Pool, database: &str) -> Told {
    let version = version(&pool).await?;
    let tables = Tables::new();
    println!("\ntracevault quickstart\n");
    println!("   database   {database} (PostgreSQL {})", version.split(' ').next().unwrap_or_default());
    println!("   tables     {}, {}", tables.audit, tables.payments);
    println!("              made for this story, dropped in the end; its source is examples/quickstart/story");

    let mut chapters = tokio::spawn(chapters(pool.clone(), tables.clone()));
    let (told, signal) = tokio::select! {
        told = &mut chapters => (told, None),
        signal = interruption() => {
            chapters.abort();
            (chapters.await, Some(signal))
        }
    };
    let dropped = tokio::time::timeout(Duration::from_secs(15), tables.drop(&pool)).await;
    match dropped {
        Ok(Ok(())) => println!("\nBoth tables are dropped again: nothing is left in the database."),
        _ => eprintln!("\nnot dropped: DROP TABLE IF EXISTS {}, {};", tables.audit, tables.payments),
    }
    match (told, signal) {
        (Err(ended), _) if ended.is_panic() => panic::resume_unwind(ended.into_panic()),
        (_, Some(signal)) => Err(format!("ended by {signal}").into()),
        (told, None) => told?,
    }
}

/// The first that is asked: a database that is not there says so here, before anything is made.
async fn version(pool: &Pool) -> Told<String> {
    let client = pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) => error.into(),
        error => Box::<dyn Error + Send + Sync>::from(error),
    })?;
    Ok(client.query_one("SHOW server_version", &[]).await?.try_get(0)?)
}
