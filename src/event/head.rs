//! What events of every kind say.

use std::borrow::Cow;

use time::OffsetDateTime;
use uuid::Uuid;

use super::Mode;

/// An actor or a target.
#[derive(Debug, Clone)]
pub(crate) struct Party<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) kind: Cow<'a, str>,
}

/// What every kind of event says.
#[derive(Default, Clone)]
pub(crate) struct Head<'a> {
    pub(crate) id: Option<Uuid>,
    /// An id that was made here for this one event, so that nobody can have stored it before.
    pub(crate) minted: Option<Uuid>,
    pub(crate) event: Cow<'a, str>,
    pub(crate) actor: Option<Party<'a>>,
    pub(crate) target: Option<Party<'a>>,
    pub(crate) correlation_id: Option<Cow<'a, str>>,
    pub(crate) request_id: Option<Cow<'a, str>>,
    /// In place of the scope's.
    pub(crate) environment: Option<Cow<'a, str>>,
    pub(crate) occurred_at: Option<OffsetDateTime>,
    pub(crate) mode: Option<Mode>,
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

            /// The circumstances (source, ip, user agent), in your own shape.
            #[must_use]
            pub fn meta(mut self, meta: impl Serialize + Send + Sync + 'a) -> Self {
                self.meta = Some(Box::new(meta));
                self
            }

            /// Who did it, by id and type.
            #[must_use]
            pub fn actor(mut self, id: impl Into<Cow<'a, str>>, kind: impl Into<Cow<'a, str>>) -> Self {
                self.head.actor = Some(Party { id: id.into(), kind: kind.into() });
                self
            }

            /// To what it was done, by id and type.
            #[must_use]
            pub fn target(mut self, id: impl Into<Cow<'a, str>>, kind: impl Into<Cow<'a, str>>) -> Self {
                self.head.target = Some(Party { id: id.into(), kind: kind.into() });
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
pub(super) use head_setters;
