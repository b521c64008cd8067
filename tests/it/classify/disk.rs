//! A disk that is full: a small one, mounted for the purpose.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;
use tracevault::{ErrorClass, Event, Outcome, Tracevault};

use crate::{
    endurance::{environment::App, until},
    support::{account::Account, command::run, needs},
};

struct Disk(PathBuf);

impl Disk {
    /// Only root may mount, and not in every container.
    fn mount(folder: &Path) -> Option<Self> {
        fs::create_dir(folder).ok()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(folder);
        run(&mut mount, Duration::from_secs(10)).ok()?;
        let disk = Self(folder.to_owned());
        Account::unprivileged().and_then(|account| account.own(folder)).ok()?;
        Some(disk)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // At once, and gone when nobody has it open any more.
        let _ = run(Command::new("umount").arg("-l").arg(&self.0), Duration::from_secs(10));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk() {
    let app = App::new().await;
    let folder = app.server.cluster.folder().join("disk");
    let disk = Disk::mount(&folder);
    if !needs("a mount", disk.is_some() || Account::current() != Ok(0), "run as root, with CAP_SYS_ADMIN") {
        return;
    }
    let Some(_disk) = disk else { return };
    app.server.run(&format!("CREATE TABLESPACE small LOCATION '{}'", folder.display())).await;
    app.server.run("ALTER TABLE audit SET TABLESPACE small").await;
    // Of pages, each with one row that is not compressed.
    app.server.run("CREATE TABLE ballast (name char(8000)) TABLESPACE small").await;
    app.server.run("ALTER TABLE ballast ALTER name SET STORAGE PLAIN").await;
    let fill = "INSERT INTO ballast VALUES ('')";
    while app.server.sql.batch_execute(fill).await.is_ok() {}

    let emit_timeout = Duration::from_secs(3);
    let audit = Tracevault::new(app.config("right").emit_timeout(emit_timeout)).unwrap();
    let event = || Event::new("e").data(json!({ "text": (0..2_000).map(|n| n.to_string()).collect::<String>() }));
    // What room the last page had is soon used.
    let begun = Instant::now();
    let (stored, error, waited) = loop {
        let emitted = Instant::now();
        let answer = audit.emit(event()).await;
        // Its time may be over in the middle of one attempt more, of which nobody knows.
        if let Some(error) = answer.err().filter(|error| error.outcome() == Outcome::Rejected) {
            break (audit.stats().stored, error, emitted.elapsed());
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
    };
    assert_eq!((error.sqlstate(), error.class()), (Some("53100"), Some(ErrorClass::Contention)), "{error}");
    assert_eq!((error.outcome(), error.is_retryable(), error.is_record_refused()), (Outcome::Rejected, true, false));
    assert!(waited >= emit_timeout, "tried until its deadline");

    // Whoever is told is counted a moment later.
    until(&audit, "counted", |stats| stats.queued == 0).await;
    let told = audit.stats().failures.unavailable;
    for _ in 0..100 {
        audit.try_emit(event()).unwrap();
    }
    until(&audit, "held", |stats| stats.held > 0).await;
    assert_eq!((audit.stats().failures.unavailable, app.ear.count()), (told, 0));
    app.server.run("DROP TABLE ballast").await;
    until(&audit, "stored", |stats| stats.stored == stored + 100).await;
    let rows = app.server.number("SELECT count(*) FROM audit").await;
    assert_eq!((u64::try_from(rows).unwrap(), app.ear.count()), (stored + 100, 0));
}
