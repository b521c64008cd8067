//! The face of the spool, without the feature: there is none, and a configuration that asks for one is refused.

use std::{convert::Infallible, future::Ready, sync::Arc};

use tokio::{runtime::Handle, sync::oneshot, time::Instant};

use crate::{
    config::{OnError, Settings, SpoolSettings},
    error::{ConfigError, Error},
    queue::{Drained, Queue, Stats},
    record::Record,
    store::Store,
};

/// There is none.
pub(crate) struct Spooling(Infallible);

/// There is none.
#[derive(Clone)]
pub(crate) struct Stream(Infallible);

/// There is none.
pub(crate) struct Room(Infallible);

pub(crate) type Ack = oneshot::Sender<Result<(), Box<Unkept>>>;

pub(crate) struct Unkept {
    pub(crate) error: Error,
    pub(crate) record: Record,
}

pub(crate) enum Refused {
    Full(Box<(Record, Error)>),
    Other(Error),
}

impl Spooling {
    pub(crate) fn open(_: SpoolSettings, _: &Settings, _: Arc<dyn Store>, _: Handle) -> Result<Self, Error> {
        Err(ConfigError::new("spool", "needs this crate's feature `spool`").into())
    }

    pub(crate) fn stream(&self, _: &Settings) -> Result<Stream, Error> {
        match self.0 {}
    }

    pub(crate) fn refuse(&self) {
        match self.0 {}
    }

    pub(crate) fn begin_close(&self, _: Instant) {
        match self.0 {}
    }

    pub(crate) fn close(&self, _: Instant) -> Ready<Drained> {
        match self.0 {}
    }

    pub(crate) fn stats(&self) -> Stats {
        match self.0 {}
    }
}

impl Stream {
    pub(crate) fn spills(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn settings_of_memory(&self, _: &Settings) -> Settings {
        match self.0 {}
    }

    pub(crate) fn follow(&self, _: &Queue) {
        match self.0 {}
    }

    pub(crate) fn goes_to_disk(&self, _: &Queue) -> bool {
        match self.0 {}
    }

    pub(crate) fn try_append(&self, _: Record, _: Option<Ack>, _: &OnError) -> Result<(), Refused> {
        match self.0 {}
    }

    pub(crate) fn room(&self, _: &Record) -> Ready<Result<Room, Error>> {
        match self.0 {}
    }

    pub(crate) fn lost(&self) {
        match self.0 {}
    }

    pub(crate) fn try_hold(&self, _: usize) -> Result<Room, Error> {
        match self.0 {}
    }

    pub(crate) fn append_in(&self, _: Room, _: Record, _: Option<Ack>, _: &OnError) -> Result<(), Error> {
        match self.0 {}
    }

    pub(crate) fn settle(&self, _: Instant, _: bool) -> Ready<Drained> {
        match self.0 {}
    }

    pub(crate) fn stats(&self) -> Stats {
        match self.0 {}
    }
}
