//! What a handler says about its own exchange.

use std::{
    fmt,
    future::ready,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{Extensions, HeaderName, request::Parts};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    exchange::{CapturedError, Party},
    request_id::RequestId,
};
use crate::{ConfigError, Error, Event, Receipt, Scope, read_correlation_id_header};

/// The one name that is asked for, ready to be looked up.
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// The audit of the running exchange, in the request's extensions: for handlers, and for middleware inside of the layer.
/// With feature `axum` it is an extractor. Clones share it. What is said after the exchange has ended is not heard.
///
/// ```
/// use tracevault::{Event, http::RequestAudit};
///
/// async fn checkout(audit: RequestAudit) -> Result<(), tracevault::Error> {
///     audit.event_name("payment.checkout.initiated").actor("user_123", "user").target("order_9", "order");
///     // An event of its own, with the ids of this request.
///     audit.emit(Event::new("stock.reserved")).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct RequestAudit(Arc<Shared>);

struct Shared {
    request_id: RequestId,
    correlation_id: Option<String>,
    said: Mutex<Said>,
}

/// What [`RequestAudit::emit`] returns. It borrows nothing of the event, which was checked, masked and written out by the
/// call itself.
pub type Emitting = Pin<Box<dyn Future<Output = Result<Receipt, Error>> + Send>>;

/// What was said so far.
#[derive(Default, Clone)]
pub(super) struct Said {
    pub(super) skip: bool,
    pub(super) event_name: Option<String>,
    pub(super) actor: Option<Party>,
    pub(super) target: Option<Party>,
    pub(super) session_id: Option<String>,
    pub(super) data: Map<String, Value>,
    pub(super) error: Option<CapturedError>,
    pub(super) kept: Extensions,
    scope: Option<Scope>,
}

impl RequestAudit {
    /// That of a layer outside, which hears the same, else a new one, for the handlers to find. `id` is for a request
    /// that has none.
    pub(super) fn of(parts: &mut Parts, scope: Option<&Scope>, id: Uuid) -> Self {
        if let Some(outer) = parts.extensions.get::<Self>() {
            if let Some(scope) = scope {
                outer.said().scope.get_or_insert_with(|| scope.clone());
            }
            return outer.clone();
        }
        let request_id = RequestId::inherited_or(&parts.headers, id);
        let correlation_id = read_correlation_id_header(|_| parts.headers.get(&CORRELATION_ID)?.to_str().ok());
        let said = Mutex::new(Said { scope: scope.cloned(), ..Said::default() });
        let handle = Self(Arc::new(Shared { request_id: request_id.clone(), correlation_id, said }));
        parts.extensions.insert(request_id);
        parts.extensions.insert(handle.clone());
        handle
    }

    /// What was said until now. It stays, since a second layer may stand outside.
    pub(super) fn heard(&self) -> Said {
        self.said().clone()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        // Nothing of ours panics under the lock, and a `clone` of what is kept leaves nothing half said.
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The event's name, in place of `http.METHOD.route`.
    pub fn event_name(&self, name: impl Into<String>) -> &Self {
        self.said().event_name = Some(name.into());
        self
    }

    /// Who did it, by id and type; in place of what the layer's resolver found.
    pub fn actor(&self, id: impl Into<String>, kind: impl Into<String>) -> &Self {
        self.said().actor = Some(Party::new(id, kind));
        self
    }

    /// To what it was done, by id and type; in place of what the layer's resolver found.
    pub fn target(&self, id: impl Into<String>, kind: impl Into<String>) -> &Self {
        self.said().target = Some(Party::new(id, kind));
        self
    }

    /// The session; in place of what the layer's resolver found.
    pub fn session(&self, id: impl Into<String>) -> &Self {
        self.said().session_id = Some(id.into());
        self
    }

    /// More to store with the exchange: anything that serialises to a JSON object. Said again, its keys are added, and
    /// those of the same name replaced. What is no object is left out, with a warning in the log.
    pub fn data(&self, data: impl Serialize) -> &Self {
        if let Ok(Value::Object(mut data)) = serde_json::to_value(data) {
            self.said().data.append(&mut data);
        } else {
            tracing::warn!("a handler's data for its audit event is no JSON object: it is left out");
        }
        self
    }

    /// Why the handler failed: the kind of error, and its words.
    pub fn error(&self, name: impl Into<String>, message: impl Into<String>) -> &Self {
        self.said().error = Some(CapturedError::new(name, message));
        self
    }

    /// A value of a type of its own for a sink that looks for it in [`Exchange::kept`](super::Exchange::kept); in place of
    /// what [`CaptureLayer::keep`](super::CaptureLayer::keep) found of that type.
    pub fn keep<T: Clone + Send + Sync + 'static>(&self, value: T) -> &Self {
        let before = self.said().kept.insert(value);
        drop(before);
        self
    }

    /// This exchange is not to be captured. Events of [`emit`](Self::emit) are stored all the same.
    pub fn skip(&self) -> &Self {
        self.said().skip = true;
        self
    }

    pub(super) fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// The id of this request.
    pub fn request_id(&self) -> &RequestId {
        &self.0.request_id
    }

    /// Emits a further event into the layer's scope. It inherits this request's id and correlation id where it has none
    /// of its own. See [`Scope::emit`].
    ///
    /// # Errors
    /// As [`Scope::emit`]; `Config` where the layer's sink has no scope.
    ///
    /// # Cancel safety
    /// As [`Emit`](crate::Emit).
    pub fn emit<'a>(&self, event: impl Into<Event<'a>>) -> Emitting {
        let mut event = event.into();
        let ids = &mut event.head;
        ids.request_id.get_or_insert_with(|| self.0.request_id.as_str().to_owned().into());
        if let Some(inherited) = &self.0.correlation_id {
            ids.correlation_id.get_or_insert_with(|| inherited.clone().into());
        }
        let scope = self.said().scope.clone();
        let Some(scope) = scope else {
            let reason = "is missing: the capture layer's sink has none to emit to";
            return Box::pin(ready(Err(ConfigError::new("scope", reason).into())));
        };
        Box::pin(scope.emit(event))
    }
}

impl fmt::Debug for RequestAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestAudit").field("request_id", &self.0.request_id).finish_non_exhaustive()
    }
}
