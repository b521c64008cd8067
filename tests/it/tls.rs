//! TLS as the connection string asks for it, on servers of our own with certificates made for the test.

mod clients;
mod fallback;
mod files;
mod impostor;
mod made;

use std::error::Error as _;

use tokio_postgres::Client;
use tracevault::{
    Error, Outcome,
    query::{Query, QueryConfig},
};

use self::made::{Authority, Folder, Pair, expired, not_yet, server, signed_by_itself};
use crate::{
    kit::{self, CANARY},
    support::{Cluster, Options, Purpose, server_binaries},
    trial::assert_clean,
};

/// A server on a port of this machine, that lets in whom its `pg_hba.conf` says.
struct Server {
    cluster: Cluster,
    sql: Client,
}

impl Server {
    /// With TLS, if it has a certificate; `hba` is for its port.
    async fn start(pair: Option<&Pair>, hba: &str, client_authority: &str) -> Self {
        kit::url();
        let mut options = Options { tcp: true, ..Options::new(server_binaries(Purpose::Tests).unwrap()) };
        let file = |name: &str, content: &str| (name.to_owned(), content.to_owned());
        options.files.push(file("pg_hba.conf", &format!("local all all trust\n{hba}\n")));
        if let Some(pair) = pair {
            options.files.push(file("server.crt", &pair.certificate));
            options.files.push(file("server.key", &pair.key));
            options.settings.push(file("ssl", "on"));
        }
        if !client_authority.is_empty() {
            options.files.push(file("clients.crt", client_authority));
            options.settings.push(file("ssl_ca_file", "clients.crt"));
        }
        let cluster = Cluster::start(options).unwrap();
        let sql = kit::connect(&cluster.connection_string()).await;
        Self { cluster, sql }
    }

    /// Under this name; its address is looked up nowhere.
    fn url(&self, host: &str, rest: &str) -> String {
        let port = self.cluster.port();
        let who = format!("user=postgres password='{CANARY}' dbname=postgres");
        format!("host={host} hostaddr=127.0.0.1 port={port} {who} {rest}")
    }

    /// Whether the way of such a connection is by TLS, if there is one.
    async fn is_safe(&self, url: &str) -> Result<bool, Error> {
        let name = kit::unique("tls");
        let form = if url.contains("://") { "&" } else { " " };
        let query = Query::connect(QueryConfig::new(format!("{url}{form}application_name={name}"))).await;
        let query = query.inspect_err(|error| assert_clean(error))?;
        let sql = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = $1";
        let safe = self.sql.query_one(sql, &[&name]).await.unwrap().get(0);
        query.close().await.unwrap();
        Ok(safe)
    }

    /// `Ok` by TLS or not, or a refusal with these words in its advice.
    async fn check(&self, url: &str, expected: Result<bool, &str>) {
        match (self.is_safe(url).await, expected) {
            (Ok(safe), Ok(expected)) => assert_eq!(safe, expected, "{url}"),
            (Err(error), Err(words)) => refused(&error, words),
            (given, _) => panic!("{url}: {given:?}, not {expected:?}"),
        }
    }
}

/// Lasting, with these words in its advice.
fn refused(error: &Error, words: &str) {
    assert_clean(error);
    let Error::Driver(driver) = error else { panic!("{error}") };
    assert!(driver.advice().unwrap_or_default().contains(words), "{error}: {:?}", error.source());
    assert!(!error.is_retryable() && error.outcome() == Outcome::Rejected, "{error}");
}

const OPEN: &str = "host all all 127.0.0.1/32 trust";
const NOBODY: Result<bool, &str> = Err("nobody trusted here has issued the server's certificate");
const MISNAMED: Result<bool, &str> = Err("is not for `elsewhere.example`, the host of the connection string");

#[tokio::test]
async fn a_certificate_is_verified_as_far_as_the_string_asks() {
    let (ours, theirs, folder) = (Authority::new("ours"), Authority::new("theirs"), Folder::new());
    let server = Server::start(Some(&ours.signs(&server("db.example"))), OPEN, "").await;
    let (a, b) = (folder.file("a b.pem", &ours.pem()), folder.file("b.pem", &theirs.pem()));
    let both = folder.file("both.pem", &format!("{}{}", theirs.pem(), ours.pem()));
    for (host, rest, expected) in [
        ("db.example", format!("sslmode=verify-full sslrootcert='{a}'"), Ok(true)),
        ("db.example", format!("sslmode=verify-full sslrootcert='{both}'"), Ok(true)),
        ("db.example", format!("sslmode=verify-ca sslrootcert='{a}'"), Ok(true)),
        ("db.example", format!("sslmode=require sslrootcert='{a}'"), Ok(true)),
        ("elsewhere.example", format!("sslmode=verify-full sslrootcert='{a}'"), MISNAMED),
        ("elsewhere.example", format!("sslmode=verify-ca sslrootcert='{a}'"), Ok(true)),
        ("elsewhere.example", format!("sslmode=require sslrootcert='{a}'"), Ok(true)),
        ("elsewhere.example", "sslmode=require".to_owned(), Ok(true)),
        ("127.0.0.1", format!("sslmode=verify-full sslrootcert='{a}'"), Err("is not for `127.0.0.1`")),
        ("127.0.0.1", format!("sslmode=verify-ca sslrootcert='{a}'"), Ok(true)),
        ("my_db", "sslmode=require".to_owned(), Ok(true)),
        ("db.example", format!("sslmode=verify-full sslrootcert='{b}'"), NOBODY),
        ("db.example", format!("sslmode=verify-ca sslrootcert='{b}'"), NOBODY),
        ("db.example", format!("sslmode=require sslrootcert='{b}'"), NOBODY),
        ("db.example", "sslmode=verify-full".to_owned(), NOBODY),
        ("db.example", "sslmode=verify-ca".to_owned(), NOBODY),
        ("db.example", "sslrootcert=system".to_owned(), NOBODY),
        ("db.example", String::new(), Ok(true)),
        ("db.example", "sslmode=prefer".to_owned(), Ok(true)),
        ("db.example", "sslmode=allow".to_owned(), Ok(false)),
        ("db.example", "sslmode=disable".to_owned(), Ok(false)),
    ] {
        server.check(&server.url(host, &rest), expected).await;
    }

    // As a console of a provider prints it; and by an address alone, as another does.
    let (port, path) = (server.cluster.port(), a.replace(' ', "%20"));
    let at = format!("postgres://postgres:{CANARY}%40@127.0.0.1:{port}/postgres");
    server.check(&format!("{at}?sslmode=verify-ca&sslrootcert={path}"), Ok(true)).await;
    server.check(&format!("{at}?ssl=true&channel_binding=prefer"), Ok(true)).await;
    let by_address = format!("hostaddr=127.0.0.1 port={port} user=postgres dbname=postgres");
    server.check(&format!("{by_address} sslmode=verify-ca sslrootcert='{a}'"), Ok(true)).await;

    // There is no TLS over a socket: neither asked for nor looked at.
    let socket = format!("{} sslmode=verify-full sslrootcert=/nowhere.pem", server.cluster.connection_string());
    server.check(&socket, Ok(false)).await;
    let one_by_one = format!("host={},db.example port={port}", server.cluster.folder().display());
    let rest = format!("user=postgres dbname=postgres sslmode=verify-full sslrootcert='{a}'");
    server.check(&format!("{one_by_one} {rest}"), Ok(false)).await;
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused() {
    let (ours, folder) = (Authority::new("ours"), Folder::new());
    let root = folder.file("root.pem", &ours.pem());
    for (pair, words) in [
        (ours.signs(&expired(server("db.example"))), "has expired: renew it there"),
        (ours.signs(&not_yet(server("db.example"))), "is not valid yet"),
    ] {
        let server = Server::start(Some(&pair), OPEN, "").await;
        for mode in ["verify-full", "verify-ca", "require"] {
            let url = server.url("db.example", &format!("sslmode={mode} sslrootcert='{root}'"));
            server.check(&url, Err(words)).await;
        }
        server.check(&server.url("db.example", "sslmode=require"), Ok(true)).await;
    }
    let pair = signed_by_itself(&expired(server("db.example")));
    let itself = folder.file("itself.pem", &pair.certificate);
    let server = Server::start(Some(&pair), OPEN, "").await;
    let url = server.url("db.example", &format!("sslmode=verify-ca sslrootcert='{itself}'"));
    server.check(&url, Err("has expired")).await;
}

#[tokio::test]
async fn a_server_may_sign_for_itself() {
    let (other, folder) = (Authority::new("other"), Folder::new());
    let other = folder.file("other.pem", &other.pem());
    let mut as_authority = server("db.example");
    as_authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    for parameters in [server("db.example"), as_authority] {
        let pair = signed_by_itself(&parameters);
        let itself = folder.file("itself.pem", &pair.certificate);
        let server = Server::start(Some(&pair), OPEN, "").await;
        for (host, rest, expected) in [
            ("db.example", "sslmode=require".to_owned(), Ok(true)),
            ("db.example", format!("sslmode=verify-full sslrootcert='{itself}'"), Ok(true)),
            ("elsewhere.example", format!("sslmode=verify-full sslrootcert='{itself}'"), MISNAMED),
            ("elsewhere.example", format!("sslmode=verify-ca sslrootcert='{itself}'"), Ok(true)),
        ] {
            server.check(&server.url(host, &rest), expected).await;
        }
        let error = server.is_safe(&server.url("db.example", &format!("sslmode=require sslrootcert='{other}'"))).await;
        refused(&error.unwrap_err(), "sslrootcert=FILE");
    }
}

#[tokio::test]
async fn a_chain_is_followed() {
    let (root, folder) = (Authority::new("root"), Folder::new());
    let between = root.below("between");
    let mut pair = between.signs(&server("db.example"));
    pair.certificate.push_str(&between.pem());
    let server = Server::start(Some(&pair), OPEN, "").await;
    let root = folder.file("root.pem", &root.pem());
    server.check(&server.url("db.example", &format!("sslmode=verify-full sslrootcert='{root}'")), Ok(true)).await;
}

/// As `openssl x509 -req -days 36500` makes them, unless told more.
#[tokio::test]
async fn a_certificate_of_version_1_serves_where_none_is_verified() {
    let certificate = include_str!("fixtures/version_1.crt").to_owned();
    let pair = Pair { certificate, key: include_str!("fixtures/version_1.key").to_owned() };
    let server = Server::start(Some(&pair), OPEN, "").await;
    server.check(&server.url("db.example", "sslmode=require"), Ok(true)).await;
    let (folder, other) = (Folder::new(), Authority::new("other"));
    let other = folder.file("other.pem", &other.pem());
    let url = server.url("db.example", &format!("sslmode=verify-ca sslrootcert='{other}'"));
    server.check(&url, Err("cannot be verified, for the cause given")).await;
}
