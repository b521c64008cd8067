//! What one stream sends, one event after the other.

use std::{collections::HashSet, sync::Arc, time::Duration};

use axum::response::sse::Event;
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast, watch},
    time::Instant,
};

use super::{replay::Replay, stream::Gap};
use crate::traffic::{LiveRow, RequestFilter};

/// When a browser comes again after the stream broke off.
const RETRY: Duration = Duration::from_secs(3);
/// How long a stream lasts. A browser comes again by itself, and misses nothing; a server that shuts down waits no
/// longer than this, and whoever may look no more is gone by then.
const LASTS: Duration = Duration::from_secs(30);
/// When it comes again after that.
const SOON: Duration = Duration::from_millis(50);

pub(super) struct Feed {
    live: broadcast::Receiver<Arc<[LiveRow]>>,
    open: watch::Receiver<bool>,
    filter: RequestFilter,
    end: Instant,
    greeted: bool,
    over: bool,
    /// How much is to be told as missed.
    missed: i64,
    /// Batches that were lost since the last one.
    lost: i64,
    /// The rows that are being sent, and the next of them.
    batch: Arc<[LiveRow]>,
    at: usize,
    /// Whether these are rows of the past.
    past: bool,
    /// The ids of those: some come by the other way too.
    again: HashSet<i64>,
    /// The greatest id that was sent.
    last: i64,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    pub(super) fn new(
        live: broadcast::Receiver<Arc<[LiveRow]>>,
        open: watch::Receiver<bool>,
        filter: RequestFilter,
        Replay { rows, missed }: Replay,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            live,
            open,
            filter,
            end: Instant::now() + LASTS,
            greeted: false,
            over: false,
            missed,
            lost: 0,
            batch: rows.into(),
            at: 0,
            past: true,
            again: HashSet::new(),
            last: 0,
            _place: place,
        }
    }

    /// The next event, once there is one.
    pub(super) async fn next(&mut self) -> Option<Event> {
        if !self.greeted {
            self.greeted = true;
            return Some(Event::default().retry(RETRY));
        }
        while !self.over {
            if self.missed > 0 {
                let gap = Gap { missed: std::mem::take(&mut self.missed) };
                return Event::default().event("traffic:gap").json_data(gap).ok();
            }
            if let Some(event) = self.row() {
                return Some(event);
            }
            let heard = tokio::select! {
                biased;
                _ = self.open.wait_for(|open| !open) => break,
                () = tokio::time::sleep_until(self.end) => {
                    self.over = true;
                    return Some(Event::default().retry(SOON));
                }
                heard = self.live.recv() => heard,
            };
            match heard {
                Ok(batch) => self.take(batch),
                Err(broadcast::error::RecvError::Lagged(batches)) => {
                    self.lost = self.lost.saturating_add(i64::try_from(batches).unwrap_or(i64::MAX));
                }
                Err(broadcast::error::RecvError::Closed) => break,
            }
        }
        None
    }

    fn row(&mut self) -> Option<Event> {
        loop {
            let row = self.batch.get(self.at)?;
            self.at += 1;
            self.last = self.last.max(row.id);
            let wanted = if self.past { self.again.insert(row.id) } else { !self.again.contains(&row.id) };
            let wanted = wanted && self.filter.meets(row);
            let event = Event::default().event("traffic:new-request").id(row.id.to_string());
            if let Some(event) = event.json_data(row).ok().filter(|_| wanted) {
                return Some(event);
            }
        }
    }

    fn take(&mut self, batch: Arc<[LiveRow]>) {
        if self.lost > 0 {
            // Of a batch that is lost only the ids around it are known.
            let first = batch.iter().map(|row| row.id).min().unwrap_or_default();
            let between = if self.last > 0 { first.saturating_sub(self.last).saturating_sub(1) } else { 0 };
            self.missed = between.max(self.lost);
            self.lost = 0;
        }
        (self.batch, self.at, self.past) = (batch, 0, false);
    }
}
