//! A batch by binary COPY (<https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format"): records are kept
//! as its tuples, so that nothing is encoded here.

use std::pin::{Pin, pin};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{SinkExt, future::join};
use tokio_postgres::{Client, CopyInSink, Error, Statement};

use super::{NextGoes, Turn};
use crate::record::Record;

/// The signature, no flags, no header extension.
const HEADER: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: i16 = -1;
/// What is sent first, so that the server works while the rest is put together; each piece is twice as large as the one
/// before, since another task sends them, and every change of tasks may wait for emits to run.
const FIRST_PIECE: usize = 32 << 10;
const LARGEST_PIECE: usize = 256 << 10;

/// Waits until PostgreSQL asks for the rows, in a transaction of their own.
pub(super) async fn begin(client: &Client, statement: &Statement) -> Result<CopyInSink<Bytes>, Error> {
    // Sent together, in this order.
    let (begun, sink) = join(client.batch_execute("BEGIN"), client.copy_in(statement)).await;
    begun.and(sink)
}

/// Sends the rows, and waits until the server has taken them all.
pub(super) async fn rows(
    client: &Client,
    sink: CopyInSink<Bytes>,
    batch: &[Record],
    turn: &mut Turn,
) -> Result<(), Error> {
    let mut sink = pin!(sink);
    let sent = match feed(sink.as_mut(), batch).await {
        Ok(()) => {
            turn.is(NextGoes::Sent);
            sink.finish().await.map(drop)
        }
        Err(error) => Err(error),
    };
    taken_back(client, sent).await
}

/// Sends the rows and the commit together.
pub(super) async fn all(client: &Client, sink: CopyInSink<Bytes>, batch: &[Record]) -> Result<(), Error> {
    let mut sink = pin!(sink);
    let fed = feed(sink.as_mut(), batch).await;
    if fed.is_err() {
        return taken_back(client, fed).await;
    }
    // Where the rows are refused, this COMMIT takes them back, and is no error.
    let (taken, committed) = join(sink.finish(), commit(client)).await;
    taken.and(committed)
}

pub(super) async fn commit(client: &Client) -> Result<(), Error> {
    client.batch_execute("COMMIT").await
}

/// After an error nothing is left of what was begun.
async fn taken_back(client: &Client, sent: Result<(), Error>) -> Result<(), Error> {
    if sent.is_err() {
        // It fails where the connection is gone, and then it is not needed.
        let _ = client.batch_execute("ROLLBACK").await;
    }
    sent
}

async fn feed(mut sink: Pin<&mut CopyInSink<Bytes>>, batch: &[Record]) -> Result<(), Error> {
    let mut size = FIRST_PIECE;
    let mut piece = BytesMut::with_capacity(size);
    piece.put_slice(&HEADER);
    for record in batch {
        let tuple = record.tuple();
        if piece.len() + tuple.len() > size {
            size = LARGEST_PIECE.min(size * 2);
            sink.feed(std::mem::replace(&mut piece, BytesMut::with_capacity(size)).freeze()).await?;
        }
        piece.put_slice(tuple);
    }
    piece.put_i16(TRAILER);
    sink.feed(piece.freeze()).await
}
