//! An event that says what happened.

use std::{borrow::Cow, fmt};

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Mode,
    head::{Head, Party, head_setters},
};
use crate::payload::Payload;

/// Something that happened. Only the name is required.
///
/// `data` and `meta` take anything that implements `Serialize`, owned or borrowed, and become JSON objects when the
/// event is emitted: checked, masked and written in one walk, without a tree in between.
///
/// | field | rule |
/// |---|---|
/// | name | non-blank, at most 255 characters, no line break, tab or NUL |
/// | actor, target | id and type non-blank, at most 512 characters |
/// | correlation id, request id | non-empty, at most 512 characters |
/// | `data`, `meta` | a JSON object; no NaN or infinity, integers within 64 bits, no bytes, at most 64 levels, at most `max_payload_bytes` |
/// | all text | no NUL |
///
/// It can also be read from JSON text (with `serde_json`), with the keys `id event actor target data meta
/// correlationId requestId occurredAt mode`; other keys are refused, `null` counts as absent, and numbers in `data` and
/// `meta` stay as they are spelled.
///
/// ```
/// use serde_json::json;
/// use tracevault::Event;
///
/// let event = Event::new("product.price.updated")
///     .actor("user_123", "user")
///     .target("product_456", "product")
///     .data(json!({ "oldPrice": 120, "newPrice": 150 }))
///     .correlation_id("req_abc");
///
/// let same: Event = serde_json::from_str(
///     r#"{ "event": "product.price.updated", "actor": { "id": "user_123", "type": "user" },
///          "target": { "id": "product_456", "type": "product" },
///          "data": { "oldPrice": 120, "newPrice": 150 }, "correlationId": "req_abc" }"#,
/// )?;
/// # let _ = (event, same);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[doc(alias = "AuditEvent")]
pub struct Event<'a> {
    pub(crate) head: Head<'a>,
    pub(crate) data: Option<Box<dyn Payload + 'a>>,
    pub(crate) meta: Option<Box<dyn Payload + 'a>>,
}

impl<'a> Event<'a> {
    /// An event of this name, such as `product.price.updated`.
    pub fn new(event: impl Into<Cow<'a, str>>) -> Self {
        Self { head: Head { event: event.into(), ..Head::default() }, data: None, meta: None }
    }

    /// What happened, in your own shape: anything that serialises to a JSON object.
    #[must_use]
    pub fn data(mut self, data: impl Serialize + Send + Sync + 'a) -> Self {
        self.data = Some(Box::new(data));
        self
    }
}

head_setters!(Event);

impl<'a> From<&'a str> for Event<'a> {
    fn from(event: &'a str) -> Self {
        Self::new(event)
    }
}

impl From<String> for Event<'_> {
    fn from(event: String) -> Self {
        Self::new(event)
    }
}
