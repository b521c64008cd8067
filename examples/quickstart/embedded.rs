//! The way out for a machine without PostgreSQL and Docker: the workspace's own member that has one built in.

use std::{env, io, os::unix::process::CommandExt as _, path::Path, process::Command};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Whether it is there: it is part of the repository, not of the published package.
pub(crate) fn is_here() -> bool {
    Path::new(ROOT).join("examples/embedded/Cargo.toml").exists()
}

/// Goes on as that program, its output, signals and exit code included. Returns only if it cannot be started.
pub(crate) fn take_over() -> io::Error {
    println!("There is no PostgreSQL and no Docker on this machine, and no DATABASE_URL is set.");
    println!("So here is a PostgreSQL built into a program: the first time it takes some minutes to build, and");
    println!("from then on it starts within seconds. It leaves nothing behind but its cache and target/.");
    println!();
    println!("$ cargo run -p tracevault-embedded");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Command::new(cargo).args(["run", "-p", "tracevault-embedded"]).current_dir(ROOT).exec()
}
