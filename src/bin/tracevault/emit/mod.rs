//! `tracevault emit`: events from JSON lines on stdin.

mod line;
mod lines;
mod report;
mod window;

use std::{io::IsTerminal as _, sync::Arc, vec};

use clap::builder::NonEmptyStringValueParser;
use tracevault::{Config, Tracevault, regex::Regex};

use self::{
    lines::Line,
    window::{Failures, Window},
};
use crate::{
    console::{self, Exit},
    database::Database,
    query::ModeName,
    signals::Signals,
};

const EXAMPLES: &str = "\
A line is an object with the keys event (required), id, actor {id, type}, target {id, type}, data, meta, \
correlationId, requestId, occurredAt (RFC 3339) and mode. Other keys are refused. With before and after in place of \
data it says what changed, and the difference is stored too. Blank lines are passed over. A line that breaks a rule \
is refused with its number, and the others are stored all the same, in their order. A line with an id of its own is \
stored at most once, however often it is emitted.

Examples:
  tracevault emit --mask-field password --mask-field token < events.jsonl
  tail -F service.jsonl | tracevault emit --table audit_user_events --environment production
  jq -c '{event: .name, data: .}' old.json | tracevault emit --mask-pattern '\\b\\d{16}\\b'

Exit codes:
  0    every line is stored
  1    some lines were refused, or stdin could not be read to its end
  2    usage
  3    the database failed; the lines that are not stored, or perhaps not, are named
  130  interrupted (143: terminated); what had been read was stored";

/// Store events: one JSON object a line, from stdin
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,

    /// Hide the values of this key, whatever its case, at any depth (repeatable)
    #[arg(long = "mask-field", value_name = "KEY")]
    mask_fields: Vec<String>,

    /// Hide the matches of this regular expression in text (repeatable)
    #[arg(long = "mask-pattern", value_name = "REGEX")]
    mask_patterns: Vec<Regex>,

    /// What stands in place of what is hidden [default: `[REDACTED]`]
    #[arg(long, value_name = "TEXT")]
    mask_value: Option<String>,

    /// The mode of lines that do not say: it is stored with them. In async mode a duplicate counts as stored
    #[arg(long, value_enum, default_value = "sync")]
    mode: ModeName,

    /// The environment of all events
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    environment: Option<String>,

    /// The most records in one statement
    #[arg(long, value_name = "N", default_value_t = 500)]
    batch_size: usize,
}

impl Args {
    fn config(&self, url: &str) -> Config {
        let mut config = Config::new(url)
            .table_name(&self.database.table)
            .mask_fields(&self.mask_fields)
            .mask_patterns(self.mask_patterns.iter().cloned())
            .default_mode(self.mode.into())
            .pool_size(2);
        if let Some(schema) = &self.database.schema {
            config = config.schema(schema);
        }
        if let Some(value) = &self.mask_value {
            config = config.mask_value(value);
        }
        if let Some(environment) = &self.environment {
            config = config.environment(environment);
        }
        config
    }
}

/// Why no more is read.
enum Ending {
    EndOfInput,
    Unreadable,
    Lost,
    Interrupted(u8),
}

pub(crate) async fn run(args: Args) -> Exit {
    let url = match args.database.url() {
        Ok(url) => url,
        Err(exit) => return exit,
    };
    let (config, failures) = window::configured(args.config(url), args.batch_size);
    let audit = match Tracevault::connect(config).await {
        Ok(audit) => audit,
        Err(error) => return console::fail(&error),
    };
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            console::say(console::explain(&error));
            return Exit::Usage;
        }
    };
    if std::io::stdin().is_terminal() {
        console::say("reading events from the terminal, one JSON object a line; Ctrl-D ends");
    }
    let mut window = Window::new(audit, args.batch_size, Arc::clone(&failures));
    let (ending, last) = read(&mut window, &mut signals, &failures).await;
    match ending {
        Ending::Interrupted(_) => window.report.say(format_args!(
            "interrupted: reading ended after line {last}; what was read is being stored (again: give up)"
        )),
        Ending::Lost => window.report.say(format_args!("the database failed: reading ended after line {last}")),
        Ending::EndOfInput | Ending::Unreadable => {}
    }
    tokio::select! {
        biased;
        _ = signals.next() => window.abandon(),
        () = finish(&mut window) => {}
    }
    let interrupted = match ending {
        Ending::Interrupted(signal) => Some(signal),
        _ => None,
    };
    window.report.conclude(interrupted, matches!(ending, Ending::Unreadable))
}

/// Emits line after line. Gives the number of the last that was taken.
async fn read(window: &mut Window, signals: &mut Signals, failures: &Failures) -> (Ending, u64) {
    let mut chunks = lines::of_stdin();
    let mut chunk: vec::IntoIter<Line> = Vec::new().into_iter();
    let mut last = 0;
    loop {
        while !window.report.lost && window.can_take() {
            let Some(line) = chunk.next() else { break };
            last = line.number;
            window.take(line);
        }
        window.hear();
        window.report.progress();
        if window.report.lost {
            return (Ending::Lost, last);
        }
        tokio::select! {
            biased;
            signal = signals.next() => return (Ending::Interrupted(signal), last),
            () = failures.came() => {}
            () = window.settle(), if !window.is_settled() => {}
            more = chunks.recv(), if chunk.len() == 0 => match more {
                None => return (Ending::EndOfInput, last),
                Some(Ok(lines)) => chunk = lines.into_iter(),
                Some(Err(error)) => {
                    window.report.say(format_args!("stdin could not be read: {error}"));
                    return (Ending::Unreadable, last);
                }
            },
        }
    }
}

async fn finish(window: &mut Window) {
    window.drain().await;
    window.close().await;
}
