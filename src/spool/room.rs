//! How much may wait for the disk, and how much may be on it.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit, TryAcquireError};

use crate::{
    config::{Settings, SpoolSettings},
    error::{ClosedError, Error, SpoolError, SpoolFault},
};

const WHAT: &str = "the spool";

/// The bounds of a spool: `max_bytes` on disk, and in memory, on the way there, `queue_bytes` and `queue_capacity`.
pub(super) struct Bounds {
    dir: PathBuf,
    /// Not above what a semaphore counts to and a permit names, as are the other limits.
    most_on_disk: usize,
    most_in_memory: usize,
    disk: Semaphore,
    /// Bytes on disk beyond what `disk` had: what is freed pays for them first.
    debt: Mutex<u64>,
    memory: Semaphore,
    slots: Semaphore,
    /// Somebody found no room since some was freed.
    short: AtomicBool,
    /// So many wait for room on disk.
    waiting: AtomicUsize,
}

/// Somebody who waits for room on disk.
struct Waiting<'b>(&'b AtomicUsize);

impl<'b> Waiting<'b> {
    fn new(waiting: &'b AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Bounds {
    /// `used`: what is on disk already. Where that is more than `max_bytes`, as much has to go before there is room.
    pub(super) fn new(settings: &SpoolSettings, root: &Settings, used: u64) -> Arc<Self> {
        let free = settings.max_bytes.saturating_sub(used);
        Arc::new(Self {
            dir: settings.dir.clone(),
            most_on_disk: countable(settings.max_bytes),
            most_in_memory: root.queue_bytes,
            disk: Semaphore::new(countable(free)),
            debt: Mutex::new(used.saturating_sub(settings.max_bytes)),
            memory: Semaphore::new(root.queue_bytes),
            slots: Semaphore::new(root.queue_capacity),
            short: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
        })
    }

    /// Room for a record of so many bytes, if there is some now.
    ///
    /// # Errors
    /// `Spool` (`SpoolFault::Full`); `Closed`.
    pub(super) fn try_take(self: &Arc<Self>, bytes: usize) -> Result<Room, Error> {
        let (on_disk, in_memory) = self.shares(bytes);
        let permits = || {
            let slot = self.slots.try_acquire()?;
            let memory = self.memory.try_acquire_many(in_memory)?;
            Ok([slot, memory, self.disk.try_acquire_many(on_disk)?])
        };
        let permits = permits().map_err(|error| {
            self.short.store(true, Ordering::Relaxed);
            self.refusal(&error)
        })?;
        Ok(self.room(permits, on_disk, in_memory))
    }

    /// Whether somebody waits for room on disk, or found none since some was freed.
    pub(super) fn is_short(&self) -> bool {
        self.short.load(Ordering::Relaxed) || self.waiting.load(Ordering::Relaxed) > 0
    }

    /// As soon as there is some, first come, first served. Cancel safe.
    pub(super) async fn take(self: &Arc<Self>, bytes: usize) -> Result<Room, Error> {
        let (on_disk, in_memory) = self.shares(bytes);
        let closed = |_: AcquireError| ClosedError::new(WHAT);
        let slot = self.slots.acquire().await.map_err(closed)?;
        let memory = self.memory.acquire_many(in_memory).await.map_err(closed)?;
        let _waiting = Waiting::new(&self.waiting);
        let disk = self.disk.acquire_many(on_disk).await.map_err(closed)?;
        Ok(self.room([slot, memory, disk], on_disk, in_memory))
    }

    /// So many bytes on disk are free again.
    pub(super) fn freed(&self, bytes: u64) {
        if bytes > 0 {
            self.short.store(false, Ordering::Relaxed);
        }
        let mut debt = self.debt.lock().unwrap_or_else(PoisonError::into_inner);
        let paid = bytes.min(*debt);
        *debt -= paid;
        self.disk.add_permits(countable(bytes - paid));
    }

    /// So many bytes were written that nobody had asked room for.
    pub(super) fn used(&self, bytes: u64) {
        let mut debt = self.debt.lock().unwrap_or_else(PoisonError::into_inner);
        *debt += bytes - self.disk.forget_permits(countable(bytes)) as u64;
    }

    #[cfg(test)]
    pub(super) fn free_on_disk(&self) -> u64 {
        self.disk.available_permits() as u64
    }

    /// Nothing is taken on any more.
    pub(super) fn close(&self) {
        self.slots.close();
        self.memory.close();
        self.disk.close();
    }

    /// A record larger than a bound takes all of it, and passes alone.
    fn shares(&self, bytes: usize) -> (u32, u32) {
        let share = |most: usize| u32::try_from(bytes.min(most)).unwrap_or(u32::MAX);
        (share(self.most_on_disk), share(self.most_in_memory))
    }

    fn room(self: &Arc<Self>, permits: [SemaphorePermit<'_>; 3], on_disk: u32, in_memory: u32) -> Room {
        permits.into_iter().for_each(SemaphorePermit::forget);
        Room { bounds: Arc::clone(self), on_disk, in_memory }
    }

    fn refusal(&self, error: &TryAcquireError) -> Error {
        match error {
            TryAcquireError::Closed => ClosedError::new(WHAT).into(),
            TryAcquireError::NoPermits => SpoolError::new(SpoolFault::Full, "emitting", &self.dir).into(),
        }
    }
}

/// What a semaphore can count to.
fn countable(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}

/// Room for a record. Dropped, all of it is given back; [`written`](Self::written), the part in memory only.
pub(crate) struct Room {
    pub(super) bounds: Arc<Bounds>,
    on_disk: u32,
    in_memory: u32,
}

impl Room {
    /// Of at least so many bytes, where there is more.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let (on_disk, in_memory) = self.bounds.shares(bytes);
        let more = || {
            let memory = self.bounds.memory.try_acquire_many(in_memory.saturating_sub(self.in_memory))?;
            Ok([memory, self.bounds.disk.try_acquire_many(on_disk.saturating_sub(self.on_disk))?])
        };
        let permits = more().map_err(|error| self.bounds.refusal(&error))?;
        permits.into_iter().for_each(SemaphorePermit::forget);
        self.on_disk = self.on_disk.max(on_disk);
        self.in_memory = self.in_memory.max(in_memory);
        Ok(())
    }

    /// The record takes so many bytes on disk now; what is more than that is given back.
    pub(super) fn written(mut self, bytes: u64) {
        let held = u64::from(std::mem::take(&mut self.on_disk));
        match bytes.checked_sub(held) {
            Some(more) => self.bounds.used(more),
            None => self.bounds.freed(held - bytes),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.bounds.freed(self.on_disk.into());
        self.bounds.memory.add_permits(self.in_memory as usize);
        self.bounds.slots.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sync};

    fn bounds(max_bytes: u64, queue_bytes: usize, used: u64) -> Arc<Bounds> {
        let root = Config::default().queue_capacity(3).queue_bytes(queue_bytes).resolve().unwrap().root;
        let settings = SpoolSettings { dir: "spool".into(), sync: Sync::Always, max_bytes, segment_bytes: 1 };
        Bounds::new(&settings, &root, used)
    }

    fn is_full(bounds: &Arc<Bounds>, bytes: usize) -> bool {
        match bounds.try_take(bytes) {
            Ok(_) => false,
            Err(Error::Spool(error)) => error.is_full(),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn each_bound_is_kept_and_given_back() {
        let bounds = bounds(1_000, 600, 0);
        let room = bounds.try_take(500).unwrap();
        assert!(is_full(&bounds, 101), "memory");
        room.written(400);
        let room = bounds.try_take(600).unwrap();
        assert!(is_full(&bounds, 1));
        drop(room);
        let rooms = [1, 1, 1].map(|bytes| bounds.try_take(bytes).unwrap());
        assert!(is_full(&bounds, 1), "slots");
        drop(rooms);
        bounds.try_take(500).unwrap().written(500);
        assert!(is_full(&bounds, 101), "disk");
        bounds.freed(1);
        drop(bounds.try_take(101).unwrap());
        bounds.freed(899);
        assert_eq!(bounds.free_on_disk(), 1_000);
    }

    #[test]
    fn what_is_used_beyond_the_bound_is_paid_first() {
        let bounds = bounds(1_000, 10_000, 1_500);
        assert!(is_full(&bounds, 1));
        bounds.freed(500);
        assert!(is_full(&bounds, 1));
        bounds.freed(10);
        // Larger than all there may be: it passes alone, and is paid for.
        assert!(is_full(&bounds, 5_000));
        bounds.freed(990);
        bounds.try_take(5_000).unwrap().written(5_000);
        bounds.used(7);
        bounds.freed(4_007);
        assert_eq!(bounds.free_on_disk(), 0);
        bounds.freed(1_000);
        assert_eq!(bounds.free_on_disk(), 1_000);
        bounds.used(1_001);
        bounds.freed(1_001);
        assert_eq!(bounds.free_on_disk(), 1_000);
    }

    #[test]
    fn room_grows_where_there_is_more() {
        let bounds = bounds(1_000, 600, 0);
        let mut room = bounds.try_take(100).unwrap();
        room.grow(50).unwrap();
        room.grow(300).unwrap();
        assert!(is_full(&bounds, 301));
        let other = bounds.try_take(300).unwrap();
        assert!(room.grow(301).is_err());
        drop((room, other));
        drop(bounds.try_take(600).unwrap());
        assert_eq!(bounds.free_on_disk(), 1_000);
    }

    #[tokio::test]
    async fn who_waits_gets_room_in_turn_and_hears_of_the_end() {
        let bounds = bounds(1 << 50, 600, 0);
        let room = bounds.try_take(600).unwrap();
        let waiting = |bytes| {
            let bounds = Arc::clone(&bounds);
            tokio::spawn(async move { bounds.take(bytes).await })
        };
        let (given_up, first) = (waiting(500), waiting(600));
        tokio::task::yield_now().await;
        given_up.abort();
        assert!(given_up.await.is_err());
        drop(room);
        let room = first.await.unwrap().unwrap();
        let late = waiting(1);
        tokio::task::yield_now().await;
        bounds.close();
        assert!(late.await.unwrap().err().unwrap().is_closed());
        assert!(bounds.try_take(1).err().unwrap().is_closed());
        drop(room);
        assert_eq!(bounds.free_on_disk(), 1 << 50);
    }
}
