//! PgBouncer before a private server.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, io};

use super::account::Account;
use super::cluster::Cluster;
use super::command::{run, tail};
use super::folder;
use super::watchdog::Watchdog;

/// The command that brings it.
pub const INSTALL: &str = "apt-get install -y pgbouncer";

const PORT: u16 = 6432;
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends the pooler that was told, if any, and removes the folder `$1`.
const CLEAN_UP: &str = r#"
[ -z "$told" ] || kill -KILL "$told"
rm -rf "$1"
"#;

/// A pooler in transaction mode, with four connections to its server, on a socket of its own: user `postgres`, no
/// password.
///
/// Dropping it stops it and removes its folder; so does the end of the process, however it comes.
#[derive(Debug)]
pub struct PgBouncer {
    process: Child,
    // Removes the folder when dropped, which must be after `Drop::drop` has stopped the pooler.
    watchdog: Watchdog,
    folder: PathBuf,
}

/// Its program, where there is one. Debian puts it where only root's PATH leads.
#[must_use]
pub fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    folders.map(|folder| folder.join("pgbouncer")).find(|program| program.is_file())
}

impl PgBouncer {
    /// Waits until it takes connections.
    pub fn start(program: &Path, server: &Cluster) -> Result<Self, String> {
        let account = Account::unprivileged()?;
        let folder = folder::private(&account)?;
        let mut watchdog = Watchdog::start(CLEAN_UP, &[folder.as_os_str()]).inspect_err(|_| {
            let _ = fs::remove_dir(&folder);
        })?;
        let settings = folder.join("pgbouncer.ini");
        fs::write(&settings, text(&folder, server, keeps_statements(program)))
            .map_err(|error| at(&settings, &error))?;
        account.own(&settings)?;
        let log = folder.join("log");
        let file = File::create(&log).map_err(|error| at(&log, &error))?;
        let errors = file.try_clone().map_err(|error| at(&log, &error))?;
        let mut command = Command::new(program);
        command.arg(&settings).current_dir(&folder).process_group(0);
        command.stdin(Stdio::null()).stdout(file).stderr(errors);
        account.apply(&mut command);
        let process = command.spawn().map_err(|error| at(program, &error))?;
        watchdog.tell(&process.id().to_string())?;

        let mut pooler = Self { process, watchdog, folder };
        let deadline = Instant::now() + PATIENCE;
        let socket = pooler.folder.join(format!(".s.PGSQL.{PORT}"));
        while UnixStream::connect(&socket).is_err() {
            let ended = pooler.process.try_wait().ok().flatten().is_some();
            if ended || Instant::now() > deadline {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("pgbouncer does not run; the end of its log:\n{}", tail(&said, 15)));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(pooler)
    }

    /// A connection string for its socket, in `key=value` form.
    #[must_use]
    pub fn connection_string(&self) -> String {
        format!("host='{}' port={PORT} user=postgres dbname=postgres", self.folder.display())
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = self.watchdog.tell("");
    }
}

fn text(folder: &Path, server: &Cluster, keeps_statements: bool) -> String {
    let (folder, host, port) = (folder.display(), server.folder().display(), server.port());
    // What keeps prepared statements for its clients is a pooler of another kind.
    let forgets = if keeps_statements { "max_prepared_statements = 0\n" } else { "" };
    format!(
        "[databases]\npostgres = host={host} port={port} dbname=postgres user=postgres\n\
         [pgbouncer]\nunix_socket_dir = {folder}\nlisten_addr =\nlisten_port = {PORT}\nauth_type = any\n\
         pool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 500\nserver_login_retry = 1\n{forgets}"
    )
}

/// From 1.21 on it can.
fn keeps_statements(program: &Path) -> bool {
    let said = run(Command::new(program).arg("--version"), Duration::from_secs(10)).unwrap_or_default();
    let version = said.split_whitespace().nth(1).unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (1, 21)
}

fn at(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
