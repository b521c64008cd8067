//! What a client shows of itself, and what it does over TLS besides talking.

use std::time::{Duration, Instant};

use tracevault::{Config, Tracevault, generate_init_sql};

use super::*;

const REFUSED: Result<bool, &str> = Err("or for a client's certificate");

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let (ours, theirs, folder) = (Authority::new("ours"), Authority::new("theirs"), Folder::new());
    let hba = "hostssl all certified 127.0.0.1/32 cert\nhostssl all postgres 127.0.0.1/32 trust clientcert=verify-ca";
    let server = Server::start(Some(&ours.signs(&made::server("db.example"))), hba, &ours.pem()).await;
    server.sql.batch_execute("CREATE ROLE certified LOGIN").await.unwrap();
    let root = folder.file("root.pem", &ours.pem());
    let shown = |name: &str, pair: Pair| {
        let certificate = folder.file(&format!("{name}.crt"), &pair.certificate);
        format!("sslcert='{certificate}' sslkey='{}'", folder.file(&format!("{name}.key"), &pair.key))
    };
    let right = shown("right", ours.signs(&made::client("certified")));
    let other = shown("other", ours.signs(&made::client("other")));
    let forged = shown("forged", theirs.signs(&made::client("certified")));
    let between = ours.below("between");
    let mut chain = between.signs(&made::client("certified"));
    chain.certificate.push_str(&between.pem());
    let chain = shown("chain", chain);
    for (user, shown, expected) in [
        ("certified", right.as_str(), Ok(true)),
        ("certified", &chain, Ok(true)),
        ("postgres", &right, Ok(true)),
        ("postgres", &other, Ok(true)),
        ("certified", &other, REFUSED),
        ("certified", "", REFUSED),
        ("postgres", "", REFUSED),
        ("certified", &forged, Err("the server refused our certificate: check `sslcert`")),
    ] {
        let rest = format!("user={user} sslmode=verify-full sslrootcert='{root}' {shown}");
        server.check(&server.url("db.example", &rest), expected).await;
    }
}

#[tokio::test]
async fn a_password_is_bound_to_the_channel() {
    let hba = "host all scrammed 127.0.0.1/32 scram-sha-256";
    let server = Server::start(Some(&Authority::new("ours").signs(&made::server("db.example"))), hba, "").await;
    server.sql.batch_execute(&kit::create_role("scrammed")).await.unwrap();
    for (rest, expected) in [
        ("sslmode=require channel_binding=require", Ok(true)),
        ("sslmode=require channel_binding=disable", Ok(true)),
        ("sslmode=disable channel_binding=prefer", Ok(false)),
        ("sslmode=disable channel_binding=require", Err("ask for different things")),
    ] {
        server.check(&server.url("db.example", &format!("user=scrammed {rest}")), expected).await;
    }
    let wrong = server.url("db.example", "user=scrammed sslmode=require").replace(CANARY, "wrong");
    server.check(&wrong, Err("check the user and the password")).await;
}

/// The string demands TLS, so that nothing goes to the server without: neither does the word to stop.
#[tokio::test]
async fn a_statement_that_timed_out_is_cancelled_over_tls() {
    let (ours, folder) = (Authority::new("ours"), Folder::new());
    let pair = ours.signs(&made::server("db.example"));
    let server = Server::start(Some(&pair), "hostssl all all 127.0.0.1/32 trust", "").await;
    let root = folder.file("root.pem", &ours.pem());
    server.sql.batch_execute(&generate_init_sql("audit_logs").unwrap()).await.unwrap();
    let name = kit::unique("cancel");
    let rest = format!("sslmode=verify-full sslrootcert='{root}' application_name={name}");
    // As long as that is tried to say the word to stop, by a handshake of its own.
    let config = Config::new(server.url("db.example", &rest)).statement_timeout(Duration::from_secs(2));
    let audit = Tracevault::new(config).unwrap();
    // Read once.
    drop(folder);
    audit.emit("before").await.unwrap();
    server.sql.batch_execute("BEGIN; LOCK TABLE audit_logs").await.unwrap();
    let error = audit.emit("during").await.unwrap_err();
    assert!(error.to_string().contains("no answer within `statement_timeout`"), "{error}");
    let deadline = Instant::now() + Duration::from_secs(60);
    while audit.stats().queued > 0 {
        assert!(Instant::now() < deadline, "it is tried again and again, for nobody");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Asked from outside of the transaction that holds the lock, which sees but one moment.
    let watcher = kit::connect(&server.cluster.connection_string()).await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'";
    while watcher.query_one(sql, &[&name]).await.unwrap().get::<_, i64>(0) > 0 {
        assert!(Instant::now() < deadline, "it goes on behind the lock");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.sql.batch_execute("ROLLBACK").await.unwrap();
    audit.emit("after").await.unwrap();
    let events = server.sql.query("SELECT event FROM audit_logs ORDER BY event", &[]).await.unwrap();
    assert_eq!(events.iter().map(|row| row.get(0)).collect::<Vec<&str>>(), ["after", "before"]);
    audit.close().await.unwrap();
}
