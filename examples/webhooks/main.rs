//! GitHub's webhooks as audit events, from a file with one `{"event": "github.issues.opened", "payload": {…}}` a line.
//!
//! `DATABASE_URL=… cargo run --example webhooks -- FILE.ndjson` stores them in `audit_logs`, or in the table that
//! `TRACEVAULT_TABLE` names; a second run stores nothing twice. Without FILE: a fixture, and a table that is dropped again.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

#[path = "../common/mod.rs"]
mod common;
mod delivery;
mod report;
mod secrets;

use std::{
    env,
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::PathBuf,
    time::Instant,
};

use futures_util::{StreamExt as _, stream};
use tracevault::{Config, Error, Receipt, Tracevault};

use crate::{
    common::{Sandbox, Shown},
    report::Report,
};

/// How many emits are under way at once, sharing their commits.
const AT_ONCE: usize = 500;

#[tokio::main]
async fn main() -> Shown {
    let fixture = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/webhooks/fixture.ndjson"));
    let given = env::args_os().nth(1).map(PathBuf::from);
    let path = given.clone().unwrap_or(fixture);
    let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;

    let sandbox = Sandbox::open()?;
    let usual = given.as_ref().map_or_else(|| sandbox.table("webhooks"), |_| "audit_logs".to_owned());
    let config = Config::new(sandbox.url())
        .table_name(env::var("TRACEVAULT_TABLE").unwrap_or(usual))
        .mask_fields(secrets::FIELDS)
        .mask_patterns(secrets::patterns()?)
        .ensure_schema(true);
    let audit = Tracevault::connect(config).await?;
    println!("{} into {} of {}", path.display(), audit.table(), sandbox.origin());

    let began = Instant::now();
    let mut report = Report::default();
    let lines = stream::iter((1..).zip(BufReader::new(file).lines()));
    let mut answers = lines.map(|(number, line)| answer(&audit, number, line)).buffered(AT_ONCE);
    while let Some((number, answer)) = answers.next().await {
        report.add(number, answer?);
    }
    drop(answers);
    report.print(began.elapsed());
    report.check(&sandbox, audit.table()).await?;
    if given.is_none() {
        assert_eq!((report.ids.len(), report.refused.len()), (6, 3), "the fixture has so many of each");
    }
    audit.close().await?;
    Ok(())
}

type Answer = Result<Receipt, String>;

/// What becomes of a line. Only the database's own failure ends the run.
async fn answer(audit: &Tracevault, number: usize, line: io::Result<String>) -> (usize, Shown<Answer>) {
    let answer = match line.map_err(Into::into).map(|line| delivery::event(&line, number)) {
        Err(unreadable) => Err(unreadable),
        Ok(Err(malformed)) => Ok(Err(malformed)),
        Ok(Ok(event)) => match audit.emit(event).await {
            Ok(receipt) => Ok(Ok(receipt)),
            Err(Error::Validation(refused)) => Ok(Err(refused.to_string())),
            Err(failed) => Err(failed.into()),
        },
    };
    (number, answer)
}
