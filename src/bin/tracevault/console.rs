//! What every command shares: messages on stderr, and how the process ends.

use std::{
    error::Error as StdError,
    fmt::Display,
    io::{self, Write as _},
    process::ExitCode,
};

use tracevault::Error;

use crate::{argument, printable::Printable};

/// How the process ends; the codes stand in the help texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Success,
    /// `emit`: some lines were refused. `query --id`: there is no such record.
    Refused,
    Usage,
    Database,
    /// By this signal.
    Interrupted(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::Database => 3,
            Exit::Interrupted(signal) => 128_u8.saturating_add(signal),
        })
    }
}

/// A message. That stderr is gone is no reason to fail.
pub(crate) fn say(message: impl Display) {
    let _ = writeln!(io::stderr(), "tracevault: {message}");
}

/// An error and its causes, one a line.
pub(crate) fn explain(error: &dyn StdError) -> String {
    let mut text = Printable(&error.to_string()).to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str("\n  caused by: ");
        text.push_str(&Printable(&error.to_string()).to_string());
        cause = error.source();
    }
    text
}

/// Tells of an error that ends the command.
pub(crate) fn fail(error: &Error) -> Exit {
    if let Error::Config(error) = error {
        return misused(&argument::of(error.key()), error.reason());
    }
    say(explain(error));
    match error {
        Error::Validation(_) => Exit::Usage,
        _ => Exit::Database,
    }
}

/// Tells of an argument that cannot be used.
pub(crate) fn misused(argument: &str, reason: &str) -> Exit {
    say(format_args!("{argument} {}", Printable(reason)));
    Exit::Usage
}

/// What became of writing to stdout. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn written(result: io::Result<()>) -> Exit {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(format_args!("stdout could not be written: {error}"));
            Exit::Refused
        }
        _ => Exit::Success,
    }
}

/// Help, or what is wrong with the arguments. A connection string in the wrong place is not repeated.
pub(crate) fn usage(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        return written(error.print());
    }
    let secrets: Vec<String> = std::env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .filter(|argument| argument.contains("://") || argument.contains("password"))
        .collect();
    if secrets.is_empty() {
        let _ = error.print();
    } else {
        let text = error.render().to_string();
        let text = secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), "…"));
        let _ = io::stderr().write_all(text.as_bytes());
    }
    Exit::Usage
}
