//! How safe the way to the server must be: `sslmode` and the files that belong to it.

use std::path::PathBuf;

/// How safe the way must be.
#[allow(dead_code, reason = "TLS, which reads all of it, may not be compiled in")]
pub(super) struct Security {
    pub(super) when: When,
    pub(super) trust: Trust,
    pub(super) identity: Option<Identity>,
}

/// When TLS is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Never,
    /// Where the server refuses to go without.
    IfDemanded,
    /// Where the server offers it and it comes about.
    IfOffered,
    Always,
}

/// Whose certificate is taken for the server's.
#[derive(Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "as above")]
pub(super) enum Trust {
    Anybody,
    /// Of this file's authorities, for whatever name.
    Issuer(PathBuf),
    /// Of this file's authorities, for the host's name.
    IssuerAndName(PathBuf),
    /// Of the system's authorities, for the host's name: for some name, anyone can have one of theirs.
    System,
}

/// The files by which a server knows its client.
#[derive(Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "as above")]
pub(super) struct Identity {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// What the string says of it, key by key.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) mode: Option<Mode>,
    /// `sslnegotiation=direct`.
    pub(super) direct: bool,
    pub(super) root: String,
    pub(super) certificate: String,
    pub(super) key: String,
}

/// `sslmode`, from the weakest on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Asked {
    /// What it comes to, as libpq has it, but that no file is looked for in the user's home.
    pub(super) fn security(self) -> Result<Security, String> {
        let system = self.root == "system";
        let mode = self.mode.unwrap_or(if system { Mode::VerifyFull } else { Mode::Prefer });
        if mode < Mode::Require {
            if system {
                return Err("asks by `sslrootcert=system` for more than its `sslmode`: use `verify-full`".to_owned());
            }
            if self.direct {
                return Err(
                    "asks by `sslnegotiation=direct` for more than its `sslmode`: use `require` or more".to_owned()
                );
            }
        }
        let when = match mode {
            Mode::Disable => When::Never,
            Mode::Allow => When::IfDemanded,
            Mode::Prefer => When::IfOffered,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => When::Always,
        };
        let file = (!self.root.is_empty() && !system).then(|| PathBuf::from(self.root));
        let trust = match (mode, file) {
            (Mode::VerifyFull, Some(file)) => Trust::IssuerAndName(file),
            (_, Some(file)) => Trust::Issuer(file),
            (Mode::VerifyCa | Mode::VerifyFull, None) => Trust::System,
            (_, None) if system => Trust::System,
            (_, None) => Trust::Anybody,
        };
        let identity = match (self.certificate.is_empty(), self.key.is_empty()) {
            (true, true) => None,
            (false, false) => {
                Some(Identity { certificate: PathBuf::from(self.certificate), key: PathBuf::from(self.key) })
            }
            (false, true) => return Err("has an `sslcert` without an `sslkey`".to_owned()),
            (true, false) => return Err("has an `sslkey` without an `sslcert`".to_owned()),
        };
        Ok(Security { when, trust, identity })
    }
}
