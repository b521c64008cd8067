//! HTTP capture: every exchange becomes one audit event, however it ends.
//!
//! A [`CaptureLayer`] wraps any tower service over `http` 1.x. It reads a request's head once, hands the request on,
//! watches the response to the end of its body, and gives the [`Exchange`] to a [`Sink`]: the [`AuditSink`], or one of
//! your own. Handlers take part by [`RequestAudit`], and know their [`RequestId`]. Where to mount it, what is stored, and
//! what it costs a request is in [`docs::http`](crate::docs::http).
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http::{Request, Response};
//! use http_body_util::{BodyExt as _, Empty, Full};
//! use tower::{Layer as _, ServiceExt as _, service_fn};
//! use tracevault::{Config, ScopeOverrides, http::{CaptureLayer, RequestAudit, RequestBody}, testing};
//!
//! type Body = Full<bytes::Bytes>;
//!
//! async fn pay(request: Request<RequestBody<Empty<bytes::Bytes>>>) -> Result<Response<Body>, Infallible> {
//!     if let Some(audit) = request.extensions().get::<RequestAudit>() {
//!         audit.actor("user_123", "user").target("order_9", "order");
//!     }
//!     Ok(Response::new(Body::from("paid")))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (audit, recorder) = testing::recorder(Config::default())?; // In a service: `Tracevault::connect`.
//! let scope = audit.scope(ScopeOverrides::new())?;
//! let layer = CaptureLayer::new(scope.clone()).service_name("shop");
//!
//! let response = layer.layer(service_fn(pay)).oneshot(Request::post("/orders/9/pay").body(Empty::new())?).await?;
//! assert!(response.headers().contains_key("x-request-id"));
//! response.into_body().collect().await?;
//!
//! assert_eq!(layer.stats().captured, 1);
//! scope.flush().await?;
//! let record = &recorder.records()[0];
//! assert_eq!((record.event(), record.actor_id()), ("http.POST./orders/9/pay", Some("user_123")));
//! # Ok(())
//! # }
//! ```

mod audit_sink;
mod body;
mod clamp;
mod client;
mod committing;
mod document;
mod exchange;
#[cfg(feature = "axum")]
mod extract;
mod facts;
mod fault;
mod future;
mod guard;
mod handle;
mod hash;
mod kind;
mod layer;
mod masking;
mod matcher;
mod name;
mod options;
mod origin;
mod query;
mod request_body;
mod request_id;
mod service;
mod sink;
mod stats;
mod text;

#[cfg(feature = "axum")]
pub use self::extract::NotCaptured;
#[cfg(feature = "traffic")]
pub(crate) use self::origin::uri as original_uri;
pub use self::{
    audit_sink::AuditSink,
    body::ResponseBody,
    client::TrustedProxies,
    exchange::{CapturedError, Ending, Exchange, Party},
    future::ResponseFuture,
    handle::{Emitting, RequestAudit},
    hash::{BodyHash, HmacKey},
    kind::Kind,
    layer::CaptureLayer,
    matcher::{Forms, Matcher},
    request_body::RequestBody,
    request_id::RequestId,
    service::Capture,
    sink::{Admission, Busy, Commit, Sink},
    stats::CaptureStats,
};
