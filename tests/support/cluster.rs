//! A private PostgreSQL server that can be crashed, frozen and started again.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, io};

use super::account::Account;
use super::command::{run, tail};
use super::folder;
use super::options::Options;
use super::processes::{any_alive, children, signal};
use super::watchdog::Watchdog;

/// Far more than a start or a stop takes, for machines under load.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// Stops the server that was told, if any, and removes the folder `$1`. Frozen processes, told after the server's own,
/// must go on to notice. A server killed leaves its `postmaster.pid`, and one not yet reaped still answers `kill -0`:
/// hence both tests.
const CLEAN_UP: &str = r#"
if [ -n "$told" ]; then
    kill -CONT $told; told=${told%% *}; kill -QUIT "$told"
    tries=0
    while [ -e "$1/data/postmaster.pid" ] && kill -0 "$told" && [ $tries -lt 80 ]; do
        sleep 0.1 || sleep 1; tries=$((tries + 1))
    done
    [ $tries -lt 80 ] || kill -KILL "$told"
fi
tries=0
while rm -rf "$1"; [ -e "$1" ] && [ $tries -lt 50 ]; do sleep 0.1 || sleep 1; tries=$((tries + 1)); done
"#;

/// A server of its own in a folder of its own: superuser `postgres`, no password, UTF8, locale C, time zone UTC.
///
/// Dropping it stops the server and removes the folder; so does the end of the process, however it comes.
#[derive(Debug)]
pub struct Cluster {
    server: Option<Child>,
    // Removes the folder when dropped, which must be after `Drop::drop` has stopped the server.
    watchdog: Watchdog,
    account: Account,
    options: Options,
    folder: PathBuf,
    port: u16,
}

impl Cluster {
    /// Makes the folder, runs `initdb` and waits until the server takes connections.
    pub fn start(options: Options) -> Result<Self, String> {
        Self::made(options, Self::initialise)
    }

    /// A standby that follows this server: it only reads.
    pub fn standby(&self) -> Result<Self, String> {
        let copy = |standby: &Self| {
            let mut command = standby.program("pg_basebackup");
            command.args(["-X", "stream", "-c", "fast", "-R", "-U", "postgres", "-p"]).arg(self.port.to_string());
            command.arg("-h").arg(&self.folder).arg("-D").arg(standby.data());
            run(&mut command, PATIENCE).map(drop).map_err(|why| standby.not_run("pg_basebackup", &why))
        };
        Self::made(self.options.clone(), copy)
    }

    /// `fill` puts the data there.
    fn made(options: Options, fill: impl FnOnce(&Self) -> Result<(), String>) -> Result<Self, String> {
        let account = Account::unprivileged()?;
        let folder = folder::private(&account)?;
        let watchdog = Watchdog::start(CLEAN_UP, &[folder.as_os_str()]).inspect_err(|_| {
            let _ = fs::remove_dir(&folder);
        })?;
        let mut cluster = Self { server: None, watchdog, account, options, folder, port: 5432 };
        fill(&cluster)?;
        cluster.configure()?;
        if !cluster.options.tcp {
            cluster.start_again()?;
            return Ok(cluster);
        }
        // Between our finding a port free and the server's taking it another may: then once more.
        for _ in 0..5 {
            cluster.port = free_port().map_err(|error| format!("no free port on 127.0.0.1: {error}"))?;
            match cluster.start_again() {
                Err(why) if why.contains("Address already in use") => {}
                started => return started.map(|()| cluster),
            }
        }
        Err("no port of 127.0.0.1 stayed free long enough for the server to take it: try again".to_owned())
    }

    /// A connection string for its socket, in `key=value` form.
    #[must_use]
    pub fn connection_string(&self) -> String {
        let host = self.folder.to_string_lossy().replace('\\', r"\\").replace('\'', r"\'");
        format!("host='{host}' port={} user=postgres dbname=postgres", self.port)
    }

    /// A connection string for its port; `None` unless made with `tcp`.
    #[must_use]
    pub fn tcp_connection_string(&self) -> Option<String> {
        let tcp = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.port);
        self.options.tcp.then_some(tcp)
    }

    /// The port: of 127.0.0.1 with `tcp`, else only part of the socket's name.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the socket, `log` and `data`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The data folder; its `postgresql.conf` and `pg_hba.conf` are read again by [`start_again`](Self::start_again).
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// All the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Kills the server and all its processes at once, as the kernel does when it runs out of memory.
    pub fn kill_9(&mut self) -> Result<(), String> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        // Frozen first, so that no child is born unseen.
        signal("STOP", &[server.id()])?;
        let children = children(server.id())?;
        signal("KILL", &[&[server.id()], children.as_slice()].concat())?;
        let _ = server.wait();
        // The server refuses to start while a child of the last one still holds the shared memory.
        let deadline = Instant::now() + PATIENCE;
        while any_alive(&children)? && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        self.watchdog.tell("")
    }

    /// A fast shutdown: transactions are rolled back, clients cut off, everything written.
    pub fn stop(&mut self) -> Result<(), String> {
        self.end("INT")
    }

    /// Starts it after [`stop`](Self::stop) or [`kill_9`](Self::kill_9), with the same data, socket and port, and waits
    /// until it takes connections.
    pub fn start_again(&mut self) -> Result<(), String> {
        if self.server.is_some() {
            return Err("the server is running: stop() or kill_9() it first".to_owned());
        }
        let log = self.folder.join("log");
        let log = OpenOptions::new().create(true).append(true).open(&log).map_err(|error| at(&log, &error))?;
        let errors = log.try_clone().map_err(|error| at(&self.folder, &error))?;
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        command.process_group(0).stdin(Stdio::null()).stdout(log).stderr(errors);
        let server = command.spawn().map_err(|error| self.not_run("postgres", &error.to_string()))?;
        let process = server.id();
        self.server = Some(server);
        self.watchdog.tell(&process.to_string())?;

        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready(process) {
            let ended = self.server.as_mut().and_then(|server| server.try_wait().ok().flatten());
            let why = match ended {
                Some(status) => format!("ended at once ({status})"),
                None if Instant::now() > deadline => format!("was not ready within {} s", PATIENCE.as_secs()),
                None => {
                    thread::sleep(POLL);
                    continue;
                }
            };
            let _ = self.end("KILL");
            return Err(format!(
                "PostgreSQL of {} {why}; the end of its log:\n{}",
                self.options.bin.display(),
                tail(&self.log(), 15)
            ));
        }
        Ok(())
    }

    /// Freezes the server and all its processes: connections stay open and nothing answers.
    pub fn pause(&mut self) -> Result<(), String> {
        let Some(server) = &self.server else {
            return Err("the server is not running: start_again() first".to_owned());
        };
        let server = server.id();
        signal("STOP", &[server])?;
        let children = children(server)?;
        let frozen: Vec<String> = [&[server], children.as_slice()].concat().iter().map(u32::to_string).collect();
        self.watchdog.tell(&frozen.join(" "))?;
        signal("STOP", &children)
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&mut self) -> Result<(), String> {
        let Some(server) = &self.server else { return Ok(()) };
        signal("CONT", &children(server.id())?)?;
        signal("CONT", &[server.id()])?;
        self.watchdog.tell(&server.id().to_string())
    }

    fn initialise(&self) -> Result<(), String> {
        let mut command = self.program("initdb");
        command.arg("-D").arg(self.data());
        command.args(["-N", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]);
        run(&mut command, PATIENCE).map(drop).map_err(|why| self.not_run("initdb", &why))
    }

    fn configure(&self) -> Result<(), String> {
        let path = self.data().join("postgresql.conf");
        let mut file = OpenOptions::new().append(true).open(&path).map_err(|error| at(&path, &error))?;
        file.write_all(self.options.settings_file(&self.folder).as_bytes()).map_err(|error| at(&path, &error))?;
        self.options.files.iter().try_for_each(|(name, content)| {
            let path = self.data().join(name);
            fs::write(&path, content).map_err(|error| at(&path, &error))?;
            // What the server demands of a key.
            fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(|error| at(&path, &error))?;
            self.account.own(&path)
        })
    }

    /// One of the server's programs, as its user, untouched by the caller's locale and `PG*` variables.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.options.bin.join(name));
        for (key, _) in env::vars_os() {
            let text = key.to_string_lossy();
            if text.starts_with("PG") || text.starts_with("LC_") || text == "LANGUAGE" {
                command.env_remove(&key);
            }
        }
        command.env("LC_ALL", "C").env("TZ", "UTC").current_dir(&self.folder);
        self.account.apply(&mut command);
        command
    }

    fn not_run(&self, name: &str, why: &str) -> String {
        let bin = self.options.bin.display();
        let user = match &self.account {
            Account::Own(_) => " as you".to_owned(),
            Account::Other { name, .. } => format!(" as user {name} (PostgreSQL refuses root)"),
        };
        format!("{name} did not run{user}, who must be able to read {bin}: {why}")
    }

    /// The eighth line of `postmaster.pid` is the server's state; the first tells it from one left by a crash.
    fn is_ready(&self, process: u32) -> bool {
        let Ok(state) = fs::read_to_string(self.data().join("postmaster.pid")) else { return false };
        let lines: Vec<&str> = state.lines().map(str::trim).collect();
        lines.first() == Some(&process.to_string().as_str()) && lines.get(7) == Some(&"ready")
    }

    fn end(&mut self, how: &str) -> Result<(), String> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        let process = server.id();
        let deadline = Instant::now() + PATIENCE;
        let mut ended = server.try_wait().is_ok_and(|status| status.is_some());
        if !ended {
            let _ = children(process).and_then(|children| signal("CONT", &children));
            signal("CONT", &[process])?;
            signal(how, &[process])?;
        }
        while !ended && Instant::now() < deadline {
            thread::sleep(POLL);
            ended = server.try_wait().is_ok_and(|status| status.is_some());
        }
        if !ended {
            let _ = server.kill();
            let _ = server.wait();
        }
        self.watchdog.tell("")?;
        if ended {
            Ok(())
        } else {
            Err(format!("the server did not stop within {} s and was killed; see its log", PATIENCE.as_secs()))
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.end("QUIT");
    }
}

/// Of those below the ones that systems give to whoever asks for any, and each once: so that nobody else has it while
/// the server is down.
fn free_port() -> io::Result<u16> {
    const LOWEST: u32 = 10_000;
    const COUNT: u32 = 22_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin far from each other.
    let first = process::id().wrapping_mul(7_919);
    loop {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(LOWEST + first.wrapping_add(given) % COUNT).unwrap_or(0);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && given < COUNT => {}
            bound => return bound?.local_addr().map(|address| address.port()),
        }
    }
}

fn at(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
