//! The binary, as a shell sees it: arguments and stdin in, stdout, stderr and an exit code out.

#[cfg(feature = "dashboard")]
mod dashboard;
mod emit;
mod failures;
mod query;
#[cfg(feature = "spool")]
mod spool;
mod usage;

use std::{
    io::Write as _,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::kit::{self, Table};

/// What a run left behind.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The records that were printed as JSON lines.
    pub fn records(&self) -> Vec<serde_json::Value> {
        assert_eq!(self.code, 0, "{}", self.err);
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What became of the lines, as the last line of stderr says.
    pub fn summary(&self) -> &str {
        self.err.lines().last().unwrap_or_default()
    }
}

/// The binary, ready to be started, in an environment that holds this connection string and no other.
pub fn tracevault(args: &[&str], url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracevault"));
    command.args(args).env("DATABASE_URL", url);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it on the suite's server.
pub fn run(args: &[&str], input: impl AsRef<[u8]>) -> Ran {
    run_at(&kit::url(), args, input)
}

pub fn run_at(url: &str, args: &[&str], input: impl AsRef<[u8]>) -> Ran {
    fed(tracevault(args, url).spawn().unwrap(), input)
}

/// Gives it this input, and waits for its end.
pub fn fed(mut child: Child, input: impl AsRef<[u8]>) -> Ran {
    let mut stdin = child.stdin.take().unwrap();
    let input = input.as_ref().to_vec();
    // It may end before it has read everything.
    let feeder = thread::spawn(move || drop(stdin.write_all(&input)));
    let ran = ended(child);
    feeder.join().unwrap();
    ran
}

/// Waits for its end. The canary never shows, whatever happened.
pub fn ended(child: Child) -> Ran {
    ran(child.wait_with_output().unwrap())
}

fn ran(output: Output) -> Ran {
    assert!(!kit::leaks(&output.stderr), "a secret on stderr: {}", String::from_utf8_lossy(&output.stderr));
    assert!(!kit::leaks(&output.stdout), "a secret on stdout: {}", String::from_utf8_lossy(&output.stdout));
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs `emit` on this table.
pub fn emit(table: &Table, args: &[&str], input: impl AsRef<[u8]>) -> Ran {
    run(&[&["emit", "--table", &table.name], args].concat(), input)
}

/// Runs `query` on this table.
pub fn query(table: &Table, args: &[&str]) -> Ran {
    run(&[&["query", "--table", &table.name], args].concat(), "")
}

/// Asks again until it is so.
pub async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !so().await {
        assert!(Instant::now() < deadline, "{what}: not within 60 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
