//! `tracevault spool fsck`: every frame of a spool, read and checked.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

use tracevault::spool::{self, Check};

use super::{Place, names};
use crate::{
    console::{self, Exit},
    printable::Printable,
};

const AFTER: &str = "\
Each damage is a line: the file, where the bytes that cannot be read begin and how many they are, and the numbers of the \
records that are missing by it. Bytes cut off at the end of a file were never acknowledged, and are no damage.

Safe while a process uses the spool: nothing is locked or changed. What that process is just writing may count as cut off.

Exit codes:
  0  every frame is sound
  1  something is damaged, or is not of a spool; or stdout could not be written
  2  usage
  3  the directory cannot be read, or is no spool's";

/// Read every record of a spool and name what is damaged
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: &Args) -> Exit {
    let dir = &args.place.dir;
    let found = match spool::check(dir) {
        Ok(found) => found,
        Err(error) => return console::fail(&error),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = print(&found, dir, &mut out).and_then(|()| out.flush());
    let sound = found.damage.is_empty() && found.remarks.is_empty();
    match console::written(printed) {
        Exit::Success if !sound => Exit::Refused,
        exit => exit,
    }
}

fn print(found: &Check, dir: &Path, out: &mut impl Write) -> io::Result<()> {
    for damage in &found.damage {
        let (file, end) = (names::file(dir, &damage.path), damage.offset.saturating_add(damage.bytes));
        write!(out, "damaged: {file}, bytes {} to {end} ({})", damage.offset, damage.bytes)?;
        match damage.next.saturating_sub(damage.first) {
            0 => writeln!(out, ": no record is missing"),
            1 => writeln!(out, ": record {} is lost", damage.first),
            lost => writeln!(out, ": records {} to {} ({lost}) are lost", damage.first, damage.next - 1),
        }?;
    }
    for remark in &found.remarks {
        writeln!(out, "remark: {}", Printable(remark))?;
    }
    let Check { frames, bytes, torn_bytes, .. } = found;
    let damaged = found.damage.len();
    writeln!(out, "frames {frames}, bytes {bytes}, torn bytes {torn_bytes}, damaged places {damaged}")
}
