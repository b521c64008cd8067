//! All of a root's spool: the directory, its logs, the appender, and how they end together.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use tokio::{runtime::Handle, sync::watch, time::Instant};

use super::{
    appender::Appender,
    folder::Folder,
    log::Log,
    recovery::{Damage, Recovery},
    room::Bounds,
    stats::SpoolStats,
    stream::{GRACE, Stream},
};
use crate::{
    config::{Settings, SpoolSettings},
    error::{ClosedError, Error},
    queue::{Drained, Stats},
    store::Store,
    table::TableName,
};

/// What a root owns. Dropped without a close, it ends by itself, within `close_timeout`.
pub(crate) struct Spooling(Arc<Core>);

/// What the streams of a spool share.
pub(super) struct Core {
    /// The appender's, so that it is free once that has ended.
    folder: Weak<Folder>,
    pub(super) appender: Appender,
    pub(super) bounds: Arc<Bounds>,
    pub(super) store: Arc<dyn Store>,
    pub(super) runtime: Handle,
    pub(super) recovery: Recovery,
    settings: SpoolSettings,
    streams: Mutex<Streams>,
    end: OnceLock<watch::Receiver<Option<Drained>>>,
}

#[derive(Default)]
struct Streams {
    by_table: HashMap<TableName, Stream>,
    closed: bool,
}

impl Spooling {
    /// Opens the directory, finds what a process before left there, and goes on with it. Blocks, for as long as it takes
    /// to look through one segment a table.
    pub(crate) fn open(
        settings: SpoolSettings,
        root: &Settings,
        store: Arc<dyn Store>,
        runtime: Handle,
    ) -> Result<Self, Error> {
        let folder = Arc::new(Folder::open(&settings.dir)?);
        let (mut logs, mut recovery) = (Vec::new(), Recovery::default());
        for table in folder.tables()? {
            let (log, found) = Log::open(folder.of(&table), table)?;
            logs.push((log, found.dead_letters));
            recovery.add(found);
        }
        tell(&settings.dir, &recovery);
        let bounds = Bounds::new(&settings, root, recovery.bytes);
        let held = Arc::downgrade(&folder);
        let appender = Appender::start(folder, &settings, root.when_full, Arc::clone(&bounds))?;
        let core = Arc::new(Core {
            folder: held,
            appender,
            bounds,
            store,
            runtime,
            recovery,
            settings,
            streams: Mutex::default(),
            end: OnceLock::new(),
        });
        {
            let mut streams = core.streams();
            for (log, dead_letters) in logs {
                // The scope that writes there may come later, or never: the table is all that is needed.
                let mut settings = root.clone();
                settings.table = log.table.clone();
                streams.by_table.insert(log.table.clone(), Stream::start(&core, log, dead_letters, &settings));
            }
        }
        Ok(Self(core))
    }

    /// Nothing is taken on any more, and what queues leave from now on goes before all that is there.
    pub(crate) fn refuse(&self) {
        self.0.refuse();
    }

    /// The same as a [`close`](Self::close) that nobody waits for.
    pub(crate) fn begin_close(&self, deadline: Instant) {
        drop(self.0.close(deadline));
    }

    /// The stream of a scope's table.
    pub(crate) fn stream(&self, settings: &Settings) -> Result<Stream, Error> {
        let mut streams = self.0.streams();
        if streams.closed {
            return Err(ClosedError::new("the spool").into());
        }
        if let Some(known) = streams.by_table.get(&settings.table) {
            known.report_to(&settings.on_error);
            return Ok(known.clone());
        }
        let folder = self.0.folder.upgrade().ok_or_else(|| ClosedError::new("the spool"))?;
        let (log, found) = Log::open(folder.of(&settings.table), settings.table.clone())?;
        let stream = Stream::start(&self.0, log, found.dead_letters, settings);
        streams.by_table.insert(settings.table.clone(), stream.clone());
        Ok(stream)
    }

    /// Takes nothing on any more, and goes on storing while that succeeds, until the deadline: what is left is on disk.
    /// The directory is free afterwards. Again: the same end, and the same numbers.
    pub(crate) async fn close(&self, deadline: Instant) -> Drained {
        let mut end = self.0.close(deadline);
        let drained = end.wait_for(Option::is_some).await.ok().and_then(|drained| *drained);
        // Its runtime has ended: what is not stored is on disk.
        drained.unwrap_or_default()
    }

    pub(crate) fn stats(&self) -> Stats {
        let streams: Vec<_> = self.0.all();
        let mut sum = Stats::default();
        for stream in streams {
            sum += stream.stats();
        }
        sum
    }

    #[cfg(test)]
    pub(super) fn log(&self, table: &str) -> Arc<Log> {
        let streams = self.0.streams();
        Arc::clone(&streams.by_table[&TableName::new(table).unwrap()].0.log)
    }

    /// For the user.
    pub(crate) fn face(&self) -> super::Spool {
        super::Spool::new(Arc::clone(&self.0))
    }
}

impl Drop for Spooling {
    fn drop(&mut self) {
        let timeout = self.0.all().first().map(Stream::close_timeout).unwrap_or_default();
        self.begin_close(Instant::now() + timeout);
    }
}

impl Core {
    pub(super) fn all(&self) -> Vec<Stream> {
        self.streams().by_table.values().cloned().collect()
    }

    pub(super) fn stats(&self) -> SpoolStats {
        let mut sum =
            SpoolStats { max_bytes: self.settings.max_bytes, stuck: self.appender.is_stuck(), ..SpoolStats::default() };
        for stream in self.all() {
            stream.count_into(&mut sum);
        }
        sum
    }

    /// Somebody found no room: segments of which all is stored may be all that is in the way.
    pub(super) fn make_room(&self) {
        self.appender.retry();
        self.all().iter().for_each(Stream::look);
    }

    /// Gives up the reserve of a full disk. `false`: there was none.
    pub(super) fn release_reserve(&self) -> bool {
        let released = self.folder.upgrade().is_some_and(|folder| folder.release_reserve());
        if released {
            // It is to be made again.
            self.appender.retry();
        }
        released
    }

    fn close(self: &Arc<Self>, deadline: Instant) -> watch::Receiver<Option<Drained>> {
        let begin = || {
            let (tell, end) = watch::channel(None);
            self.refuse();
            let core = Arc::clone(self);
            // In a task, so that it goes on when nobody waits.
            self.runtime.spawn(async move {
                let drained = core.end(deadline).await;
                drop(core);
                tell.send_replace(Some(drained));
            });
            end
        };
        self.end.get_or_init(begin).clone()
    }

    /// Nothing is taken on any more.
    fn refuse(&self) {
        let mut streams = self.streams();
        streams.closed = true;
        streams.by_table.values().for_each(Stream::refuse);
    }

    async fn end(&self, deadline: Instant) -> Drained {
        let streams = self.all();
        // The directory is nobody else's until all of it is done.
        let folder = self.folder.upgrade();
        let stopping: Vec<_> = streams.iter().map(|stream| stream.clone().stop(deadline, &self.runtime)).collect();
        let (mut sum, mut told) = (Drained::default(), 0);
        for stopping in stopping {
            // The task of a stream ends with the runtime at the latest.
            let (drained, lost) = stopping.await.unwrap_or_default();
            sum += drained;
            told += lost;
        }
        // What was on its way then is on disk, or told of, by now.
        (sum.spooled, sum.left) = (0, 0);
        self.bounds.close();
        // On a disk that hangs it takes as long as that; what it writes then is found by the next start.
        let is_written = tokio::time::timeout(GRACE, self.appender.ended()).await.is_ok();
        for stream in &streams {
            sum.spooled += if is_written { stream.finish().await } else { stream.left() };
        }
        sum.left = streams.iter().map(Stream::losses).sum::<u64>().saturating_sub(told);
        if !is_written {
            sum.left += streams.iter().map(Stream::on_the_way).sum::<u64>();
        }
        drop(folder);
        sum
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        // What runs under the lock leaves the map whole at every step.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was found, in one line.
fn tell(dir: &Path, recovery: &Recovery) {
    let Recovery { records, bytes, tables, dead_letters, torn_bytes, damage } = recovery;
    let dir = dir.display();
    if *recovery != Recovery::default() {
        tracing::info!(%dir, records, bytes, tables, dead_letters, torn_bytes, "the spool goes on with what was left there");
    }
    for Damage { path, offset, bytes, first, next } in damage {
        let path = path.display();
        tracing::error!(%path, offset, bytes, first, next, "records of the spool cannot be read, and are lost");
    }
}
