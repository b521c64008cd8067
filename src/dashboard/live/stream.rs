//! `GET api/stream`: new requests as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{KeepAlive, Sse},
    },
};
use futures_util::stream::unfold;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{feed::Feed, replay::Replay};
use crate::{
    dashboard::{
        api::{Asking, Takes},
        problem::Problem,
        site::Site,
    },
    traffic::RequestFilter,
};

/// How often a silent stream says that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Requests that are not sent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::dashboard) struct Gap {
    /// About how many, by their ids.
    pub(super) missed: i64,
}

pub(in crate::dashboard) enum Taken {}

impl Takes for Taken {
    const NAMES: &'static [&'static str] = &["method", "status", "user", "slow", "after"];
}

/// New requests as server-sent events. `traffic:new-request` has a `LiveRow` as its data, and its id; `traffic:gap` says
/// how many are left out. Behind the header `Last-Event-ID`, or `after`, up to 500 stored before come first, and some of
/// the five seconds before that id come again. A stream ends after half a minute, and is to be asked for again.
#[utoipa::path(get, path = "/stream", params(Asking<Taken>,
    ("Last-Event-ID" = Option<i64>, Header, description = "The id of the last event, as browsers send it by themselves")),
    responses((status = 200, body = String, content_type = "text/event-stream"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "The live mode is `poll`"),
        (status = 503, body = Problem, content_type = "application/problem+json",
            description = "There are 64 streams already", headers(("Retry-After" = u32, description = "Seconds")))))]
pub(in crate::dashboard) async fn stream(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Asking { ask, .. }: Asking<Taken>,
) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    match feed(&site, last.or(ask.after), ask.filter).await {
        Ok(feed) => {
            let events =
                unfold(feed, async |mut feed| feed.next().await.map(|event| (Ok::<_, Infallible>(event), feed)));
            let headers = [
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
                // Else nginx keeps events until it has a page of them.
                (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
            ];
            (headers, Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))).into_response()
        }
        Err(problem) => {
            let busy = problem.status() == StatusCode::SERVICE_UNAVAILABLE;
            let mut response = problem.into_response();
            if busy {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            response
        }
    }
}

async fn feed(site: &Site, after: Option<i64>, filter: RequestFilter) -> Result<Feed, Problem> {
    let place = site.hub.enter()?;
    // Before what is past is read, so that nothing falls between.
    let live = site.hub.subscribe(&site.traffic).await?;
    let replay = match after {
        Some(id) => Replay::behind(&site.traffic, id, &filter).await?,
        None => Replay::default(),
    };
    Ok(Feed::new(live, site.traffic.open(), filter, replay, place))
}
