//! Places for a server's files: private, short in name, and open to the user the server runs as.

use std::env;
use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::process;
use std::time::SystemTime;

use super::account::Account;

/// A socket's whole path must fit in `sun_path`: 108 bytes on Linux, 104 on macOS, with the closing NUL.
const SOCKET_PATH: usize = 103;
const SOCKET_NAME: usize = "/.s.PGSQL.65535".len();

/// A new folder, mode 0700, which belongs to `account`.
pub fn private(account: &Account) -> Result<PathBuf, String> {
    let mut refused = Vec::new();
    for base in bases(account)? {
        let folder = base.join(format!("tracevault-{}", token()));
        if folder.as_os_str().len() + SOCKET_NAME > SOCKET_PATH {
            refused.push(format!("{}: too long for a socket's path", base.display()));
            continue;
        }
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => {
                return account.own(&folder).map(|()| folder.clone()).inspect_err(|_| {
                    let _ = fs::remove_dir(&folder);
                });
            }
            Err(error) => refused.push(format!("{}: {error}", base.display())),
        }
    }
    Err(format!("no folder for the server ({}): set TMPDIR to a short path you may write to", refused.join("; ")))
}

/// The temporary folders, the environment's own first, which `account` can reach.
pub fn bases(account: &Account) -> Result<Vec<PathBuf>, String> {
    let mut bases: Vec<PathBuf> = Vec::new();
    for base in [env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")] {
        if let Ok(base) = fs::canonicalize(base)
            && account.may_enter(&base)
            && !bases.contains(&base)
        {
            bases.push(base);
        }
    }
    if bases.is_empty() {
        return Err("no temporary folder which the server's user may enter: set TMPDIR to one (chmod 1777)".to_owned());
    }
    Ok(bases)
}

/// Sixteen hexadecimal digits nobody will guess.
pub fn token() -> String {
    format!("{:016x}", RandomState::new().hash_one((process::id(), SystemTime::now())))
}
