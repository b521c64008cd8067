//! `tracevault spool ls`: the logs of a spool.

use std::io::{self, BufWriter, Write as _};

use tracevault::spool::{self, Listing};

use super::{Place, names};
use crate::{
    console::{self, Exit},
    printable::width,
};

const TITLES: [&str; 7] = ["TABLE", "RECORDS", "BYTES", "SEGMENTS", "OLDEST", "DEAD LETTERS", "DAMAGED FILES"];

const AFTER: &str = "\
RECORDS are not stored yet, and BYTES are those of the files that they are in. OLDEST is when the first of them was \
accepted. DAMAGED FILES hold bytes that could not be read and were kept aside.

Safe while a process uses the spool: nothing is locked or changed.

Exit codes:
  0  done
  1  stdout could not be written
  2  usage
  3  the directory cannot be read, or is no spool's";

/// List the tables that a spool holds records for
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: &Args) -> Exit {
    let listings = match spool::list(&args.place.dir) {
        Ok(listings) => listings,
        Err(error) => return console::fail(&error),
    };
    if listings.is_empty() {
        console::say("the spool holds nothing");
        return Exit::Success;
    }
    let mut rows = vec![TITLES.map(ToOwned::to_owned)];
    rows.extend(listings.iter().map(row));
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = rows.iter().try_for_each(|row| writeln!(out, "{}", line(row, &rows)));
    console::written(printed.and_then(|()| out.flush()))
}

fn row(of: &Listing) -> [String; 7] {
    [
        names::table(&of.table),
        of.records.to_string(),
        of.bytes.to_string(),
        of.segments.to_string(),
        of.oldest.map_or_else(|| "-".to_owned(), names::second),
        of.dead_letters.to_string(),
        of.damaged_files.to_string(),
    ]
}

/// Padded to the widest of all.
fn line(row: &[String; 7], all: &[[String; 7]]) -> String {
    let mut line = String::new();
    for (column, cell) in row.iter().enumerate() {
        let widest = all.iter().map(|row| width(&row[column])).max().unwrap_or_default();
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', widest - width(cell) + 2));
    }
    line.truncate(line.trim_end().len());
    line
}
