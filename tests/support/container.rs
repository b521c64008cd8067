//! PostgreSQL in a container, where Docker or Podman answers.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::command::run;
use super::folder::token;
use super::watchdog::Watchdog;

const IMAGE: &str = "docker.io/library/postgres:16";
const DATA: &str = "/var/lib/postgresql/data";
const SHORT: Duration = Duration::from_secs(15);
/// The image may have to be fetched first.
const FETCH: Duration = Duration::from_secs(600);

/// A container on a free port of 127.0.0.1, its data in memory, removed when dropped or when this process ends.
#[derive(Debug)]
pub struct Container {
    _watchdog: Watchdog,
    url: String,
}

impl Container {
    /// Starts one by the first engine that answers and waits until it takes connections.
    pub fn start() -> Result<Self, String> {
        let mut refused = Vec::new();
        for engine in ["docker", "podman"] {
            match run(Command::new(engine).arg("info"), SHORT) {
                Ok(_) => return Self::start_by(engine),
                Err(why) => refused.push(why),
            }
        }
        Err(refused.join("; "))
    }

    /// The connection string, password and all.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn start_by(engine: &str) -> Result<Self, String> {
        let name = format!("tracevault-{}", token());
        let password = token() + &token();
        let watchdog = Watchdog::start(r#""$1" rm --force --volumes "$2""#, &[OsStr::new(engine), OsStr::new(&name)])?;

        let mut command = Command::new(engine);
        command.args(["run", "--detach", "--rm", "--name", &name, "--publish", "127.0.0.1::5432", "--tmpfs", DATA]);
        // By name only: the value stays out of the list of processes.
        command.args(["--env", "POSTGRES_PASSWORD"]).env("POSTGRES_PASSWORD", &password);
        command.args([IMAGE, "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200"]);
        run(&mut command, FETCH)?;

        let address = run(Command::new(engine).args(["port", &name, "5432/tcp"]), SHORT)?;
        let address: SocketAddr = address
            .lines()
            .find_map(|line| line.trim().parse().ok())
            .ok_or_else(|| format!("{engine} port answered {address:?}, which holds no address"))?;
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_ready(address) {
            if Instant::now() > deadline {
                let log = run(Command::new(engine).args(["logs", "--tail", "5", &name]), SHORT).unwrap_or_default();
                return Err(format!("PostgreSQL in {engine} did not answer on {address} within 60 s: {log}"));
            }
            thread::sleep(Duration::from_millis(50));
        }
        let url =
            format!("host={} port={} user=postgres password={password} dbname=postgres", address.ip(), address.port());
        Ok(Self { _watchdog: watchdog, url })
    }
}

/// Whether a start-up message is answered by a request to authenticate. A server still starting answers by an error,
/// and the container's proxy, which takes connections before there is a server, by nothing.
fn is_ready(address: SocketAddr) -> bool {
    const START_UP: &[u8] = b"\0\0\0\x17\0\x03\0\0user\0postgres\0\0";
    let answer = || {
        let second = Some(Duration::from_secs(1));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(second)?;
        stream.set_write_timeout(second)?;
        stream.write_all(START_UP)?;
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        Ok::<_, std::io::Error>(kind)
    };
    answer().is_ok_and(|kind| kind == *b"R")
}
