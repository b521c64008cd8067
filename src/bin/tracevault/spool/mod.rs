//! `tracevault spool`: what waits in a spool's directory, whether it is sound, and its way into PostgreSQL.

mod dead_letters;
mod fsck;
mod ls;
mod names;
mod opened;
mod redrive;
mod replay;

use std::path::PathBuf;

use clap::Subcommand;

use crate::console::Exit;

const EXAMPLES: &str = "\
Examples:
  tracevault spool ls /var/lib/app/spool
  tracevault spool fsck /var/lib/app/spool
  tracevault spool dead-letters /var/lib/app/spool --json | jq .record
  tracevault spool replay /var/lib/app/spool --for 30s

ls, fsck and the list of dead letters take no lock and change nothing: they are safe while a process uses the spool, and \
show what was there at that moment. replay and dead-letters --redrive are the spool's owner while they run, and refuse a \
directory that another process uses.";

/// Look at a spool's directory, check it, and deliver what is in it
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Ls(ls::Args),
    Fsck(fsck::Args),
    DeadLetters(dead_letters::Args),
    Replay(Box<replay::Args>),
}

/// Which spool.
#[derive(clap::Args)]
struct Place {
    /// The spool's directory
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) async fn run(args: Args) -> Exit {
    match args.command {
        Command::Ls(args) => ls::run(&args),
        Command::Fsck(args) => fsck::run(&args),
        Command::DeadLetters(args) => dead_letters::run(args).await,
        Command::Replay(args) => replay::run(*args).await,
    }
}
