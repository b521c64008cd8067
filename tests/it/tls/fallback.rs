//! With TLS and without: who insists on what.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::mpsc,
    thread,
};

use super::*;

const REFUSED: Result<bool, &str> = Err("pg_hba.conf, which may ask for TLS");

#[tokio::test]
async fn allow_and_prefer_go_the_way_that_the_server_lets_them() {
    let (ours, theirs, folder) = (Authority::new("ours"), Authority::new("theirs"), Folder::new());
    let hba = "hostssl all strict 127.0.0.1/32 trust\nhostnossl all plain 127.0.0.1/32 trust";
    let server = Server::start(Some(&ours.signs(&made::server("db.example"))), hba, "").await;
    server.sql.batch_execute("CREATE ROLE strict LOGIN; CREATE ROLE plain LOGIN").await.unwrap();
    for (user, mode, expected) in [
        ("strict", "disable", REFUSED),
        ("strict", "allow", Ok(true)),
        ("strict", "prefer", Ok(true)),
        ("strict", "require", Ok(true)),
        ("plain", "disable", Ok(false)),
        ("plain", "allow", Ok(false)),
        ("plain", "prefer", Ok(false)),
        ("plain", "require", REFUSED),
        ("stranger", "allow", REFUSED),
        ("stranger", "prefer", REFUSED),
    ] {
        let url = server.url("db.example", &format!("user={user} sslmode={mode}"));
        server.check(&url, expected).await;
    }
    // A handshake that fails: prefer goes without, and where it cannot, the handshake is told.
    let root = folder.file("theirs.pem", &theirs.pem());
    let with = |user: &str| server.url("db.example", &format!("user={user} sslmode=prefer sslrootcert='{root}'"));
    server.check(&with("plain"), Ok(false)).await;
    server.check(&with("strict"), NOBODY).await;
}

#[tokio::test]
async fn a_server_without_tls_is_taken_unless_it_is_demanded() {
    let (ours, folder) = (Authority::new("ours"), Folder::new());
    let root = folder.file("root.pem", &ours.pem());
    let server = Server::start(None, OPEN, "").await;
    for (rest, expected) in [
        (String::new(), Ok(false)),
        ("sslmode=disable".to_owned(), Ok(false)),
        ("sslmode=allow".to_owned(), Ok(false)),
        ("sslmode=prefer".to_owned(), Ok(false)),
        (format!("sslmode=prefer sslrootcert='{root}'"), Ok(false)),
        ("sslmode=require".to_owned(), Err("the server does not speak TLS, for which `sslmode` asks")),
        (format!("sslmode=verify-full sslrootcert='{root}'"), Err("the server does not speak TLS")),
    ] {
        server.check(&server.url("db.example", &rest), expected).await;
    }
}

/// As a pooler refuses whoever comes without TLS.
#[tokio::test]
async fn allow_asks_for_tls_where_a_pooler_demands_it() {
    kit::url();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        loop {
            let mut stream = listener.accept().unwrap().0;
            let mut head = [0; 8];
            stream.read_exact(&mut head).unwrap();
            let asks = head == [0, 0, 0, 8, 4, 210, 22, 47];
            if asks {
                stream.write_all(b"N").unwrap();
                stream.read_exact(&mut head).unwrap();
            }
            let length = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
            stream.read_exact(&mut vec![0; length - 8]).unwrap();
            tell.send(asks).unwrap();
            stream.write_all(b"E\0\0\0\x21SFATAL\0C08P01\0MTLS required\0\0").unwrap();
        }
    });
    let url = format!("host=127.0.0.1 port={port} user=u password={CANARY} sslmode=allow");
    let error = Query::connect(QueryConfig::new(url)).await.unwrap_err();
    assert_clean(&error);
    assert_eq!(error.sqlstate(), Some("08P01"), "{error}: {:?}", error.source());
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [false, true], "the second time it asks for TLS first");
}
