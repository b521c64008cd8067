//! The door: every request passes it, and every answer leaves by it.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{base, problem::Problem, site::Site, visit::Visit};
use crate::{http::RequestAudit, traffic::Untracked};

/// Nothing but what this router serves, no inline script or style, no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      font-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(super) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    // Its own traffic is not worth counting, however it ends.
    if let Some(captured) = parts.extensions.get::<RequestAudit>() {
        captured.keep(Untracked);
    }
    let mut response = if !site.hosts.allow(&parts) {
        Problem::misdirected().into_response()
    } else if is_foreign(&parts.headers) {
        Problem::forbidden("this is looked at by its own address, not by a part of another site's page").into_response()
    } else if let Some(viewer) = site.auth.viewer(&parts) {
        let base = site.mount_path.clone().unwrap_or_else(|| base::of(&parts));
        let path = parts.uri.path().to_owned();
        parts.extensions.insert(Visit { viewer, base, path, since: Instant::now() });
        next.run(Request::from_parts(parts, body)).await
    } else {
        site.unauthorized()
    };
    harden(response.headers_mut());
    response.extensions_mut().insert(Untracked);
    response
}

/// Whether a browser asks on behalf of another site's page, or ahead of its user: nobody would see the answer, but it
/// would be told that a viewer looked.
fn is_foreign(headers: &HeaderMap) -> bool {
    let is = |name, value: &str| headers.get(name).is_some_and(|given: &HeaderValue| given == value);
    let ahead = headers.get("sec-purpose").is_some_and(|purpose| purpose.as_bytes().starts_with(b"prefetch"));
    ahead || is("sec-fetch-site", "cross-site") && !is("sec-fetch-dest", "document")
}

fn harden(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What never changes says so itself.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
