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

/// Waits until PostgreSQL asks for the rows.
pub(super) async fn begin(client: &Client, statement: &Statement) -> Result<CopyInSink<Bytes>, Error> {
    client.copy_in(statement).await
}

/// Sends the batch. Dropped before it is ready, nothing is stored, unless the end was sent already.
pub(super) async fn copy(sink: CopyInSink<Bytes>, batch: &[Record]) -> Result<(), Error> {
    let size = batch.iter().map(|record| record.tuple().len()).sum::<usize>();
    let mut bytes = BytesMut::with_capacity(HEADER.len() + size + size_of_val(&TRAILER));
    bytes.put_slice(&HEADER);
    for record in batch {
        bytes.put_slice(record.tuple());
    }
    bytes.put_i16(TRAILER);
    let mut sink = pin!(sink);
    sink.send(bytes.freeze()).await?;
    sink.finish().await?;
    Ok(())
}
