//! Signals to a server and its children, without `unsafe`.

use std::fs;
use std::process::{Command, Stdio};

/// Sends `signal` (`STOP`, `INT`...) to those of `processes` that still live.
pub fn signal(signal: &str, processes: &[u32]) -> Result<(), String> {
    // The shell's own `kill`, because slim images lack the program.
    Command::new("/bin/sh")
        .args(["-c", r#"signal=$1; shift; kill -s "$signal" "$@""#, "sh", signal])
        .args(processes.iter().map(u32::to_string))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map(drop)
        .map_err(|error| format!("/bin/sh, to send a signal: {error}"))
}

/// Whether any of `processes` has not ended.
pub fn any_alive(processes: &[u32]) -> Result<bool, String> {
    Ok(living()?.iter().any(|(process, _)| processes.contains(process)))
}

/// The children of `parent` that have not ended.
pub fn children(parent: u32) -> Result<Vec<u32>, String> {
    Ok(living()?.into_iter().filter(|(_, of)| *of == parent).map(|(process, _)| process).collect())
}

/// Every process and its parent, without those that have ended and are only waited for.
fn living() -> Result<Vec<(u32, u32)>, String> {
    match fs::read_dir("/proc/self") {
        Ok(_) => Ok(from_proc()),
        Err(_) => from_ps(),
    }
}

fn from_proc() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let process = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // "pid (name) state parent ...", where the name may hold anything, even ") ".
            pair(process, stat.rsplit_once(')')?.1)
        })
        .collect()
}

fn from_ps() -> Result<Vec<(u32, u32)>, String> {
    let output = Command::new("ps")
        .args(["-A", "-o", "pid=,state=,ppid="])
        .output()
        .map_err(|error| format!("ps, to list the server's children: {error}"))?;
    let listing = String::from_utf8_lossy(&output.stdout);
    let line = |line: &str| {
        let (process, rest) = line.trim_start().split_once(' ')?;
        pair(process.parse().ok()?, rest)
    };
    Ok(listing.lines().filter_map(line).collect())
}

fn pair(process: u32, state_and_parent: &str) -> Option<(u32, u32)> {
    let mut fields = state_and_parent.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (!state.starts_with(['Z', 'X'])).then_some((process, parent))
}
