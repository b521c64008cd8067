//! A page of a list: the bare array, and where the next page is.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde::Serialize;

use crate::{
    dashboard::{ask::Asked, visit::Visit},
    traffic::RangeShown,
};

/// Rows, and the address of those behind them.
pub(super) struct Page<T> {
    rows: Vec<T>,
    next: Option<String>,
}

impl<T> Page<T> {
    pub(super) fn new(rows: Vec<T>, cursor: Option<String>, visit: &Visit, asked: &Asked, range: &RangeShown) -> Self {
        let next = cursor.map(|cursor| format!("{}{}{}", visit.base, visit.path, asked.next(cursor, range).query()));
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
