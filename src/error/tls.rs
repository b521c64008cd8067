//! Why TLS, or a session of the kind asked for, did not come about, and what to do about it.

use std::error::Error as _;

use tokio_postgres::Error;

/// What to do, where the cause tells.
pub(super) fn advice(error: &Error) -> Option<String> {
    let cause = error.source()?.to_string();
    // The driver has no types for these: its words.
    let known = match cause.as_str() {
        "server does not support TLS" => {
            "the server does not speak TLS, for which `sslmode` asks: turn its `ssl` on, or use `sslmode=disable` where \
             nobody else is on the way to it"
        }
        "database does not allow writes" | "database is not read only" => {
            "no server of the connection string is what its `target_session_attrs` asks for"
        }
        _ => return certificate(error),
    };
    Some(known.to_owned())
}

#[cfg(not(feature = "tls"))]
fn certificate(_: &Error) -> Option<String> {
    None
}

/// Whether the server has refused our certificate, or the lack of one. It says so when the handshake is already over.
#[cfg(not(feature = "tls"))]
pub(super) fn is_refused_by_server(_: &Error) -> bool {
    false
}

#[cfg(feature = "tls")]
fn failure(error: &Error) -> Option<&rustls::Error> {
    let inner = error.source()?.downcast_ref::<std::io::Error>()?.get_ref()?;
    inner.downcast_ref()
}

#[cfg(feature = "tls")]
pub(super) fn is_refused_by_server(error: &Error) -> bool {
    use rustls::AlertDescription as Alert;
    matches!(
        failure(error),
        Some(rustls::Error::AlertReceived(
            Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::DecryptError
                | Alert::CertificateRequired
        ))
    )
}

#[cfg(feature = "tls")]
fn certificate(error: &Error) -> Option<String> {
    use rustls::CertificateError as Refused;
    if is_refused_by_server(error) {
        return Some("the server refused our certificate: check `sslcert`, and the server's ssl_ca_file".to_owned());
    }
    let rustls::Error::InvalidCertificate(refused) = failure(error)? else { return None };
    Some(match refused {
        Refused::NotValidForNameContext { expected, .. } => format!(
            "the server's certificate is not for `{}`, the host of the connection string: connect by a name that it is \
             for, or take any name of that issuer by `sslmode=verify-ca` and `sslrootcert=FILE`",
            expected.to_str()
        ),
        Refused::UnknownIssuer | Refused::BadSignature => {
            "nobody trusted here has issued the server's certificate: name its authority's file by `sslrootcert=FILE`"
                .to_owned()
        }
        Refused::Expired | Refused::ExpiredContext { .. } => {
            "the server's certificate has expired: renew it there, or correct the clock of this machine".to_owned()
        }
        Refused::NotValidYet | Refused::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: correct the clock of this machine, or the server's".to_owned()
        }
        _ => "the server's certificate cannot be verified, for the cause given: give the server another, or name its \
              authority's file by `sslrootcert=FILE`"
            .to_owned(),
    })
}
