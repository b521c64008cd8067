//! PostgreSQL's server binaries that are already on this machine.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use super::account::Account;
use super::command::run;

/// Names the folder of `initdb` and `postgres`; no other is then looked for.
pub const PG_BIN: &str = "TRACEVAULT_PG_BIN";

const SHORT: Duration = Duration::from_secs(10);

/// Where packages put them: a folder, how the names in it begin, and what follows. The rest of the name is the version.
const PACKAGES: [(&str, &str, &str); 10] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/lib", "postgresql", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/usr/local", "pgsql", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    ("/opt/local/lib", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// What `TRACEVAULT_PG_BIN` names, where it is set.
pub fn demanded() -> Option<Result<PathBuf, String>> {
    let folder = env::var_os(PG_BIN).filter(|value| !value.is_empty())?;
    let account = match Account::unprivileged() {
        Ok(account) => account,
        Err(why) => return Some(Err(why)),
    };
    Some(usable(Path::new(&folder), &account).map_err(|why| format!("{PG_BIN}, to be corrected or unset: {why}")))
}

/// The first that are usable: of PATH, of `pg_config --bindir`, of the packages' folders from the highest version down.
pub fn installed() -> Result<PathBuf, String> {
    let account = Account::unprivileged()?;
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    folders.extend(run(Command::new("pg_config").arg("--bindir"), SHORT).map(PathBuf::from));
    folders.extend(packaged());

    let mut refused = Vec::new();
    for folder in folders.iter().filter(|folder| folder.join("initdb").exists()) {
        match usable(folder, &account) {
            Ok(bin) => return Ok(bin),
            Err(why) => refused.push(why),
        }
    }
    refused.dedup();
    if refused.is_empty() {
        refused.push("no initdb in PATH, by pg_config or in the packages' usual folders".to_owned());
    }
    Err(refused.join("; "))
}

/// The folder, links resolved, once its programs have been found to run.
pub fn usable(folder: &Path, account: &Account) -> Result<PathBuf, String> {
    let initdb = folder.join("initdb");
    let real = fs::canonicalize(&initdb).map_err(|error| format!("{}: {error}", initdb.display()))?;
    let bin = real.parent().unwrap_or(folder).to_owned();
    for program in ["initdb", "postgres"] {
        let mut command = Command::new(bin.join(program));
        account.apply(&mut command);
        run(command.arg("--version").current_dir("/"), SHORT).map_err(|why| match account {
            Account::Own(_) => why,
            Account::Other { name, .. } => format!("as user {name} (PostgreSQL refuses root): {why}"),
        })?;
    }
    Ok(bin)
}

fn packaged() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (parent, prefix, rest) in PACKAGES {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            if let Some(name) = entry.file_name().to_str()
                && let Some(version) = name.strip_prefix(prefix)
            {
                found.push((major(version), entry.path().join(rest)));
            }
        }
    }
    found.sort_by_key(|(version, _)| Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// 16 of `16`, `16.4`, `@16` and `-16`; 0 where there is none.
fn major(version: &str) -> u32 {
    let digits = version.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    digits.split(|letter: char| !letter.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
