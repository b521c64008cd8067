//! `tracevault spool dead-letters --redrive`: dead letters back into the spool.

use std::{path::Path, time::Duration};

use tracevault::{Config, Error, TableName};

use super::opened::{self, Opened};
use crate::console::{self, Exit};

/// Nobody listens there, so that nothing is delivered meanwhile.
const NOWHERE: &str = "host=127.0.0.1 port=1 user=nobody connect_timeout=1";

pub(super) async fn run(dir: &Path, table: Option<&TableName>) -> Exit {
    let tables = match opened::tables(dir) {
        Ok(tables) => tables,
        Err(exit) => return exit,
    };
    if tables.iter().all(|of| of.dead_letters == 0 || table.is_some_and(|table| *table != of.table)) {
        console::say("no dead letters");
        return Exit::Success;
    }
    let config = Config::new(NOWHERE).close_timeout(Duration::from_millis(1));
    let opened = match Opened::open(dir, config, &tables) {
        Ok(opened) => opened,
        Err(error) => return console::fail(&error),
    };
    let driven = redrive(&opened, table).await;
    // The letters are on disk, whatever a close can still do.
    let _ = opened.audit.close().await;
    match driven {
        Ok(driven) => {
            console::say(format_args!("{driven} put back: the next start delivers them, or tracevault spool replay"));
            let damaged = opened.audit.spool().map_or(0, |spool| spool.stats().damaged);
            if damaged == 0 {
                return Exit::Success;
            }
            console::say(format_args!(
                "{damaged} could not be read: their files are in damaged/, beside the table's others"
            ));
            Exit::Refused
        }
        Err(error) => console::fail(&error),
    }
}

async fn redrive(opened: &Opened, table: Option<&TableName>) -> Result<u64, Error> {
    match opened.audit.spool() {
        Some(spool) => spool.redrive(table).await,
        None => Ok(0),
    }
}
