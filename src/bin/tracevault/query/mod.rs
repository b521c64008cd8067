//! `tracevault query`: records on stdout, as a table or as JSON lines.

mod filters;

use std::{
    future::poll_fn,
    io::{self, BufWriter, IsTerminal as _, Write},
    pin::Pin,
};

use clap::ValueEnum;
use futures_core::Stream as _;
use tracevault::{
    Error,
    query::{AuditRecord, CountFilters, Filters, Order, Query, QueryConfig, Records},
    uuid::Uuid,
};

pub(crate) use self::filters::ModeName;
use self::filters::{Narrow, narrowed};
use crate::{
    console::{self, Exit},
    database::Database,
    printable::inert_json,
    table_view::{self, TableView},
};

/// How many records the widths of a table's columns are taken from.
const SAMPLE: usize = 200;

const EXAMPLES: &str = "\
Examples:
  tracevault query --event product.price.updated --from 7d
  tracevault query --errors-only --environment production --from 24h --format json | jq .data
  tracevault query --actor-id user_123 --all > user_123.jsonl
  tracevault query --from 2026-01-01T00:00:00Z --to 2026-01-31T23:59:59Z --count
  tracevault query --id 0199c2a1-7d9b-7c3e-8a54-1f0e5d9b6a70

All filters must hold; text is compared as it is. The JSON is one record a line, its numbers to the letter as stored. \
A table shows what fits: payloads are shown by --format json, and by --id.

Exit codes:
  0  done
  1  no record has that --id, or stdout could not be written
  2  usage
  3  the database failed";

/// Find audit records, the newest first
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,

    /// The order, by time and id
    #[arg(long, value_enum, default_value = "desc", conflicts_with_all = ["count", "id"])]
    order: Direction,

    /// The most records; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50, conflicts_with_all = ["count", "id"])]
    limit: u32,

    /// All records: the same as --limit 0
    #[arg(long, conflicts_with_all = ["limit", "count", "id"])]
    all: bool,

    /// Print how many there are, and nothing else
    #[arg(long)]
    count: bool,

    /// The one record with this id, whatever else it is
    #[arg(long, value_name = "UUID", conflicts_with_all = ["count", "Narrow"])]
    id: Option<Uuid>,

    /// How records are shown [default: table on a terminal, else json]
    #[arg(long, value_enum)]
    format: Option<Format>,

    #[command(flatten)]
    narrow: Narrow,
}

#[derive(Clone, Copy, ValueEnum)]
enum Direction {
    /// The newest first
    Desc,
    /// The oldest first
    Asc,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// What ends a query before its end.
enum Broken {
    Database(Error),
    Stdout(io::Error),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Stdout(error)
    }
}

pub(crate) async fn run(args: Args) -> Exit {
    match answer(args).await {
        Ok(exit) | Err(Ended(exit)) => exit,
    }
}

/// A way to end that was told of already.
struct Ended(Exit);

impl From<Broken> for Ended {
    fn from(broken: Broken) -> Self {
        Self(match broken {
            Broken::Database(error) => console::fail(&error),
            Broken::Stdout(error) => console::written(Err(error)),
        })
    }
}

async fn answer(args: Args) -> Result<Exit, Ended> {
    let query = connect(&args.database).await?;
    let format = args.format.unwrap_or(if io::stdout().is_terminal() { Format::Table } else { Format::Json });
    let mut out = BufWriter::new(io::stdout().lock());
    if args.count {
        let total = query.count(narrowed!(args.narrow, CountFilters::new())).await.map_err(Broken::from)?;
        writeln!(out, "{total}").and_then(|()| out.flush()).map_err(Broken::from)?;
        return Ok(Exit::Success);
    }
    if let Some(id) = args.id {
        let Some(record) = query.find_by_id(id).await.map_err(Broken::from)? else {
            console::say("no record has this id");
            return Ok(Exit::Refused);
        };
        let text = match format {
            Format::Table => table_view::one(&record),
            Format::Json => json(&record)?,
        };
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Broken::from)?;
        return Ok(Exit::Success);
    }
    let mut filters = narrowed!(args.narrow, Filters::new()).order(match args.order {
        Direction::Desc => Order::Desc,
        Direction::Asc => Order::Asc,
    });
    if args.limit > 0 && !args.all {
        filters = filters.limit(args.limit);
    }
    let mut records = query.stream(filters);
    let printed = match format {
        Format::Table => print_table(&mut records, &mut out).await,
        Format::Json => print_json(&mut records, &mut out).await,
    };
    // What was found before a failure is printed all the same.
    let flushed = out.flush();
    printed?;
    flushed.map_err(Broken::from)?;
    Ok(Exit::Success)
}

async fn connect(database: &Database) -> Result<Query, Ended> {
    let config = QueryConfig::new(database.url().map_err(Ended)?).table_name(&database.table).pool_size(1);
    let config = match &database.schema {
        Some(schema) => config.schema(schema),
        None => config,
    };
    Ok(Query::connect(config).await.map_err(Broken::from)?)
}

async fn next(records: &mut Records) -> Result<Option<AuditRecord>, Broken> {
    Ok(poll_fn(|context| Pin::new(&mut *records).poll_next(context)).await.transpose()?)
}

async fn print_json(records: &mut Records, out: &mut impl Write) -> Result<(), Ended> {
    while let Some(record) = next(records).await? {
        let line = json(&record)?;
        writeln!(out, "{line}").map_err(Broken::from)?;
    }
    Ok(())
}

async fn print_table(records: &mut Records, out: &mut impl Write) -> Result<(), Ended> {
    let mut sample = Vec::new();
    while sample.len() < SAMPLE
        && let Some(record) = next(records).await?
    {
        sample.push(record);
    }
    if sample.is_empty() {
        console::say("no record matches");
        return Ok(());
    }
    let view = TableView::of(&sample, table_view::screen());
    writeln!(out, "{}", view.head()).map_err(Broken::from)?;
    for record in &sample {
        writeln!(out, "{}", view.row(record)).map_err(Broken::from)?;
    }
    while let Some(record) = next(records).await? {
        writeln!(out, "{}", view.row(&record)).map_err(Broken::from)?;
    }
    Ok(())
}

fn json(record: &AuditRecord) -> Result<String, Ended> {
    serde_json::to_string(record).map(inert_json).map_err(|error| {
        console::say(format_args!("the record {} cannot be shown as JSON: {error}", record.id));
        Ended(Exit::Database)
    })
}
