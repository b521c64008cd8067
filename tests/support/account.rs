//! The user a server runs as: PostgreSQL refuses to run as root.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::command::run;

/// Whom the server runs as.
#[derive(Clone, Debug)]
pub enum Account {
    /// The user who runs this process.
    Own(u32),
    /// An unprivileged user to drop to, since this process is root's.
    Other {
        /// Its name, for errors.
        name: String,
        /// Its user number.
        uid: u32,
        /// Its group number.
        gid: u32,
    },
}

impl Account {
    /// This process's own user or, for root, `postgres` or else `nobody`.
    pub fn unprivileged() -> Result<Self, String> {
        let own = Self::current()?;
        if own != 0 {
            return Ok(Self::Own(own));
        }
        let users = fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
        ["postgres", "nobody"].iter().find_map(|name| entry(&users, name)).ok_or_else(|| {
            "PostgreSQL refuses to run as root and there is no user `postgres` or `nobody` to drop to: \
             run as an ordinary user, or add one (useradd --system postgres)"
                .to_owned()
        })
    }

    /// The user number of this process; the standard library does not tell.
    pub fn current() -> Result<u32, String> {
        let mut id = Command::new("/bin/sh");
        let own = run(id.args(["-c", "PATH=$PATH:/usr/bin:/bin; id -u"]), Duration::from_secs(10))?;
        own.parse().map_err(|_| format!("`id -u` answered {own:?}, not a number"))
    }

    /// Its user number.
    pub fn uid(&self) -> u32 {
        match self {
            Self::Own(uid) | Self::Other { uid, .. } => *uid,
        }
    }

    /// Has the program run as this user.
    pub fn apply(&self, command: &mut Command) {
        if let Self::Other { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
    }

    /// Gives it what this process has made.
    pub fn own(&self, path: &Path) -> Result<(), String> {
        let Self::Other { name, uid, gid } = self else { return Ok(()) };
        std::os::unix::fs::chown(path, Some(*uid), Some(*gid))
            .map_err(|error| format!("{} could not be given to user {name}: {error}", path.display()))
    }

    /// Whether it may pass through this folder and all those above it.
    pub fn may_enter(&self, folder: &Path) -> bool {
        let enters = |found: Metadata| {
            let bit = if found.uid() == self.uid() { 0o100 } else { 0o001 };
            found.mode() & bit != 0
        };
        matches!(self, Self::Own(_)) || folder.ancestors().all(|step| fs::metadata(step).is_ok_and(enters))
    }
}

fn entry(users: &str, wanted: &str) -> Option<Account> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| *name == wanted)?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account::Other { name: name.to_owned(), uid, gid })
    })
}
