//! What an application says happened. Nothing is checked here but form: the rules are kept where an event becomes a
//! record, since only there the scope's masks and limits are known.

mod diff_event;
mod wire;

use std::{borrow::Cow, fmt};

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

pub use self::diff_event::DiffEvent;
use crate::payload::Payload;

/// Whether an emit waits for its record to be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[doc(alias = "AuditMode")]
pub enum Mode {
    /// `emit` returns once the record is committed.
    #[default]
    Sync,
    /// `emit` returns once the record is queued in memory.
    Async,
}

impl Mode {
    /// `"sync"` or `"async"`, as the column `mode` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(alias = "AuditActor")]
pub struct Actor<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) kind: Cow<'a, str>,
}

/// To what it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(alias = "AuditTarget")]
pub struct Target<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) kind: Cow<'a, str>,
}

impl<'a> Actor<'a> {
    /// An actor by its id and type, such as `("user_123", "user")`; each non-blank and at most 512 characters.
    pub fn new(id: impl Into<Cow<'a, str>>, kind: impl Into<Cow<'a, str>>) -> Self {
        Self { id: id.into(), kind: kind.into() }
    }
}

impl<'a> Target<'a> {
    /// A target by its id and type, such as `("product_456", "product")`; each non-blank and at most 512 characters.
    pub fn new(id: impl Into<Cow<'a, str>>, kind: impl Into<Cow<'a, str>>) -> Self {
        Self { id: id.into(), kind: kind.into() }
    }
}

/// What every kind of event says.
#[derive(Default, Clone)]
pub(crate) struct Head<'a> {
    pub(crate) id: Option<Uuid>,
    pub(crate) event: Cow<'a, str>,
    pub(crate) actor: Option<Actor<'a>>,
    pub(crate) target: Option<Target<'a>>,
    pub(crate) correlation_id: Option<Cow<'a, str>>,
    pub(crate) request_id: Option<Cow<'a, str>>,
    pub(crate) occurred_at: Option<OffsetDateTime>,
    pub(crate) mode: Option<Mode>,
}

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

    /// The circumstances (source, ip, user agent), in your own shape.
    #[must_use]
    pub fn meta(mut self, meta: impl Serialize + Send + Sync + 'a) -> Self {
        self.meta = Some(Box::new(meta));
        self
    }
}

/// The builder methods that events of both kinds share, each standing in the docs of both.
macro_rules! head_setters {
    ($event:ident) => {
        impl<'a> $event<'a> {
            /// Names the record, so that emitting the event again stores nothing twice: a record whose id is already
            /// in the table is left as it is, and [`Receipt::duplicate`](crate::Receipt::duplicate) says so. Without it
            /// the library makes a version 7 id.
            #[must_use]
            pub fn id(mut self, id: Uuid) -> Self {
                self.head.id = Some(id);
                self
            }

            /// Who did it, by id and type.
            #[must_use]
            pub fn actor(mut self, id: impl Into<Cow<'a, str>>, kind: impl Into<Cow<'a, str>>) -> Self {
                self.head.actor = Some(Actor::new(id, kind));
                self
            }

            /// To what it was done, by id and type.
            #[must_use]
            pub fn target(mut self, id: impl Into<Cow<'a, str>>, kind: impl Into<Cow<'a, str>>) -> Self {
                self.head.target = Some(Target::new(id, kind));
                self
            }

            /// What ties this event to others with the same cause, across services.
            #[must_use]
            #[doc(alias = "correlationId")]
            pub fn correlation_id(mut self, id: impl Into<Cow<'a, str>>) -> Self {
                self.head.correlation_id = Some(id.into());
                self
            }

            /// The request that caused it.
            #[must_use]
            #[doc(alias = "requestId")]
            pub fn request_id(mut self, id: impl Into<Cow<'a, str>>) -> Self {
                self.head.request_id = Some(id.into());
                self
            }

            /// When it happened, kept to the microsecond. Without it: now.
            #[must_use]
            #[doc(alias = "occurredAt")]
            pub fn occurred_at(mut self, at: OffsetDateTime) -> Self {
                self.head.occurred_at = Some(at);
                self
            }

            /// Whether the emit waits for the commit. Without it: the scope's default.
            #[must_use]
            pub fn mode(mut self, mode: Mode) -> Self {
                self.head.mode = Some(mode);
                self
            }
        }

        /// Shows what is said and by whom, never the payloads.
        impl fmt::Debug for $event<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($event))
                    .field("event", &self.head.event)
                    .field("id", &self.head.id)
                    .field("actor", &self.head.actor)
                    .field("target", &self.head.target)
                    .finish_non_exhaustive()
            }
        }
    };
}

head_setters!(Event);
pub(crate) use head_setters;

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
