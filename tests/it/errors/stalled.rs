//! Statements that are given up: the server does not go on with them behind the pool's back.

use tokio_postgres::Client;

use super::*;

/// Until at most this many connections of that name are there. Asked by a client of its own: within one transaction,
/// PostgreSQL shows the same activity again and again.
async fn until_few(watcher: &Client, application: &str, few: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let there: i64 = watcher.query_one(sql, &[&application]).await.unwrap().get(0);
        if there <= few {
            return;
        }
        assert!(Instant::now() < deadline, "{there} connections of {application}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_statement_that_timed_out_ends_at_the_server_too() {
    let (table, watcher) = (Table::new("given_up").await, kit::client().await);
    let name = kit::unique("app");
    let config = tracevault::Config::new(format!("{} application_name={name}", kit::url())).table_name(&table.name);
    // The word to stop is given that long too.
    let given_up = Duration::from_millis(500);
    let config = config.pool_size(1).statement_timeout(given_up).emit_timeout(given_up * 3);
    let audit = Tracevault::new(config).unwrap();
    table.sql.batch_execute(&format!("BEGIN; LOCK TABLE \"{}\"", table.name)).await.unwrap();
    for _ in 0..4 {
        let error = audit.emit(event()).await.unwrap_err();
        assert_eq!((error.outcome(), error.is_retryable()), (Outcome::Unknown, true), "{error}");
        let error = audit.query().count(CountFilters::new()).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        // Else the next would wait behind it, with nothing sent.
        until_finished(&audit).await;
    }
    // The lock is still held: what waits for it would wait on.
    until_few(&watcher, &name, 0).await;
    table.sql.batch_execute("ROLLBACK").await.unwrap();
    // Async, which is tried for as long as it takes.
    audit.try_emit(Event::new("after").mode(Mode::Async)).unwrap();
    assert_eq!(audit.flush().await.unwrap().left, 0);
    assert_eq!(table.column::<String>("event").await, ["after"], "what was cancelled is not stored");
    until_few(&watcher, &name, 1).await;
    audit.close().await.unwrap();
    table.drop().await;
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_at_the_server_too() {
    let (table, watcher) = (Table::new("given_up").await, kit::client().await);
    let name = kit::unique("app");
    let config = tracevault::Config::new(format!("{} application_name={name}", kit::url())).table_name(&table.name);
    let audit = Tracevault::new(config.pool_size(1)).unwrap();
    table.sql.batch_execute(&format!("BEGIN; LOCK TABLE \"{}\"", table.name)).await.unwrap();
    let query = audit.query();
    let reading = tokio::spawn(async move { query.count(CountFilters::new()).await });
    until_somebody_waits(&table).await;
    reading.abort();
    reading.await.unwrap_err();
    until_few(&watcher, &name, 0).await;
    table.sql.batch_execute("ROLLBACK").await.unwrap();
    audit.emit(Event::new("after")).await.unwrap();
    table.drop().await;
}
