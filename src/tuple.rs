//! A row as PostgreSQL's binary COPY has it (<https://www.postgresql.org/docs/current/sql-copy.html>, "Tuples"): a 16-bit
//! count of fields, then for each its length in bytes as a 32-bit integer (-1: NULL) and the bytes.

use crate::{
    error::ValidationError,
    payload::{Payload, Rules},
};

/// How many fields a record has.
pub(crate) const FIELDS: u8 = 13;
/// The byte that opens the binary form of jsonb.
const JSONB_VERSION: u8 = 1;
/// What most records fit into, so that the buffer is allocated once.
const USUAL_SIZE: usize = 1_024;

/// The fields of one row, in one buffer.
#[derive(Clone)]
pub(crate) struct Tuple(Vec<u8>);

impl Tuple {
    pub(crate) fn new() -> Self {
        let mut buffer = Vec::with_capacity(USUAL_SIZE);
        buffer.extend_from_slice(&[0, FIELDS]);
        Self::from_bytes(buffer)
    }

    /// What [`as_bytes`](Self::as_bytes) gave.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.0.shrink_to_fit();
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        // Fields are bounded far below 2 GiB by the limits that were checked.
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.0.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }

    pub(crate) fn json(
        &mut self,
        column: &'static str,
        payload: Option<&dyn Payload>,
        rules: Rules<'_>,
    ) -> Result<(), ValidationError> {
        let Some(payload) = payload else {
            self.optional(None);
            return Ok(());
        };
        let length_at = self.0.len();
        self.0.extend_from_slice(&[0, 0, 0, 0, JSONB_VERSION]);
        let written = payload.write(std::mem::take(&mut self.0), rules);
        self.0 = written.map_err(|fault| fault.in_column(column))?;
        let length = i32::try_from(self.0.len() - length_at - 4).unwrap_or(i32::MAX);
        self.0[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// The bytes of a field in PostgreSQL's binary form; `None` is NULL.
    pub(crate) fn field(&self, index: usize) -> Option<&[u8]> {
        let mut rest = self.0.get(2..)?;
        let mut left = index;
        loop {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = i32::from_be_bytes(*length);
            let field = usize::try_from(length).ok().and_then(|length| after.get(..length));
            if left == 0 {
                return field;
            }
            left -= 1;
            rest = &after[field.map_or(0, <[u8]>::len)..];
        }
    }

    /// A text field.
    pub(crate) fn text_of(&self, index: usize) -> Option<&str> {
        // Only whole `str`s were put in.
        self.field(index).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// A jsonb field, without the byte that opens it.
    pub(crate) fn json_of(&self, index: usize) -> Option<&str> {
        self.text_of(index)?.get(1..)
    }

    /// The whole row.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Replaces the first field by one of the same length.
    pub(crate) fn set_first(&mut self, bytes: &[u8]) {
        const AT: usize = 2 + 4;
        self.0[AT..AT + bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What it takes in memory.
    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }
}
