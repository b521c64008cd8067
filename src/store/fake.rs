//! A store for the tests of those who use one.

use std::sync::Arc;

use super::{Batch, BoxFuture, Session, Store, Turn};
use crate::{error::Error, record::Record, table::TableName};

type Written = Result<Vec<usize>, Error>;

/// What becomes of a batch; `None`: no answer comes.
#[derive(Clone, Copy)]
pub(crate) struct Fake(Option<fn(&[Record]) -> Written>);

impl Fake {
    pub(crate) fn store(write: fn(&[Record]) -> Written) -> Arc<dyn Store> {
        Arc::new(Self(Some(write)))
    }

    pub(crate) fn silent() -> Arc<dyn Store> {
        Arc::new(Self(None))
    }
}

impl Store for Fake {
    fn session<'s>(&'s self, _: &'s TableName, _: bool) -> BoxFuture<'s, Result<Box<dyn Session>, Error>> {
        let session: Box<dyn Session> = Box::new(*self);
        Box::pin(std::future::ready(Ok(session)))
    }

    fn trial<'s>(&'s self, _: &'s TableName, _: &'s Record) -> BoxFuture<'s, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn answers(&self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(true))
    }
}

impl Session for Fake {
    fn write(self: Box<Self>, batch: Batch, _: bool, mut turn: Turn) -> BoxFuture<'static, Written> {
        Box::pin(async move {
            turn.has_come().await;
            match self.0 {
                Some(write) => write(&batch),
                None => std::future::pending().await,
            }
        })
    }
}
