//! A TLS handshake that fails, over a pool of the caller's.

use std::{
    future::{Ready, ready},
    io::{self, ErrorKind, Read as _, Write as _},
    net::TcpListener,
    thread,
};

use tokio_postgres::{
    Socket,
    tls::{MakeTlsConnect, NoTlsStream, TlsConnect},
};
use tracevault::{Config, Tracevault, query::CountFilters};

use super::{Expected, REJECTED, check};

/// Fails in this way.
#[derive(Clone)]
struct Failing(ErrorKind);

impl MakeTlsConnect<Socket> for Failing {
    type Stream = NoTlsStream;
    type TlsConnect = Self;
    type Error = io::Error;

    fn make_tls_connect(&mut self, _domain: &str) -> io::Result<Self> {
        Ok(self.clone())
    }
}

impl TlsConnect<Socket> for Failing {
    type Stream = NoTlsStream;
    type Error = io::Error;
    type Future = Ready<io::Result<NoTlsStream>>;

    fn connect(self, _stream: Socket) -> Self::Future {
        ready(Err(self.0.into()))
    }
}

#[tokio::test]
async fn a_handshake_that_is_broken_off_may_succeed_later_and_a_refused_one_not() {
    let cases =
        [(ErrorKind::UnexpectedEof, true, "check that PostgreSQL runs"), (ErrorKind::InvalidData, false, "TLS")];
    for (kind, retryable, says) in cases {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let answer = thread::spawn(move || {
            let mut stream = server.accept().unwrap().0;
            stream.read_exact(&mut [0; 8]).unwrap();
            stream.write_all(b"S").unwrap();
        });
        let config = format!("host=127.0.0.1 port={port} user=app sslmode=require").parse().unwrap();
        let manager = tracevault::deadpool_postgres::Manager::new(config, Failing(kind));
        let pool = tracevault::deadpool_postgres::Pool::builder(manager).build().unwrap();
        let audit = Tracevault::with_pools(pool, None, Config::default()).unwrap();
        let error = audit.query().count(CountFilters::new()).await.unwrap_err();
        let because = "error performing TLS handshake";
        check(&error, &Expected { retryable, says: vec![says.to_owned()], because, ..REJECTED });
        answer.join().unwrap();
    }
}
