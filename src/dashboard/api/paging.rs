//! A page of a list: the bare array, and where the next page is.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde::Serialize;

use crate::{
    dashboard::{ask::Asked, visit::Visit},
    moment::rfc3339,
    traffic::RangeShown,
};

/// Rows, and the address of those behind them.
pub(super) struct Page<T> {
    rows: Vec<T>,
    next: Option<String>,
}

impl<T> Page<T> {
    /// The next page is one of the same moments: `24h` would be others by then.
    pub(super) fn new(rows: Vec<T>, cursor: Option<String>, visit: &Visit, asked: &Asked, range: &RangeShown) -> Self {
        let next = cursor.map(|cursor| {
            let (from, to) = (rfc3339(range.from).ok(), rfc3339(range.to).ok());
            let next = Asked { range: None, from, to, cursor: Some(cursor), ..asked.clone() };
            format!("{}{}{}", visit.base, visit.path, next.query())
        });
        Self { rows, next }
    }
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.rows).into_response();
        let link = self.next.map(|next| HeaderValue::from_bytes(format!("<{next}>; rel=\"next\"").as_bytes()));
        if let Some(Ok(link)) = link {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}
