//! Failures of a whole server, on one of our own.

use std::{
    fs,
    time::{Duration, Instant},
};

use tracevault::{Config, Event, Outcome, Tracevault, generate_init_sql, query::CountFilters};

use super::{Expected, LOADED, REJECTED, check, event};
use crate::{
    kit::{self, CANARY, Table},
    support::{Cluster, Options, Purpose, server_binaries},
};

fn words(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_stops_stalls_and_dies() {
    kit::url();
    let mut server = Cluster::start(Options::new(server_binaries(Purpose::Tests).unwrap())).unwrap();
    let owner = server.connection_string();
    let name = kit::unique("server");
    let table = Table { sql: kit::connect(&owner).await, name };
    table.sql.batch_execute(&generate_init_sql(&table.name).unwrap()).await.unwrap();
    let grant = format!("GRANT INSERT, SELECT ON \"{}\" TO app", table.name);
    table.sql.batch_execute(&format!("CREATE ROLE app LOGIN PASSWORD 'right'; {grant}")).await.unwrap();
    fs::write(server.data().join("pg_hba.conf"), "local all postgres trust\nlocal all app scram-sha-256\n").unwrap();
    table.sql.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let config = |url: &str| Config::new(url).table_name(&table.name).connect_timeout(LOADED);
    let as_app = |password: &str| format!("{owner} user=app password={password}");

    // A user without a line in pg_hba.conf shows when the new file is in force.
    let begun = Instant::now();
    let refused = loop {
        match Tracevault::connect(config(&format!("{owner} user=stranger password={CANARY}"))).await {
            Err(error) if error.sqlstate() == Some("28000") && error.to_string().contains("pg_hba") => {
                let cause = std::error::Error::source(&error).unwrap().to_string();
                if cause.contains("pg_hba.conf entry") {
                    break error;
                }
            }
            _ => {}
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the server does not read pg_hba.conf again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let says = words("check the user and the password");
    check(&refused, &Expected { sqlstate: Some("28000"), says: says.clone(), ..REJECTED });

    let wrong = Tracevault::new(config(&as_app(CANARY))).unwrap();
    let expected = Expected { sqlstate: Some("28P01"), says, because: "password authentication failed", ..REJECTED };
    check(&wrong.emit(event()).await.unwrap_err(), &expected);
    check(&wrong.query().count(CountFilters::new()).await.unwrap_err(), &expected);
    assert!(!wrong.healthcheck().await);
    let none = Tracevault::connect(config(&format!("{owner} user=app"))).await.unwrap_err();
    let says = vec!["connecting to PostgreSQL failed".to_owned(), "ask for different things".to_owned()];
    check(&none, &Expected { says, because: "invalid configuration", ..REJECTED });
    let cause = std::error::Error::source(&none).and_then(std::error::Error::source).unwrap();
    assert_eq!(cause.to_string(), "password missing");
    let with_tls = format!("{owner} sslmode=require").parse().unwrap();
    let manager = deadpool_postgres::Manager::new(with_tls, tokio_postgres::NoTls);
    let pool = deadpool_postgres::Pool::builder(manager).build().unwrap();
    let tls = Tracevault::with_pools(pool, None, Config::default().table_name(&table.name)).unwrap();
    check(
        &tls.emit(event()).await.unwrap_err(),
        &Expected {
            says: words("the server does not speak TLS"),
            because: "error performing TLS handshake",
            ..REJECTED
        },
    );

    let nowhere = format!("{} dbname=nowhere", as_app("right"));
    let expected = Expected { sqlstate: Some("3D000"), says: words("check the database name"), ..REJECTED };
    check(&Tracevault::connect(config(&nowhere)).await.unwrap_err(), &expected);

    // No connection left.
    table.sql.batch_execute("ALTER ROLE app CONNECTION LIMIT 0").await.unwrap();
    let error = Tracevault::connect(config(&as_app("right"))).await.unwrap_err();
    check(&error, &Expected { sqlstate: Some("53300"), retryable: true, says: words("lower `pool_size`"), ..REJECTED });
    table.sql.batch_execute("ALTER ROLE app CONNECTION LIMIT -1").await.unwrap();

    // A server that only reads.
    let url = format!("{} options='-c default_transaction_read_only=on'", as_app("right"));
    let reader = Tracevault::new(config(&url).emit_timeout(super::HASTY)).unwrap();
    let error = super::told_between_attempts(&reader).await;
    let says = words("connect to the primary, or name all servers as hosts and say `target_session_attrs=primary`");
    check(&error, &Expected { sqlstate: Some("25006"), retryable: true, says, ..REJECTED });

    let audit = Tracevault::connect(config(&as_app("right")).pool_size(1)).await.unwrap();
    audit.emit(event()).await.unwrap();

    // Stalled: connections stand and nothing answers.
    server.pause().unwrap();
    let begun = Instant::now();
    let short = Duration::from_millis(1_500);
    let error = Tracevault::connect(config(&as_app("right")).connect_timeout(short)).await.unwrap_err();
    assert!(begun.elapsed() < short + LOADED, "{:?}", begun.elapsed());
    check(&error, &Expected { retryable: true, says: words("within `connect_timeout`"), ..REJECTED });
    server.resume().unwrap();
    assert!(audit.healthcheck().await);

    // Dead in the middle of a statement: nobody knows.
    table.sql.batch_execute(&format!("BEGIN; LOCK TABLE \"{}\"", table.name)).await.unwrap();
    let waiting = tokio::spawn(audit.emit(Event::new("lost")));
    super::until_somebody_waits(&table).await;
    server.kill_9().unwrap();
    let error = waiting.await.unwrap().unwrap_err();
    let says = words("check that PostgreSQL runs");
    check(&error, &Expected { outcome: Outcome::Unknown, retryable: true, says, ..REJECTED });
    assert!(error.record_id().is_some());

    // Away: nothing was stored. Back: it goes on by itself.
    let error = super::told_between_attempts(&audit).await;
    let expected = Expected { retryable: true, says: words("check that PostgreSQL runs"), ..REJECTED };
    check(&error, &expected);
    server.start_again().unwrap();
    audit.emit(event()).await.unwrap();

    // Shut down in an orderly way, under a connection in the pool.
    server.stop().unwrap();
    let error = audit.emit(event()).await.unwrap_err();
    super::everything(&error);
    assert!(error.is_retryable(), "{error}");
    server.start_again().unwrap();
    audit.emit(event()).await.unwrap();
    assert_eq!(audit.query().count(CountFilters::new().event("e")).await.unwrap(), 3);
    audit.close().await.unwrap();
}
