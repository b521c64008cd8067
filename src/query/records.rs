//! Everything that filters find, in constant memory.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{
    connected::{Query, refuse_offset},
    filter::Filters,
    page::Position,
    row::AuditRecord,
};
use crate::error::{Error, ValidationError};

/// How many records a stream reads at once.
const STREAM_PAGE: u32 = 200;

/// The records of a [`stream`](Query::stream), in order. After an error it ends.
#[must_use = "nothing is read before this is polled"]
pub struct Records {
    query: Query,
    filters: Filters,
    /// How many more may come; `None`: all.
    left: Option<u32>,
    ready: VecDeque<AuditRecord>,
    next: Next,
}

enum Next {
    /// The page behind this position is to be asked for.
    Page(Option<Position>),
    Reading(Pin<Box<dyn Future<Output = Result<Vec<AuditRecord>, Error>> + Send>>, u32),
    Failed(Error),
    End,
}

impl Records {
    pub(super) fn new(query: Query, filters: Filters) -> Self {
        let left = filters.limit;
        let invalid = match (left, refuse_offset(&filters)) {
            (Some(0), _) => Some(ValidationError::new("limit", "must be at least 1").into()),
            (_, Err(error)) => Some(error.into()),
            (_, Ok(())) => None,
        };
        let next = match invalid {
            Some(error) => Next::Failed(error),
            None => Next::Page(None),
        };
        Self { query, filters, left, ready: VecDeque::new(), next }
    }
}

impl Stream for Records {
    type Item = Result<AuditRecord, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(record)));
            }
            match std::mem::replace(&mut self.next, Next::End) {
                Next::Page(position) => {
                    let size = self.left.map_or(STREAM_PAGE, |left| left.min(STREAM_PAGE));
                    if size > 0 {
                        let part = self.query.clone().part(self.filters.clone(), position, size);
                        self.next = Next::Reading(Box::pin(part), size);
                    }
                }
                Next::Reading(mut reading, size) => match reading.as_mut().poll(context) {
                    Poll::Pending => {
                        self.next = Next::Reading(reading, size);
                        return Poll::Pending;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready(Ok(records)) => {
                        self.left = self.left.map(|left| left - size);
                        if records.len() == size as usize {
                            let last = records.last();
                            self.next =
                                Next::Page(last.map(|last| Position { occurred_at: last.occurred_at, id: last.id }));
                        }
                        self.ready = records.into();
                    }
                },
                Next::Failed(error) => return Poll::Ready(Some(Err(error))),
                Next::End => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("query", &self.query).finish_non_exhaustive()
    }
}
