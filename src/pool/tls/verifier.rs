//! Whose certificate is taken for the server's.

use std::time::Duration;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{
        WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key,
    },
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::ParsedCertificate,
};
use x509_cert::der::{Decode as _, Encode as _};

/// Checks as much as it is told to; that the server has the key of its certificate, always, since channel binding
/// stands on it.
#[derive(Debug)]
pub(super) struct Verifier {
    authorities: Option<Authorities>,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
struct Authorities {
    roots: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
    /// Whether the certificate must be for the name of the host.
    named: bool,
}

impl Verifier {
    /// Takes every certificate.
    pub(super) fn of_nothing(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { authorities: None, algorithms }
    }

    /// Takes those of these authorities; `None` where no certificate of them can be read.
    pub(super) fn of(
        certificates: Vec<CertificateDer<'static>>,
        named: bool,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        let authorities = Authorities { roots, certificates, named };
        (!authorities.roots.is_empty()).then_some(Self { authorities: Some(authorities), algorithms })
    }
}

impl Authorities {
    fn check(
        &self,
        given: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(given)?;
        if self.certificates.iter().any(|one| one.as_ref() == given.as_ref()) {
            // A server that signs for itself, whose certificate was given us as the authority: it has no other issuer.
            check_dates(given, now)?;
        } else {
            verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, between, now, algorithms.all)?;
        }
        if self.named { verify_server_name(&parsed, name) } else { Ok(()) }
    }
}

fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let validity = parsed(certificate)?.tbs_certificate.validity;
    let time = |of: Duration| UnixTime::since_unix_epoch(of);
    let (not_before, not_after) =
        (time(validity.not_before.to_unix_duration()), time(validity.not_after.to_unix_duration()));
    if now < not_before {
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    Ok(())
}

fn parsed(certificate: &CertificateDer<'_>) -> Result<x509_cert::Certificate, Error> {
    x509_cert::Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding.into())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        given: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(authorities) = &self.authorities {
            authorities.check(given, between, name, now, &self.algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.authorities.is_some() {
            return verify_tls13_signature(message, certificate, signed, &self.algorithms);
        }
        // By its key alone: a certificate of version 1, as `openssl x509 -req` makes them, is refused above.
        let key = parsed(certificate)?.tbs_certificate.subject_public_key_info.to_der();
        let key = SubjectPublicKeyInfoDer::from(key.map_err(|_| CertificateError::BadEncoding)?);
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
