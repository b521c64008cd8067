//! `tracevault spool dead-letters`: what PostgreSQL refused, and its way back.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use tracevault::{
    Error, Record, TableName,
    spool::{self, DeadLetter},
    time::{OffsetDateTime, format_description::well_known::Rfc3339},
};

use super::{Place, names, redrive};
use crate::{
    console::{self, Exit},
    printable::{Printable, inert_json},
};

const AFTER: &str = "\
A line is when PostgreSQL refused it, PostgreSQL's SQLSTATE, the record's id, its table and event, and the reason. With \
--json it is an object of table, refusedAt, sqlstate, reason and record, and that with its payloads.

The list is safe while a process uses the spool: nothing is locked or changed. --redrive is the spool's owner while it \
runs, and refuses a directory that another process uses (which can do the same by itself: `Spool::redrive`). It needs no \
database: the letters wait in the spool until a process, or tracevault spool replay, delivers them. Those that are refused \
again are dead letters again.

Exit codes:
  0  done
  1  stdout could not be written; some could not be read, and are kept in damaged/ (--redrive)
  2  usage
  3  the directory cannot be read, is no spool's, or is in use (--redrive)";

/// List the records that PostgreSQL refused, or put them back
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,

    /// Only those of this table [default: of all]
    #[arg(long)]
    table: Option<String>,

    /// The schema of the table, where its events were emitted with one
    #[arg(long, requires = "table")]
    schema: Option<String>,

    /// One JSON object a line, payloads included
    #[arg(long, conflicts_with = "redrive")]
    json: bool,

    /// Put them back into the spool, behind what is there
    #[arg(long)]
    redrive: bool,
}

impl Args {
    fn table(&self) -> Result<Option<TableName>, Error> {
        let Some(table) = &self.table else { return Ok(None) };
        let table = TableName::new(table)?;
        match &self.schema {
            Some(schema) => table.in_schema(schema).map(Some),
            None => Ok(Some(table)),
        }
    }
}

pub(super) async fn run(args: Args) -> Exit {
    let table = match args.table() {
        Ok(table) => table,
        Err(error) => return console::fail(&error),
    };
    if args.redrive {
        return redrive::run(&args.place.dir, table.as_ref()).await;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let mut printed = Ok(());
    let mut count = 0_u64;
    let listed = spool::dead_letters(&args.place.dir, table.as_ref(), &mut |table, letter| {
        if printed.is_ok() {
            count += 1;
            printed = if args.json { json(&mut out, table, &letter) } else { text(&mut out, table, &letter) };
        }
        Ok(())
    });
    let printed = console::written(printed.and_then(|()| out.flush()));
    if let Err(error) = listed {
        return console::fail(&error);
    }
    if count == 0 {
        console::say("no dead letters");
    }
    printed
}

fn text(out: &mut impl Write, table: &TableName, letter: &DeadLetter) -> io::Result<()> {
    let DeadLetter { record, refused_at, sqlstate, reason, .. } = letter;
    let (at, table, event) = (names::second(*refused_at), names::table(table), Printable(record.event()));
    let (sqlstate, reason) = (Printable(sqlstate.as_deref().unwrap_or("-----")), Printable(reason));
    writeln!(out, "{at}  {sqlstate}  {}  {table}  {event}: {reason}", record.id())
}

/// A dead letter as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'l> {
    table: String,
    refused_at: Option<String>,
    sqlstate: Option<&'l str>,
    reason: &'l str,
    record: &'l Record,
}

fn json(out: &mut impl Write, table: &TableName, letter: &DeadLetter) -> io::Result<()> {
    let schema = table.schema().map(|schema| format!("{schema}.")).unwrap_or_default();
    let shown = Shown {
        table: schema + table.name(),
        refused_at: rfc3339(letter.refused_at),
        sqlstate: letter.sqlstate.as_deref(),
        reason: &letter.reason,
        record: &letter.record,
    };
    writeln!(out, "{}", inert_json(serde_json::to_string(&shown)?))
}

fn rfc3339(at: OffsetDateTime) -> Option<String> {
    at.format(&Rfc3339).ok()
}
