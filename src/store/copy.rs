//! A batch by binary COPY (<https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format"): records are kept
//! as its tuples, so that nothing is encoded here.

use std::pin::pin;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::SinkExt;
use tokio_postgres::{Client, CopyInSink, Error, Statement};

use crate::record::Record;

/// The signature, no flags, no header extension.
const HEADER: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: i16 = -1;
/// The driver's word for a server that is ready for the next statement, which it does not expect after a COPY: it takes
/// this for done before the commit.
const READY: &str = "unexpected message from server";
/// What is sent first, so that the server works while the rest is put together; each piece is twice as large as the one
/// before, since another task sends them, and every change of tasks may wait for emits to run.
const FIRST_PIECE: usize = 32 << 10;
const LARGEST_PIECE: usize = 256 << 10;

/// Waits until PostgreSQL asks for the rows.
pub(super) async fn begin(client: &Client, statement: &Statement) -> Result<CopyInSink<Bytes>, Error> {
    client.copy_in(statement).await
}

/// Sends the batch. Dropped before it is ready, nothing is stored, unless the end was sent already.
pub(super) async fn copy(sink: CopyInSink<Bytes>, batch: &[Record]) -> Result<(), Error> {
    let mut sink = pin!(sink);
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
    sink.feed(piece.freeze()).await?;
    sink.as_mut().finish().await?;
    // So far the rows were taken; what the server says next is whether they are committed.
    match sink.finish().await {
        Err(error) if error.to_string() == READY => Ok(()),
        answer => answer.map(drop),
    }
}
