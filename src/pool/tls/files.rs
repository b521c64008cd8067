//! Certificates and keys, read once. An error names the path, never the content.

use std::{fs, path::Path};

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject as _},
};

/// All the certificates of a PEM file; at least one.
pub(super) fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |why: &str| unusable(key, path, why);
    let all: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&read(key, path)?).collect();
    let all = all.map_err(|_| wrong("it is not whole PEM"))?;
    if all.is_empty() {
        return Err(wrong("it holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)"));
    }
    Ok(all)
}

/// The private key of a PEM file.
pub(super) fn key(key: &str, path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(&read(key, path)?).map_err(|_| {
        unusable(key, path, "it holds no private key in PEM form (one that is encrypted must be decrypted beforehand)")
    })
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| unusable(key, path, &error.to_string()))
}

fn unusable(key: &str, path: &Path, why: &str) -> String {
    format!("has an `{key}` that cannot be used: {}: {why}", path.display())
}
