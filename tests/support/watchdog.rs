//! A shell that cleans up after this process, however it ends.
//!
//! It reads a pipe whose only writing end is held here. The end of file comes when the [`Watchdog`] is dropped, and
//! also when this process exits without dropping it or is killed: the kernel closes the pipe.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// Waits for the end of the pipe, keeping its last line as `$told`, then goes on to the script.
const PREAMBLE: &str = r#"
trap '' HUP INT QUIT TERM
PATH="$PATH:/usr/bin:/bin"
told=
while read -r line; do told=$line; done
"#;

/// Runs its script once, when dropped or when this process ends.
#[derive(Debug)]
pub struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// `script` sees `arguments` as `$1` and on, and what was [told](Self::tell) last as `$told`.
    pub fn start(script: &str, arguments: &[&OsStr]) -> Result<Self, String> {
        let shell = Command::new("/bin/sh")
            .args(["-c", &format!("{PREAMBLE}{script}"), "tracevault-watchdog"])
            .args(arguments)
            .current_dir("/")
            // Else Ctrl-C would end it before its work; and whoever reads our output would wait for it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("/bin/sh, to clean up afterwards, could not be run: {error}"))?;
        Ok(Self { shell })
    }

    /// What the script shall know: one line, in place of the one before.
    pub fn tell(&mut self, line: &str) -> Result<(), String> {
        let Some(pipe) = self.shell.stdin.as_mut() else { return Ok(()) };
        pipe.write_all(format!("{line}\n").as_bytes())
            .map_err(|error| format!("the shell that cleans up afterwards has gone ({error}): start a new server"))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
