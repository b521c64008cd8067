//! What became of the lines: told as it happens, and summed up at the end.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use tracevault::{Error, Outcome, uuid::Uuid};

use crate::{
    console::{self, Exit},
    printable::Printable,
};

/// How often the line of progress changes.
const PACE: Duration = Duration::from_millis(200);
/// How many different errors of the database are told.
const MOST_ERRORS: usize = 8;
/// How many ranges of lines are named, and how many ids.
const MOST_RANGES: usize = 16;
const MOST_IDS: usize = 5;

pub(crate) struct Report {
    pub(crate) stored: u64,
    pub(crate) duplicates: u64,
    refused: u64,
    not_stored: Lines,
    unknown: Lines,
    /// The errors that were told.
    told: Vec<String>,
    /// The database failed in a way that more lines would only fail by.
    pub(crate) lost: bool,
    /// When the line of progress changes next; `None`: stderr is no terminal, or somebody types the lines there.
    progress: Option<Instant>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self {
            stored: 0,
            duplicates: 0,
            refused: 0,
            not_stored: Lines::default(),
            unknown: Lines::default(),
            told: Vec::new(),
            lost: false,
            progress: (io::stderr().is_terminal() && !io::stdin().is_terminal()).then(Instant::now),
        }
    }

    /// The line is not an event that may be stored.
    pub(crate) fn refuse(&mut self, line: u64, reason: &str) {
        self.refused += 1;
        self.say(format_args!("line {line}: {}", Printable(reason)));
    }

    /// The line was accepted, and the database did not take it.
    pub(crate) fn fail(&mut self, line: u64, error: &Error) {
        let lines = match error.outcome() {
            Outcome::Rejected => &mut self.not_stored,
            _ => &mut self.unknown,
        };
        lines.add(line, error.record_id());
        self.lost |= !error.is_record_refused();
        let text = console::explain(error);
        if self.told.len() < MOST_ERRORS && !self.told.contains(&text) {
            self.say(format_args!("line {line}: {text}"));
            self.told.push(text);
        }
    }

    /// Nobody waited for the end of this line.
    pub(crate) fn abandon(&mut self, line: u64, id: Option<Uuid>) {
        self.unknown.add(line, id);
    }

    pub(crate) fn say(&mut self, message: impl fmt::Display) {
        self.clear();
        console::say(message);
    }

    /// Shows how far it is, if that is due.
    pub(crate) fn progress(&mut self) {
        let now = Instant::now();
        if self.progress.is_some_and(|due| due <= now) {
            self.progress = Some(now + PACE);
            let _ = write!(io::stderr(), "\r\x1b[Kstored {}, refused {}", self.stored, self.refused);
        }
    }

    fn clear(&self) {
        if self.progress.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    /// Says what became of everything.
    pub(crate) fn conclude(mut self, interrupted: Option<u8>, unread: bool) -> Exit {
        if self.not_stored.count > 0 {
            self.say(format_args!("not stored: {}", self.not_stored.clone()));
        }
        if self.unknown.count > 0 {
            self.say(format_args!(
                "may or may not be stored, as the answer was lost: {}; emit such a line again with its \"id\", and it is stored at most once",
                self.unknown.clone()
            ));
        }
        let Self { stored, refused, duplicates, .. } = self;
        let failed = self.not_stored.count + self.unknown.count;
        self.clear();
        let _ = writeln!(io::stderr(), "stored {stored}, refused {refused}, failed {failed}, duplicates {duplicates}");
        match interrupted {
            _ if self.lost || failed > 0 => Exit::Database,
            Some(signal) => Exit::Interrupted(signal),
            None if refused > 0 || unread => Exit::Refused,
            None => Exit::Success,
        }
    }
}

/// Some lines: how many, the first of them as ranges, and the first ids.
#[derive(Clone, Default)]
struct Lines {
    count: u64,
    ranges: Vec<(u64, u64)>,
    named: u64,
    ids: Vec<(u64, Uuid)>,
}

impl Lines {
    fn add(&mut self, line: u64, id: Option<Uuid>) {
        self.count += 1;
        if let Some(id) = id
            && self.ids.len() < MOST_IDS
        {
            self.ids.push((line, id));
        }
        if let Some((_, last)) = self.ranges.last_mut()
            && *last + 1 == line
        {
            *last = line;
        } else if self.ranges.len() < MOST_RANGES {
            self.ranges.push((line, line));
        } else {
            return;
        }
        self.named += 1;
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (", self.count, if self.count == 1 { "line" } else { "lines" })?;
        for (index, (first, last)) in self.ranges.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            if first == last {
                write!(f, "{first}")?;
            } else {
                write!(f, "{first}-{last}")?;
            }
        }
        if self.named < self.count {
            write!(f, ", and {} more", self.count - self.named)?;
        }
        f.write_str(")")?;
        for (index, (line, id)) in self.ids.iter().enumerate() {
            write!(f, "{}line {line} is {id}", if index == 0 { "; " } else { ", " })?;
        }
        Ok(())
    }
}
