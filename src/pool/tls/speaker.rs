//! From what a connection string asks for to a connector of rustls.

use std::sync::Arc;

use rustls::{
    ClientConfig,
    client::danger::ServerCertVerifier,
    crypto::{CryptoProvider, ring},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    super::security::{Identity, Security, Trust, When},
    files,
    verifier::Verifier,
};

/// Speaks TLS. Clones share what was read of the files.
#[derive(Clone)]
pub(in super::super) struct Tls(MakeRustlsConnect);

impl Tls {
    /// One for this security, or nothing where it is none. Reads the files.
    pub(in super::super) fn of(security: &Security) -> Result<Option<Self>, String> {
        let Security { when, trust, identity } = security;
        if *when == When::Never {
            return Ok(None);
        }
        // Not the process's own: it may have none, or another's.
        let provider = Arc::new(ring::default_provider());
        let versions = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = versions.map_err(|error| format!("asks for TLS, which cannot be set up: {error}"))?;
        let verified = builder.dangerous().with_custom_certificate_verifier(verifier(trust, &provider)?);
        let mut config = match identity {
            None => verified.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let (chain, private) = (files::certificates("sslcert", certificate)?, files::key("sslkey", key)?);
                verified.with_client_auth_cert(chain, private).map_err(|error| {
                    format!("has an `sslkey` that does not go with its `sslcert`: {}: {error}", key.display())
                })?
            }
        };
        // Asked for by `sslnegotiation=direct`, and harmless elsewhere.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Some(Self(MakeRustlsConnect::new(config))))
    }

    pub(in super::super) fn connector(&self) -> MakeRustlsConnect {
        self.0.clone()
    }
}

fn verifier(trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let algorithms = provider.signature_verification_algorithms;
    let (path, named) = match trust {
        Trust::Anybody => return Ok(Arc::new(Verifier::of_nothing(algorithms))),
        Trust::Issuer(path) => (path, false),
        Trust::IssuerAndName(path) => (path, true),
        Trust::System => {
            let system = rustls_platform_verifier::Verifier::new(Arc::clone(provider)).map_err(|error| {
                format!(
                    "asks for certificates to be verified, and this system has no authorities to do it by \
                     (in a slim image, install ca-certificates; or name a file by `sslrootcert`): {error}"
                )
            })?;
            return Ok(Arc::new(system));
        }
    };
    let roots = files::certificates("sslrootcert", path)?;
    match Verifier::of(roots, named, algorithms) {
        Some(verifier) => Ok(Arc::new(verifier)),
        None => Err(format!("has an `sslrootcert` without a certificate that can be used: {}", path.display())),
    }
}
