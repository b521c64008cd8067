//! A payload of bounded size: what can be spared goes first.

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    document::{Document, timestamp},
    kind::Kind,
};
use crate::{
    mask::Mask,
    payload::{Fault, Payload, Reason, Rules},
};

/// A payload that was checked, masked and written by its scope's rules.
pub(super) struct Written(Vec<u8>);

/// Written once, so that nothing is masked twice.
impl Payload for Written {
    fn write(&self, mut out: Vec<u8>, rules: Rules<'_>) -> Result<Vec<u8>, Fault> {
        if self.0.len() > rules.limit {
            return Err(Fault::new(Reason::TooLarge { limit: rules.limit }));
        }
        out.extend_from_slice(&self.0);
        Ok(out)
    }
}

/// What stays of a payload that is too large in every other form.
#[derive(Serialize)]
struct Least<'d> {
    id: Uuid,
    kind: &'static str,
    message: &'d str,
    timestamp: &'d str,
    outcome: &'static str,
}

/// The payload within `rules.limit` bytes, masked: all of it; else without what the handler added; else without `error`
/// too; else the least. What cannot be written for another reason goes the same way.
///
/// The limit must be at least [`smallest`].
pub(super) fn clamp(mut document: Document<'_>, rules: Rules<'_>) -> Written {
    if let Some(whole) = written(&document, rules) {
        return whole;
    }
    document.truncated = true;
    if document.data.take().is_some()
        && let Some(without_data) = written(&document, rules)
    {
        return without_data;
    }
    if document.error.take().is_some()
        && let Some(without_error) = written(&document, rules)
    {
        return without_error;
    }
    least(&document, rules)
}

/// The first 500 characters of the message, or as many of them as there is room for.
fn least(document: &Document<'_>, rules: Rules<'_>) -> Written {
    let Document { id, kind, message, timestamp, outcome, .. } = document;
    let mut characters = 500;
    loop {
        let end = message.char_indices().nth(characters).map_or(message.len(), |(end, _)| end);
        let least = Least { id: *id, kind, message: &message[..end], timestamp, outcome };
        if let Some(written) = written(&least, rules) {
            return written;
        }
        if characters == 0 {
            // A pattern of the scope has made an id or a timestamp longer than the limit foresaw.
            return Written(b"{}".to_vec());
        }
        characters = characters * 3 / 4;
    }
}

fn written(payload: &dyn Payload, rules: Rules<'_>) -> Option<Written> {
    payload.write(Vec::with_capacity(1_024), rules).ok().map(Written)
}

/// The bytes of the smallest payload that there can be.
pub(super) fn smallest(mask: &Mask) -> usize {
    let kind = Kind::Success;
    let timestamp = timestamp(OffsetDateTime::UNIX_EPOCH);
    let least =
        Least { id: Uuid::max(), kind: kind.as_str(), message: "", timestamp: &timestamp, outcome: kind.outcome() };
    written(&least, Rules { mask, limit: 1 << 26 }).map_or(usize::MAX, |written| written.0.len())
}
