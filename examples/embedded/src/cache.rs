//! The folder that the server is unpacked into.

use std::{
    env,
    error::Error,
    fs::{self, Permissions},
    io,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{self, Command},
};

use tempfile::TempDir;

/// Holds our process id once we have started ourselves again with a cache folder of our own.
const RESTARTED: &str = "TRACEVAULT_EMBEDDED_RESTARTED";
/// How the name of that folder begins.
const PREFIX: &str = "tracevault-cache-";

/// A cache folder that can be written; what is private is removed when dropped.
pub(crate) struct Cache {
    private: Option<PathBuf>,
}

impl Drop for Cache {
    fn drop(&mut self) {
        if let Some(folder) = &self.private {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

impl Cache {
    /// `pglite-oxide` unpacks into the user's cache folder, takes no other, and a program cannot safely change its own
    /// environment. So where that folder cannot be written, this program starts itself again (same process id) with
    /// one in the temporary folder: this is to be called first of all.
    pub(crate) fn writable() -> Result<Self, Box<dyn Error + Send + Sync>> {
        let home = env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let xdg = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        // Only what is certainly ours is removed in the end: a child process inherits the variables, but has another id.
        let restarted = env::var(RESTARTED).is_ok_and(|id| id == process::id().to_string())
            && xdg.as_deref().and_then(Path::file_name).is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        let cache = match home {
            None => None,
            Some(home) if cfg!(target_os = "macos") => Some(home.join("Library/Caches")),
            Some(home) => Some(xdg.clone().unwrap_or_else(|| home.join(".cache"))),
        };
        let why = match cache.map(|cache| cache.join("pglite-oxide")) {
            None => "no home folder".to_owned(),
            Some(ours) => match fs::create_dir_all(&ours).and_then(|()| tempfile::tempfile_in(&ours)) {
                Ok(_) => return Ok(Self { private: xdg.filter(|_| restarted) }),
                Err(error) => format!("{}: {error}", ours.display()),
            },
        };
        let restart = if restarted { io::Error::other("it was tried") } else { start_again()? };
        Err(format!("no folder to unpack the embedded database into ({why}), nor by a restart: {restart}").into())
    }
}

/// Returns only if it fails.
fn start_again() -> io::Result<io::Error> {
    let private = private_folder(PREFIX)?;
    let mut again = Command::new(env::current_exe()?);
    again.args(env::args_os().skip(1)).env("HOME", private.path()).env("XDG_CACHE_HOME", private.path());
    Ok(again.env(RESTARTED, process::id().to_string()).exec())
}

/// A temporary folder that no other user can look into: the server asks for no password.
pub(crate) fn private_folder(prefix: &str) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o700)).tempdir()
}
