//! An event that says what changed.

use std::{borrow::Cow, fmt};

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Event, Mode,
    head::{Head, Party, head_setters},
};
use crate::{diff::Change, payload::Payload};

/// Something that changed: [`Event`](super::Event) with a state before and after in place of `data`.
///
/// Stored as an event whose `data` is `{ before, after, diff }`. The diff is shallow, by key: an entry is
/// `{ before, after }`; a key that was added has `{ after }` only, one that was removed `{ before }` only; a nested
/// value that differs stands whole. Both states are required; pass an empty object for a thing made or removed.
///
/// Values are compared by meaning (the order of keys does not count, `1` equals `1.0`), and before masking: a changed
/// secret shows as changed, its entry being the mask's value.
///
/// ```
/// use serde_json::json;
/// use tracevault::DiffEvent;
///
/// let event = DiffEvent::new("product.updated")
///     .target("product_456", "product")
///     .before(json!({ "name": "Café", "price": 120 }))
///     .after(json!({ "name": "Café", "price": 150 }));
/// // data: { "before": …, "after": …, "diff": { "price": { "before": 120, "after": 150 } } }
/// # let _ = event;
/// ```
#[doc(alias = "AuditDiffEvent")]
pub struct DiffEvent<'a> {
    pub(crate) head: Head<'a>,
    pub(crate) before: Option<Box<dyn Payload + 'a>>,
    pub(crate) after: Option<Box<dyn Payload + 'a>>,
    pub(crate) meta: Option<Box<dyn Payload + 'a>>,
}

impl<'a> DiffEvent<'a> {
    /// A change of this name, such as `product.updated`.
    pub fn new(event: impl Into<Cow<'a, str>>) -> Self {
        Self { head: Head { event: event.into(), ..Head::default() }, before: None, after: None, meta: None }
    }

    /// The state before: anything that serialises to a JSON object.
    #[must_use]
    pub fn before(mut self, before: impl Serialize + Send + Sync + 'a) -> Self {
        self.before = Some(Box::new(before));
        self
    }

    /// The state after.
    #[must_use]
    pub fn after(mut self, after: impl Serialize + Send + Sync + 'a) -> Self {
        self.after = Some(Box::new(after));
        self
    }
}

head_setters!(DiffEvent);

/// So that every door takes a change: `emit_in(&transaction, DiffEvent::new(…))`, `try_emit`.
impl<'a> From<DiffEvent<'a>> for Event<'a> {
    fn from(event: DiffEvent<'a>) -> Self {
        let DiffEvent { head, before, after, meta } = event;
        Self { head, data: Some(Box::new(Change { before, after })), meta }
    }
}
