//! A dashboard of one test, and a client in the same process.

use std::time::Duration;

use axum::{Router, body::Body};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use time::OffsetDateTime;
use tower::ServiceExt;
use tracevault::{dashboard::DashboardBuilder, time};

use crate::traffic::Site;

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Sends a request to an app, as it is.
pub async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

/// A text with every byte percent-encoded.
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

/// Gets a path of an app whose dashboard asks for nobody's name.
pub async fn get(app: &Router, path: &str) -> Answer {
    let request = Request::get(path).header(header::HOST, "localhost").body(Body::empty()).unwrap();
    send(app, request).await
}

/// A table with three hours of random requests that are rolled up, and an app with its dashboard at `/board`.
pub async fn board(theme: &str) -> (Site, Router) {
    board_with(theme, DashboardBuilder::insecure_no_auth).await
}

pub async fn board_with(theme: &str, options: impl FnOnce(DashboardBuilder) -> DashboardBuilder) -> (Site, Router) {
    let site = Site::new(theme).await;
    site.fill(1_000, OffsetDateTime::now_utc() - Duration::from_secs(3 * 3_600), 3 * 3_600).await;
    site.roll().await;
    let router = options(site.traffic.dashboard()).build().unwrap();
    (site, Router::new().nest_service("/board", router))
}
