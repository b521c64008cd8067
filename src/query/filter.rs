//! What is asked for. Equality on columns, a window of time, an order: nothing widens by accident.

use std::fmt;

use time::OffsetDateTime;

use crate::event::Mode;

/// The conditions that reading and counting share.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    pub(super) event: Option<String>,
    pub(super) actor_id: Option<String>,
    pub(super) actor_type: Option<String>,
    pub(super) target_id: Option<String>,
    pub(super) target_type: Option<String>,
    pub(super) correlation_id: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) error_code: Option<String>,
    pub(super) severity: Option<String>,
    pub(super) severities: Option<Vec<String>>,
    pub(super) errors_only: bool,
    pub(super) mode: Option<Mode>,
    pub(super) from: Option<OffsetDateTime>,
    pub(super) to: Option<OffsetDateTime>,
}

/// The order of records by `(occurred_at, id)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Order {
    /// The newest first.
    #[default]
    Desc,
    /// The oldest first.
    Asc,
}

/// What to find, and how much of it at once. All conditions must hold; text is compared as it is, without patterns.
///
/// Deserialised with the keys in camelCase; a key that is not known is refused, so that a slip never widens what is
/// found.
///
/// ```
/// use tracevault::query::{Filters, Order};
///
/// let built = Filters::new().actor_type("user").errors_only().limit(10).order(Order::Asc);
/// let read: Filters = serde_json::from_str(r#"{ "actorType": "user", "errorsOnly": true, "limit": 10, "order": "asc" }"#)?;
/// assert_eq!(built, read);
/// assert!(serde_json::from_str::<Filters>(r#"{ "actorTyp": "user" }"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[doc(alias = "AuditQueryFilters")]
pub struct Filters {
    pub(super) conditions: Conditions,
    pub(super) order: Order,
    pub(super) limit: Option<u32>,
    pub(super) offset: Option<u64>,
}

/// What to count: the conditions of [`Filters`], without order and paging, whose keys are refused when deserialised.
///
/// ```
/// use tracevault::query::CountFilters;
///
/// let failures = CountFilters::new().outcome("failure").environment("production");
/// # let _ = failures;
/// assert!(serde_json::from_str::<CountFilters>(r#"{ "limit": 10 }"#).is_err());
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[doc(alias = "AuditCountFilters")]
pub struct CountFilters {
    pub(super) conditions: Conditions,
}

impl Filters {
    /// Everything, the newest first.
    pub fn new() -> Self {
        Self::default()
    }

    /// The order. Default: the newest first.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// The most records, from 1 to 500 for `find_many` and `page` (default 50), at least 1 for `stream` (default: all).
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Passes over so many records, for `find_many` only. The database still walks them: prefer
    /// [`page`](super::Query::page).
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }
}

impl CountFilters {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }
}

/// A condition on a text column.
macro_rules! text_condition {
    ($name:ident, $doc:literal $(, $alias:literal)?) => {
        #[doc = $doc]
        $(#[doc(alias = $alias)])?
        #[must_use]
        pub fn $name(mut self, value: impl Into<String>) -> Self {
            self.conditions.$name = Some(value.into());
            self
        }
    };
}

/// The conditions' builder methods, standing in the docs of both types.
macro_rules! conditions {
    ($type:ident) => {
        impl $type {
            text_condition!(event, "Events of this name.");
            text_condition!(actor_id, "By this actor.", "actorId");
            text_condition!(actor_type, "By actors of this type.", "actorType");
            text_condition!(target_id, "On this target.", "targetId");
            text_condition!(target_type, "On targets of this type.", "targetType");
            text_condition!(correlation_id, "With this correlation id.", "correlationId");
            text_condition!(request_id, "Of this request.", "requestId");
            text_condition!(environment, "Of this environment.");
            text_condition!(outcome, "With this `data.outcome`.");
            text_condition!(error_code, "With this `data.error.code`.", "errorCode");
            text_condition!(severity, "With this `data.severity`.");

            /// With any of these severities. None given finds nothing.
            #[must_use]
            pub fn severities<S: Into<String>>(mut self, values: impl IntoIterator<Item = S>) -> Self {
                self.conditions.severities = Some(values.into_iter().map(Into::into).collect());
                self
            }

            /// What failed: outcome `failure`, or severity `error`, `critical` or `fatal`.
            #[must_use]
            pub fn errors_only(mut self) -> Self {
                self.conditions.errors_only = true;
                self
            }

            /// Emitted in this mode.
            #[must_use]
            pub fn mode(mut self, mode: Mode) -> Self {
                self.conditions.mode = Some(mode);
                self
            }

            /// That occurred then or later.
            #[must_use]
            pub fn from(mut self, from: OffsetDateTime) -> Self {
                self.conditions.from = Some(from);
                self
            }

            /// That occurred then or earlier.
            #[must_use]
            pub fn to(mut self, to: OffsetDateTime) -> Self {
                self.conditions.to = Some(to);
                self
            }
        }
    };
}

conditions!(Filters);
conditions!(CountFilters);

/// Values may be personal: only the names of the conditions are shown.
impl fmt::Debug for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.texts().into_iter().filter(|(_, value)| value.is_some()).map(|(column, _)| column);
        f.debug_list().entries(names).finish()
    }
}

impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filters")
            .field("conditions", &self.conditions)
            .field("order", &self.order)
            .field("limit", &self.limit)
            .field("offset", &self.offset)
            .finish()
    }
}

impl fmt::Debug for CountFilters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountFilters").field("conditions", &self.conditions).finish()
    }
}

impl Conditions {
    /// The conditions on text, by column.
    pub(super) fn texts(&self) -> [(&'static str, Option<&str>); 12] {
        [
            ("event", self.event.as_deref()),
            ("actor_id", self.actor_id.as_deref()),
            ("actor_type", self.actor_type.as_deref()),
            ("target_id", self.target_id.as_deref()),
            ("target_type", self.target_type.as_deref()),
            ("correlation_id", self.correlation_id.as_deref()),
            ("request_id", self.request_id.as_deref()),
            ("environment", self.environment.as_deref()),
            ("outcome", self.outcome.as_deref()),
            ("error_code", self.error_code.as_deref()),
            ("severity", self.severity.as_deref()),
            ("mode", self.mode.map(Mode::as_str)),
        ]
    }
}
