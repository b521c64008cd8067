//! The files that a connection string names, read when the root is made.

use tracevault::{Config, Tracevault};

use super::*;
use crate::trial::misconfigured;

fn reason(rest: &str) -> String {
    let string = || format!("host=db.example password='{CANARY}' {rest}");
    let error = Tracevault::new(Config::new(string())).unwrap_err();
    let (key, reason) = misconfigured(&error);
    assert_eq!(key, "connection_string");
    let error = Tracevault::new(Config::new("host=/run").read_connection_string(string())).unwrap_err();
    assert_eq!(misconfigured(&error), ("read_connection_string".to_owned(), reason.clone()));
    reason
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named() {
    let (ours, folder) = (Authority::new("ours"), Folder::new());
    let (pair, other) = (ours.signs(&made::client("a")), ours.signs(&made::client("b")));
    let broken = pair.certificate.replace("-----END", "-----EMD");
    let nonsense = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", "QUJD".repeat(9));
    let file = |name: &str, content: &str| folder.file(name, content);
    let (certificate, key) = (file("c.crt", &pair.certificate), file("c.key", &pair.key));
    let (empty, other) = (file("empty", ""), file("other.key", &other.key));
    let encrypted = file("encrypted.key", &pair.key.replace("PRIVATE", "ENCRYPTED PRIVATE"));
    let (broken, nonsense) = (file("broken.crt", &broken), file("nonsense.crt", &nonsense));
    let folder_itself = folder.0.to_str().unwrap();
    for (rest, key, path, why) in [
        ("sslmode=verify-ca sslrootcert=/no/such.pem".to_owned(), "sslrootcert", "/no/such.pem", "No such file"),
        (format!("sslrootcert='{folder_itself}'"), "sslrootcert", folder_itself, "Is a directory"),
        (format!("sslmode=allow sslrootcert='{empty}'"), "sslrootcert", &empty, "it holds no certificate in PEM form"),
        (format!("sslrootcert='{key}'"), "sslrootcert", &key, "it holds no certificate in PEM form"),
        (format!("sslrootcert='{broken}'"), "sslrootcert", &broken, "it is not whole PEM"),
        (format!("sslrootcert='{nonsense}'"), "sslrootcert", &nonsense, "without a certificate that can be used"),
        (format!("sslcert=/no/such.crt sslkey='{key}'"), "sslcert", "/no/such.crt", "No such file"),
        (format!("sslcert='{certificate}' sslkey=/no/such.key"), "sslkey", "/no/such.key", "No such file"),
        (format!("sslcert='{certificate}' sslkey='{certificate}'"), "sslkey", &certificate, "holds no private key"),
        (format!("sslcert='{certificate}' sslkey='{empty}'"), "sslkey", &empty, "holds no private key"),
        (format!("sslcert='{certificate}' sslkey='{encrypted}'"), "sslkey", &encrypted, "must be decrypted beforehand"),
        (format!("sslcert='{certificate}' sslkey='{other}'"), "sslkey", &other, "does not go with its `sslcert`"),
    ] {
        let reason = reason(&rest);
        assert!(reason.contains(&format!("`{key}`")) && reason.contains(path) && reason.contains(why), "{reason}");
    }
    // Where there is no TLS they are not looked at.
    for string in ["host=db.example sslmode=disable", "host=/run sslmode=verify-full"] {
        Tracevault::new(Config::new(format!("{string} sslrootcert=/no/such.pem"))).unwrap();
    }
}

/// The system's authorities, in a process of its own, since they are named by its environment.
#[cfg(feature = "cli")]
#[tokio::test]
async fn the_systems_authorities_are_taken_as_they_are() {
    use crate::cli;
    let (ours, theirs, folder) = (Authority::new("ours"), Authority::new("theirs"), Folder::new());
    let server = Server::start(Some(&ours.signs(&made::server("db.example"))), OPEN, "").await;
    server.sql.batch_execute(&tracevault::generate_init_sql("audit_logs").unwrap()).await.unwrap();
    let (a, b) = (folder.file("a.pem", &ours.pem()), folder.file("b.pem", &theirs.pem()));
    let nothing = folder.file("nothing.pem", "");
    for (host, mode, authorities, code, words) in [
        ("db.example", "sslmode=verify-full", &a, 0, ""),
        ("db.example", "sslrootcert=system", &a, 0, ""),
        ("elsewhere.example", "sslmode=verify-full", &a, 3, "is not for `elsewhere.example`"),
        // Anybody can have a certificate of a public authority, for another name.
        ("elsewhere.example", "sslmode=verify-ca", &a, 3, "is not for `elsewhere.example`"),
        ("elsewhere.example", "sslmode=require sslrootcert=system", &a, 3, "is not for `elsewhere.example`"),
        ("db.example", "sslrootcert=system", &b, 3, "nobody trusted here has issued"),
        ("db.example", "sslmode=verify-full", &nothing, 2, "in a slim image, install ca-certificates"),
    ] {
        let mut command = cli::tracevault(&["query", "--count"], &server.url(host, mode));
        command.env("SSL_CERT_FILE", authorities).env_remove("SSL_CERT_DIR");
        let child = command.spawn().unwrap();
        let ran = tokio::task::spawn_blocking(move || cli::ended(child)).await.unwrap();
        assert!(ran.code == code && ran.err.contains(words), "{host} {mode}: {} {}", ran.code, ran.err);
    }
}
