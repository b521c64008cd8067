//! What the connection string does besides TLS: which server is taken, and how it is known to be there.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use tokio_postgres::Client;
use tracevault::{
    Config, Tracevault, generate_init_sql,
    query::{CountFilters, Query, QueryConfig},
};

use crate::{
    kit::{self, CANARY},
    support::{Cluster, Options, Purpose, needs, server_binaries},
    trial::{assert_clean, misconfigured},
};

fn options() -> Options {
    kit::url();
    Options::new(server_binaries(Purpose::Tests).unwrap())
}

/// Until the condition holds there.
async fn until(sql: &Client, condition: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !sql.query_one(&format!("SELECT {condition}"), &[]).await.unwrap().get::<_, bool>(0) {
        assert!(Instant::now() < deadline, "never: {condition}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How many connections of that name there are.
async fn connections(sql: &Client, application: &str) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    sql.query_one(count, &[&application]).await.unwrap().get(0)
}

#[tokio::test]
async fn reads_go_to_the_standby_and_writes_to_the_primary() {
    let options = options();
    let copies = options.bin.join("pg_basebackup").exists();
    if !needs("pg_basebackup", copies, "apt-get install postgresql-client") {
        return;
    }
    let primary = Cluster::start(options).unwrap();
    let sql = kit::connect(&primary.connection_string()).await;
    sql.batch_execute(&generate_init_sql("audit_logs").unwrap()).await.unwrap();
    let mut standby = primary.standby().unwrap();
    let replica = kit::connect(&standby.connection_string()).await;

    // Both, each time the wrong one first.
    let [first, second] = [&primary, &standby].map(|server| server.folder().display().to_string());
    let user = format!("port=5432 user=postgres dbname=postgres password='{CANARY}'");
    let writes = format!("host={second},{first} {user} application_name=writes target_session_attrs=primary");
    let reads =
        |session: &str| format!("host={first},{second} {user} application_name=reads target_session_attrs={session}");
    for session in ["standby", "read-only", "prefer-standby"] {
        let config = Config::new(&writes).read_connection_string(reads(session));
        let audit = Tracevault::connect(config).await.unwrap();
        let id = audit.emit(session).await.unwrap().id;
        let written: String = sql.query_one("SELECT pg_current_wal_lsn()::text", &[]).await.unwrap().get(0);
        until(&replica, &format!("pg_last_wal_replay_lsn() >= '{written}'")).await;
        assert_eq!(audit.query().find_by_id(id).await.unwrap().unwrap().event, session);
        assert_eq!((connections(&sql, "writes").await, connections(&replica, "reads").await), (1, 1), "{session}");
        // Whoever was looked at and left may still be on its way out.
        until(&sql, "count(*) = 0 FROM pg_stat_activity WHERE application_name = 'reads'").await;
        until(&replica, "count(*) = 0 FROM pg_stat_activity WHERE application_name = 'writes'").await;
        audit.close().await.unwrap();
        until(&replica, "count(*) = 0 FROM pg_stat_activity WHERE application_name = 'reads'").await;
        until(&sql, "count(*) = 0 FROM pg_stat_activity WHERE application_name = 'writes'").await;
    }

    // Whoever writes to the standby is told where to write.
    let error = Tracevault::new(Config::new(reads("standby"))).unwrap().emit("e").await.unwrap_err();
    assert_clean(&error);
    assert_eq!((error.sqlstate(), error.is_retryable()), (Some("25006"), true));
    assert!(error.to_string().contains("connect to the primary") && error.to_string().contains("=primary`"), "{error}");

    // Without it, who prefers it reads elsewhere, and who demands it is told.
    standby.stop().unwrap();
    let query = Query::connect(QueryConfig::new(reads("prefer-standby"))).await.unwrap();
    assert_eq!(query.count(CountFilters::new()).await.unwrap(), 3);
    assert_eq!(connections(&sql, "reads").await, 1);
    let Err(error) = Query::connect(QueryConfig::new(reads("standby"))).await else { panic!("there is no standby") };
    assert_clean(&error);
    assert!(error.is_retryable(), "{error}");
    let alone = format!("host={first} {user} target_session_attrs=standby");
    let error = Query::connect(QueryConfig::new(alone)).await.unwrap_err();
    assert!(error.to_string().contains("is what its `target_session_attrs` asks for"), "{error}");
    assert!(error.is_retryable(), "it may become one: {error}");
}

/// The first host takes the connection and never answers; there is time left for the next.
#[tokio::test]
async fn a_host_that_does_not_answer_leaves_time_for_the_next() {
    let server = Cluster::start(Options { tcp: true, ..options() }).unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let hosts = format!("host=127.0.0.1,127.0.0.1 port={},{}", silent.local_addr().unwrap().port(), server.port());
    let string = format!("{hosts} user=postgres dbname=postgres password='{CANARY}'");
    // Half of it for the next, which is far more than it takes.
    let longest = Duration::from_secs(8);
    let config = Config::new(string).connect_timeout(longest);
    let begun = Instant::now();
    assert!(Tracevault::new(config).unwrap().healthcheck().await);
    assert!(begun.elapsed() < longest, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_name_with_every_sign_is_read_from_either_form() {
    let server = Cluster::start(Options { tcp: true, ..options() }).unwrap();
    let sql = kit::connect(&server.connection_string()).await;
    let name = "a b@c:d/é'\\%?";
    sql.batch_execute(&format!("CREATE ROLE \"{name}\" LOGIN")).await.unwrap();
    sql.batch_execute(&format!("CREATE DATABASE \"{name}\"")).await.unwrap();
    let encoded = name.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02x}"));
    let quoted = name.replace('\\', "\\\\").replace('\'', "\\'");
    let (port, folder) = (server.port(), server.folder().display());
    for string in [
        format!("postgres://{encoded}:{CANARY}%2F@127.0.0.1:{port}/{encoded}?application_name={encoded}"),
        format!("postgres:///{encoded}?user={encoded}&host={folder}&port={port}&application_name={encoded}"),
        format!("user='{quoted}' dbname='{quoted}' application_name='{quoted}' host={folder} port={port}"),
    ] {
        let query = Query::connect(QueryConfig::new(&string)).await.unwrap();
        let found = "count(*) = 1 FROM pg_stat_activity
                     WHERE state = 'idle' AND usename = datname AND usename LIKE 'a b@%' AND datname = (
                         SELECT rolname FROM pg_roles WHERE rolname LIKE 'a b@%')";
        until(&sql, found).await;
        query.close().await.unwrap();
        until(&sql, "count(*) = 0 FROM pg_stat_activity WHERE usename LIKE 'a b@%'").await;
    }
}

/// The kernel's own list of timers: the second kind is the one that asks a silent peer, counted in hundredths.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_silent_server_is_asked_within_two_seconds() {
    let server = Cluster::start(Options { tcp: true, ..options() }).unwrap();
    for (rest, least, most) in [("", 1, 200), ("keepalives_idle=60", 5_000, 6_000), ("keepalives=0", 0, 0)] {
        let string = format!("{} {rest}", server.tcp_connection_string().unwrap());
        let query = Query::connect(QueryConfig::new(string)).await.unwrap();
        let peer = format!("0100007F:{:04X}", server.port());
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
            let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            // The list is read in pieces, between which others come and go, and with them a line.
            let ours = lines.find(|fields| fields[2] == peer && fields[3] == "01");
            let timer = ours.as_ref().and_then(|fields| fields[5].split_once(':'));
            // Right after an answer, the timer may be another one; and this one may be just about to go off.
            if let Some((_, when)) = timer.filter(|(kind, _)| *kind == if most == 0 { "00" } else { "02" }) {
                let when = u64::from_str_radix(when, 16).unwrap();
                assert!(when <= most, "{rest}: {when}");
                if when >= least {
                    break;
                }
            }
            assert!(Instant::now() < deadline, "{rest}: {ours:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        query.close().await.unwrap();
        let sql = kit::connect(&server.connection_string()).await;
        until(&sql, "count(*) = 0 FROM pg_stat_activity WHERE application_name = 'tracevault'").await;
    }
}

#[tokio::test]
async fn a_connection_string_that_cannot_be_meant_is_refused_by_its_key() {
    for (string, words) in [
        (format!("host=h password={CANARY} sslcrl={CANARY}"), "has the key `sslcrl`, which is not known here"),
        (format!("postgres://u:{CANARY}@h/d?sslmode={CANARY}"), "has a `sslmode` that is none of disable, allow,"),
        (format!("postgres://u:{CANARY}@h/d?{CANARY}=1"), "has a key that no connection string has"),
        (format!("postgres://u:{CANARY}/x@h/d"), "write `/` as `%2F`"),
        (format!("postgres://u:{CANARY}%x@h/d"), "write `%` as `%25`"),
        (format!("host=h port={CANARY}"), "has a `port` that is not a number from 1 to 65535"),
        (format!("password={CANARY}"), "names no host"),
        (format!("host=h sslkey='-----BEGIN {CANARY}' sslcert=c"), "it must be the path of one"),
    ] {
        let (key, reason) = misconfigured(&Tracevault::new(Config::new(&string)).unwrap_err());
        assert!(key == "connection_string" && reason.contains(words), "{key}: {reason}");
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn without_the_feature_a_string_may_not_demand_tls() {
    for demand in ["sslmode=require", "sslmode=verify-ca", "sslmode=verify-full", "sslrootcert=system"] {
        let config = Config::new(format!("host=h password={CANARY} {demand}"));
        let (_, reason) = misconfigured(&Tracevault::new(config).unwrap_err());
        assert!(reason.contains("turn the feature `tls` of this crate on"), "{reason}");
    }
    let server = Cluster::start(Options { tcp: true, ..options() }).unwrap();
    for demand in ["", "sslmode=disable", "sslmode=allow", "sslmode=prefer", "sslcert=/no/such sslkey=/no/such"] {
        let string = format!("{} {demand}", server.tcp_connection_string().unwrap());
        assert!(Tracevault::new(Config::new(string)).unwrap().healthcheck().await, "{demand}");
    }
}
