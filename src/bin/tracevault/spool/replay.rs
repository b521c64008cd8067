//! `tracevault spool replay`: everything in a spool into PostgreSQL.

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tracevault::{Config, Error, Record};

use super::{
    Place,
    opened::{self, Opened},
};
use crate::{
    console::{self, Exit},
    database::Connection,
    signals::Signals,
};

/// How many different errors are told.
const MOST_ERRORS: usize = 8;
/// How long an attempt goes on before it is asked whether it leads to anything.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two such questions while there is time.
const PAUSE: Duration = Duration::from_millis(200);

const AFTER: &str = "\
Records go to the tables that they were emitted for, each once, however often this is repeated. What PostgreSQL refuses \
becomes a dead letter. Dead letters that are there already stay: put them back with dead-letters --redrive.

It is the spool's owner while it runs, and refuses a directory that another process uses. It ends when the spool is empty; \
without --for also when the database is away, or when nothing could be stored for 10 s. What is not stored then is in the \
spool still.

Exit codes:
  0    every record is stored
  1    some became dead letters, or could not be read (fsck, before, names them; their bytes stay in damaged/)
  2    usage
  3    the directory or the database failed, or --for was over: what is not stored is in the spool
  130  interrupted (143: terminated), likewise";

/// Deliver everything that is in a spool
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    connection: Connection,

    /// Go on for so long, as 30s, 10m or 2h, also while the database is away
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    time: Option<Duration>,
}

fn span(text: &str) -> Result<Duration, &'static str> {
    let refused = "must be a number of seconds, minutes or hours, such as 30s, 10m or 2h";
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        _ => return Err(refused),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| refused)?;
    match count.checked_mul(unit) {
        Some(seconds @ 1..=31_536_000) => Ok(Duration::from_secs(seconds)),
        _ => Err("must be from 1s to a year"),
    }
}

/// What became of what was refused.
#[derive(Default)]
struct Refused {
    count: AtomicU64,
    told: Mutex<BTreeSet<String>>,
}

impl Refused {
    fn tell(&self, error: &Error, record: &Record) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let text = console::explain(error);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MOST_ERRORS && told.insert(text.clone()) {
            console::say(format_args!("{} is a dead letter: {text}", record.id()));
        }
    }
}

/// Why it ended.
enum Ending {
    Empty,
    Away,
    Stalled,
    TimeOver,
    Interrupted(u8),
}

pub(super) async fn run(args: Args) -> Exit {
    let url = match args.connection.url() {
        Ok(url) => url,
        Err(exit) => return exit,
    };
    let deadline = args.time.and_then(|time| Instant::now().checked_add(time));
    let tables = match opened::tables(&args.place.dir) {
        Ok(tables) => tables,
        Err(exit) => return exit,
    };
    if tables.iter().all(|of| of.records == 0) {
        return conclude(&Ending::Empty, &Numbers::default());
    }
    let refused = Arc::new(Refused::default());
    let heard = Arc::clone(&refused);
    let config = Config::new(url)
        .pool_size(tables.len().clamp(2, 8))
        .close_timeout(PATIENCE)
        .on_error(move |error, record| heard.tell(error, record));
    let signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            console::say(console::explain(&error));
            return Exit::Usage;
        }
    };
    match deliver(&args.place.dir, config, &tables, deadline, signals).await {
        Ok((ending, numbers)) => {
            conclude(&ending, &Numbers { refused: refused.count.load(Ordering::Relaxed), ..numbers })
        }
        Err(error) => console::fail(&error),
    }
}

async fn deliver(
    dir: &Path,
    config: Config,
    tables: &[tracevault::spool::Listing],
    deadline: Option<Instant>,
    mut signals: Signals,
) -> Result<(Ending, Numbers), Error> {
    let opened = Opened::open(dir, config, tables)?;
    let ending = tokio::select! {
        biased;
        signal = signals.next() => Ending::Interrupted(signal),
        () = over(deadline) => Ending::TimeOver,
        ending = drain(&opened, deadline.is_some()) => ending,
    };
    if matches!(ending, Ending::Empty) {
        // Cursors and files are put in order.
        opened.audit.close().await?;
    }
    let damaged = opened.audit.spool().map_or(0, |spool| spool.stats().damaged);
    let numbers = Numbers { stored: opened.audit.stats().stored, refused: 0, damaged, left: opened.left() };
    Ok((ending, numbers))
}

/// Until the spool is empty, or nothing comes of it.
async fn drain(opened: &Opened, patient: bool) -> Ending {
    if !patient && !opened.audit.healthcheck().await {
        return Ending::Away;
    }
    loop {
        let before = opened.left();
        for scope in &opened.scopes {
            // A failure is in the numbers.
            let _ = scope.flush().await;
        }
        let left = opened.left();
        if left == 0 {
            return Ending::Empty;
        }
        if left >= before && !patient {
            return if opened.audit.healthcheck().await { Ending::Stalled } else { Ending::Away };
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn over(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// What became of the records.
#[derive(Default)]
struct Numbers {
    stored: u64,
    refused: u64,
    damaged: u64,
    left: u64,
}

fn conclude(ending: &Ending, numbers: &Numbers) -> Exit {
    let Numbers { stored, refused, damaged, left } = *numbers;
    match ending {
        Ending::Empty => {}
        Ending::Away => console::say("the database does not answer: check that it is running, and DATABASE_URL"),
        Ending::Stalled => console::say(
            "nothing could be stored: check that the tables are there and may be written to (tracevault spool ls names them)",
        ),
        Ending::TimeOver => console::say("the time is over"),
        Ending::Interrupted(_) => console::say("interrupted: what is not stored is in the spool still"),
    }
    let unreadable = if damaged > 0 { format!(", damaged {damaged}") } else { String::new() };
    let _ = writeln!(io::stderr(), "stored {stored}, dead letters {refused}{unreadable}, left {left}");
    match ending {
        Ending::Interrupted(signal) => Exit::Interrupted(*signal),
        _ if left > 0 || !matches!(ending, Ending::Empty) => Exit::Database,
        _ if refused > 0 || damaged > 0 => Exit::Refused,
        _ => Exit::Success,
    }
}
