//! Certificates made for one test, and a folder for the client's files.

use std::{env, fs, path::PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};

use crate::kit::{self, CANARY};

/// A certificate and its key, in PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Self {
        let (parameters, key) = authority(name);
        Self(CertifiedIssuer::self_signed(parameters, key).unwrap())
    }

    /// One that this one answers for.
    pub fn below(&self, name: &str) -> Self {
        let (parameters, key) = authority(name);
        Self(CertifiedIssuer::signed_by(parameters, key, &self.0).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn signs(&self, parameters: &CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(DnType::CommonName, name);
    (parameters, KeyPair::generate().unwrap())
}

/// A server's, for this name.
pub fn server(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters
}

/// A client's, for this user.
pub fn client(user: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, user);
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    parameters
}

pub fn signed_by_itself(parameters: &CertificateParams) -> Pair {
    let key = KeyPair::generate().unwrap();
    Pair { certificate: parameters.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

pub fn expired(mut parameters: CertificateParams) -> CertificateParams {
    parameters.not_after = date_time_ymd(2001, 1, 1);
    parameters
}

pub fn not_yet(mut parameters: CertificateParams) -> CertificateParams {
    parameters.not_before = date_time_ymd(3001, 1, 1);
    parameters
}

/// A folder that goes with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let folder = env::temp_dir().join(kit::unique("tls"));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// A file that begins with the secret, as PEM may; gives its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, format!("{CANARY}\n{content}")).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
