//! A server that shows another's certificate, whose key it does not have: refused even where nothing else is verified,
//! since a password may be bound to what is shown.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::Arc,
    thread,
};

use rustls::{
    ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};

use super::*;

#[tokio::test]
async fn a_certificate_without_its_key_is_refused() {
    kit::url();
    let (ours, folder) = (Authority::new("ours"), Folder::new());
    let (shown, own) = (ours.signs(&made::server("db.example")), ours.signs(&made::server("db.example")));
    let root = folder.file("root.pem", &ours.pem());
    for version in [&TLS13, &TLS12] {
        for (pair, rest, refusal) in [
            (&shown, "sslmode=require".to_owned(), None),
            (&own, "sslmode=require".to_owned(), Some("BadSignature")),
            (&own, format!("sslmode=verify-full sslrootcert='{root}'"), Some("BadSignature")),
        ] {
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            let certificate = CertificateDer::from_pem_slice(shown.certificate.as_bytes()).unwrap();
            let certified = CertifiedKey::new(vec![certificate], ring::sign::any_supported_type(&key).unwrap());
            let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_protocol_versions(&[version])
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = thread::spawn(move || {
                let mut stream = listener.accept().unwrap().0;
                stream.read_exact(&mut [0; 8]).unwrap();
                stream.write_all(b"S").unwrap();
                let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
                let shaken = connection.complete_io(&mut stream).map(drop);
                // What comes then is the start of a session, which is not answered.
                shaken.and_then(|()| connection.complete_io(&mut stream).map(drop))
            });
            let url = format!("host=db.example hostaddr=127.0.0.1 port={port} user=u password={CANARY} {rest}");
            let error = Query::connect(QueryConfig::new(url)).await.unwrap_err();
            assert_clean(&error);
            let cause = error.source().and_then(std::error::Error::source).map(ToString::to_string).unwrap_or_default();
            match refusal {
                Some(words) => assert!(cause.contains(words) && !error.is_retryable(), "{error}: {cause}"),
                None => assert!(!cause.contains("certificate") && error.is_retryable(), "{error}: {cause}"),
            }
            assert_eq!(server.join().unwrap().is_err(), refusal.is_some());
        }
    }
}
